"""Several starts, of which the best is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.coordinates import Batching
from skgrad.solvers._base import ROUNDING, AnyObjective, Run, Solver, State, Status
from skgrad.solvers._parts import OfParts, needs_of, report
from skgrad.solvers.lbfgs import LBFGS

Points = tuple[tuple[FloatArray, Any], ...]


@dataclass(slots=True)
class MultiStartState(State):
    """Parameters and state of the solver from every start."""

    points: Points = ()


class MultiStart(Solver):
    r"""Run a solver from several starts at a time and keep the lowest objective.

    .. math:: k^* = \arg\min_k F(w^{(k)})

    For objectives with several local minima: networks, and penalties that are not convex. The first
    start is the one that the solver alone would have. The others are random: for a linear model
    normal around the first, with a standard deviation of `spread` times the longest way that a
    coordinate seems to have to go; for a network the weights of each layer in another order, which
    is another draw of its initialiser.

    An iteration is one from each start, so `max_iter` means the same as for the solver alone, at
    `n_starts` times the cost. A start that has converged, where the solver has nothing left to gain
    or where the objective became infinite, waits for the others. Reports are those of the best
    start so far, without its gap, which is the distance to a local minimum, until all have ended.
    For a convex objective every start leads to one minimum, and a single one is enough. A network's
    training also ends when the best loss has not improved for `n_iter_no_change` epochs: give
    starts that are still behind the time to overtake.

    Parameters
    ----------
    solver : Solver, optional
        By default ``LBFGS()``.
    n_starts : int, default=5
        Number of starts.
    spread : float, default=1.0
        How far random starts of linear models are from the first.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import MLPClassifier
    >>> from skgrad.solvers import LBFGS, MultiStart
    >>> X, y = load_iris(return_X_y=True)
    >>> solver = MultiStart(LBFGS(), n_starts=3)
    >>> clf = MLPClassifier((4,), "tanh", alpha=1.0, solver=solver, max_iter=2000, random_state=0)
    >>> bool(clf.fit(X, y).score(X, y) > 0.95)
    True

    References
    ----------
    R. Marti, J. Lozano, A. Mendiburu and L. Hernando (2018). Multi-start methods. Handbook of
    Heuristics, Springer, 155-175.
    """

    name = "multi_start"
    needs: ClassVar[frozenset[Capability]] = OfParts(needs_of)  # type: ignore[assignment]
    acceptable_gap: ClassVar[float] = OfParts(  # type: ignore[assignment]
        lambda parts: parts[0].acceptable_gap
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "solver": [Solver, None],
        "n_starts": [Interval(Integral, 1, None, closed="left")],
        "spread": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, solver: Solver | None = None, n_starts: int = 5, *, spread: float = 1.0
    ) -> None:
        self.solver = solver
        self.n_starts = n_starts
        self.spread = spread

    def parts(self) -> tuple[Solver, ...]:
        """Return the solver."""
        return (LBFGS() if self.solver is None else self.solver,)

    @property
    def draws(self) -> bool:
        """Whether there are random starts, or the solver draws random numbers."""
        return self.n_starts > 1 or self.parts()[0].draws

    def batching(self, n_samples: int) -> Batching | None:
        """Tell what the solver sees."""
        return self.parts()[0].batching(n_samples)

    def in_coordinates(self, objective: AnyObjective) -> AnyObjective:
        """Choose the coordinates of the solver."""
        return self.parts()[0].in_coordinates(objective)

    def init(self, objective: AnyObjective, w: FloatArray, run: Run) -> MultiStartState:
        """Draw the starts."""
        (solver,), starts = self.parts(), [w]
        if self.n_starts > 1:
            assert run.rng is not None
            spread = float(self.spread) * objective.displacement_scale(w)
            starts += [objective.random_start(w, spread, run.rng) for _ in range(self.n_starts - 1)]
        return _reported(tuple((start, solver.init(objective, start, run)) for start in starts))[1]

    def step(
        self, objective: AnyObjective, w: FloatArray, state: MultiStartState, run: Run
    ) -> tuple[FloatArray, MultiStartState]:
        """Make an iteration from every start that has not ended."""
        (solver,) = self.parts()
        floor = ROUNDING * float(np.finfo(objective.dtype).eps) * abs(state.value)
        points = []
        for point, own in state.points:
            moved = (point, own) if own.status else solver.step(objective, point, own, run)
            if not math.isfinite(moved[1].value):
                moved = point, replace(own, value=math.inf, status=Status.DIVERGED)
            elif moved[1].gap <= run.tol * abs(moved[1].value) + floor:
                moved = moved[0], replace(moved[1], status=Status.CONVERGED)
            points.append(moved)
        w, moved_state = _reported(tuple(points))
        if all(own.status is not None for _, own in points):
            return w, moved_state
        # The gap is that to a local minimum: another start may lead to a lower one.
        return w, replace(moved_state, status=None, gap=math.nan)

    def resume(
        self, objective: AnyObjective, w: FloatArray, state: MultiStartState
    ) -> MultiStartState:
        """Let the solver take up all states."""
        (solver,) = self.parts()
        points = tuple((point, solver.resume(objective, point, own)) for point, own in state.points)
        return replace(state, points=points)

    def finish(
        self, objective: AnyObjective, w: FloatArray, state: MultiStartState
    ) -> tuple[FloatArray, MultiStartState]:
        """Complete the iterates of all starts that have one, and choose among them."""
        (solver,) = self.parts()
        return _reported(
            tuple(
                solver.finish(objective, point, own) if math.isfinite(own.value) else (point, own)
                for point, own in state.points
            )
        )

    def multipliers(self, objective: AnyObjective, state: MultiStartState) -> FloatArray | None:
        """Return those of the best start."""
        return self.parts()[0].multipliers(objective, _best(state.points)[1])


def _best(points: Points) -> tuple[FloatArray, Any]:
    """Find the lowest objective; of equal ones the first, so that ties change nothing."""
    return min(points, key=lambda point: point[1].value)


def _reported(points: Points) -> tuple[FloatArray, MultiStartState]:
    w, best = _best(points)
    return w, MultiStartState(**report(best), points=points)
