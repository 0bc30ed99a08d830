"""A solver of solvers: each goes on where the one before it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.coordinates import Batching
from skgrad.solvers._base import AnyObjective, Run, Solver, State, Status
from skgrad.solvers._parts import OfParts, needs_of, report
from skgrad.solvers.lbfgs import LBFGS
from skgrad.solvers.sgd import SGD


@dataclass(slots=True)
class ChainState(State):
    """Which solver is at work, its iterations so far, and its state (None before the first)."""

    stage: int = 0
    n_done: int = 0
    inner: Any = None


class Chain(Solver):
    r"""Solvers one after the other, such as a stochastic start and a quasi-Newton finish.

    Mini-batches come near the minimum in a few passes over many rows, and then go around it; a
    method that sees all rows is slow at first and fast at the end. The parameters are handed over,
    nothing else. `history_` is one: an entry for each iteration of whichever solver is at work.

    A solver makes the number of iterations that `epochs` gives it, fewer if it has nothing left to
    gain; the last one goes on to the estimator's `tol` or `max_iter`. All work in the coordinates
    of the first. Schedules of learning rates plan for the solver's own iterations.

    Parameters
    ----------
    solvers : list of Solver, optional
        Two or more, by default ``[SGD(), LBFGS()]``. What the chain can minimise is what each of
        them can.
    epochs : list of int or None, default=(5, None)
        Most iterations of each (passes over the data for stochastic ones). None, for the last one
        only: as many as it takes. After a number for the last one the run ends.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.solvers import LBFGS, SGD, Chain
    >>> X, y = load_iris(return_X_y=True)
    >>> chain = Chain([SGD(momentum=0.9), LBFGS()], epochs=[10, None])
    >>> LogisticRegression(solver=chain, random_state=0).fit(X, y).converged_
    True

    References
    ----------
    A. Agarwal, O. Chapelle, M. Dudik and J. Langford (2014). A reliable effective terascale linear
    learning system. JMLR 15, 1111-1133 (online passes, then L-BFGS).
    """

    name = "chain"
    needs: ClassVar[frozenset[Capability]] = OfParts(needs_of)  # type: ignore[assignment]
    acceptable_gap: ClassVar[float] = OfParts(  # type: ignore[assignment]
        lambda parts: parts[-1].acceptable_gap
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "solvers": [list, tuple, None],
        "epochs": [list, tuple],
    }

    def __init__(
        self,
        solvers: Sequence[Solver] | None = None,
        epochs: Sequence[int | None] = (5, None),
    ) -> None:
        self.solvers = solvers
        self.epochs = epochs

    def parts(self) -> tuple[Solver, ...]:
        """Return the solvers in their order."""
        return (SGD(), LBFGS()) if self.solvers is None else tuple(self.solvers)

    def _check_values(self) -> None:
        """Check the solvers and how long each works."""
        parts = self.parts()
        for part in parts:
            if not isinstance(part, Solver):
                raise ValueError(f"Chain links Solver objects; solvers holds {part!r}.")
            part.validate()
        if len(parts) < 2 or len(self.epochs) != len(parts):
            raise ValueError(
                f"Chain needs two solvers or more, and a number of epochs for each; it has "
                f"{len(parts)} solvers and epochs={self.epochs!r}."
            )
        for k, epochs in enumerate(self.epochs):
            if epochs is None and k == len(parts) - 1:
                continue
            if not isinstance(epochs, Integral) or isinstance(epochs, bool) or epochs < 1:
                raise ValueError(
                    f"epochs[{k}]={epochs!r} is not a number of iterations from 1 on; only the "
                    "last solver may have None, to go on until it has converged."
                )

    @property
    def draws(self) -> bool:
        """Whether any solver draws random numbers."""
        return any(part.draws for part in self.parts())

    def batching(self, n_samples: int) -> Batching | None:
        """Tell what the first solver sees."""
        return self.parts()[0].batching(n_samples)

    def in_coordinates(self, objective: AnyObjective) -> AnyObjective:
        """Choose the coordinates of the first solver."""
        return self.parts()[0].in_coordinates(objective)

    def init(self, objective: AnyObjective, w: FloatArray, run: Run) -> ChainState:
        """Start the first solver."""
        inner = self.parts()[0].init(objective, w, self._run_of(0, 0, run))
        return ChainState(**report(inner), inner=inner)

    def step(
        self, objective: AnyObjective, w: FloatArray, state: ChainState, run: Run
    ) -> tuple[FloatArray, ChainState]:
        """Make an iteration of the solver at work; hand over after its last one."""
        solver, own = self.parts()[state.stage], self._run_of(state.stage, state.n_done, run)
        inner = state.inner
        if inner is None:
            inner = solver.init(objective, w, own)
        w, inner = solver.step(objective, w, inner, own)
        state = ChainState(**report(inner), stage=state.stage, n_done=state.n_done + 1, inner=inner)
        over = state.n_done == self.epochs[state.stage] or inner.status is not None
        if not over:
            return w, state
        if state.stage < len(self.parts()) - 1:
            return self._hand_over(objective, w, state)
        return w, replace(state, status=inner.status or Status.MAX_ITER)

    def resume(self, objective: AnyObjective, w: FloatArray, state: ChainState) -> ChainState:
        """Let the solver at work take up its state."""
        if state.inner is None:
            return state
        inner = self.parts()[state.stage].resume(objective, w, state.inner)
        return replace(state, inner=inner)

    def finish(
        self, objective: AnyObjective, w: FloatArray, state: ChainState
    ) -> tuple[FloatArray, ChainState]:
        """Complete the iterate of the solver at work; after a hand-over it is complete."""
        if state.inner is None:
            return w, state
        w, inner = self.parts()[state.stage].finish(objective, w, state.inner)
        return w, replace(state, **report(inner), inner=inner)

    def multipliers(self, objective: AnyObjective, state: ChainState) -> FloatArray | None:
        """Return those of the solver at work."""
        if state.inner is None:
            return None
        return self.parts()[state.stage].multipliers(objective, state.inner)

    def _hand_over(
        self, objective: AnyObjective, w: FloatArray, state: ChainState
    ) -> tuple[FloatArray, ChainState]:
        """Complete the last iterate of a solver; the next starts from it at the next iteration."""
        w, inner = self.parts()[state.stage].finish(objective, w, state.inner)
        # Its own reasons to stop are none for the chain.
        facts = {**report(inner), "status": None}
        return w, ChainState(**facts, stage=state.stage + 1)

    def _run_of(self, stage: int, n_done: int, run: Run) -> Run:
        """Tell a solver what the run looks like from where it stands."""
        epochs = self.epochs[stage]
        last = len(self.parts()) - 1
        earlier = sum(int(n) for n in self.epochs[:last] if n is not None) if stage == last else 0
        horizon = max(1, run.horizon - earlier) if epochs is None else int(epochs)
        is_last = run.is_last or n_done + 1 == epochs
        return replace(run, horizon=horizon, is_last=is_last)
