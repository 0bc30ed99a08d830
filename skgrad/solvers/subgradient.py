"""Subgradient method, for objectives with kinks; Pegasos is a special case."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.row_epochs import Plan, Walk
from skgrad.solvers._base import IncompatibleSolverError, Run, Solver, State, Status, norm
from skgrad.solvers._epochs import compiled_pays, walk_batches
from skgrad.solvers.sgd import SGD

# How far below the best value the first level is, relatively.
FIRST_AMOUNT = 0.1
# How close to it the last one is, relative to `tol`.
LAST_AMOUNT = 0.1
# The first step of the automatic diminishing rule, relative to the longest way that all coordinates
# together seem to have to go: on losses with kinks, the error after 300 iterations was half of that
# with 0.1.
FIRST_STEP = 0.3
# Averages weigh iterates by t, as for strongly convex functions (Lacoste-Julien et al. 2012).
AVERAGING_DEGREE = 1.0


@dataclass(slots=True)
class SubgradientState(State):
    """The iterate, its value and subgradient, the average, and what steps depend on.

    What a run returns is the best point so far, of which ``value`` is the objective. ``amount`` is
    how far below it Polyak's level is, ``length`` that of the first diminishing step, and ``rate``
    the step size that leads so far from the start.
    """

    iterate: FloatArray | None = None
    average: FloatArray | None = None
    current: float = math.nan
    gradient: FloatArray | None = None
    t: int = 0
    amount: float = math.nan
    length: float = math.nan
    rate: float = math.nan
    convexity: float = 0.0


class Subgradient(Solver):
    r"""Steps along subgradients, for losses with kinks (and any other).

    .. math:: w_{t+1} = prox_{\eta_t}(w_t - \eta_t g_t), \qquad g_t \in \partial F(w_t)

    where prox is that of a penalty with kinks; a smooth one is in :math:`g_t`. Subgradients need
    not point downhill: the best point so far is returned. Step sizes:

    - "polyak": :math:`\eta_t = (F(w_t) - F_t) / |g_t|^2`, with :math:`F_t` the minimum if `target`
      tells it. Otherwise a level somewhat below the best value; the difference is multiplied by
      `decay` whenever an iterate does not reach the level. Converges much faster than its theory.
    - "diminishing": :math:`\eta_t = \eta_1 / (\sqrt t |g_t|)`, for any convex objective. With
      batches, the norm is that of the first subgradient of all rows.
    - "strongly_convex": :math:`\eta_t = 1 / (\mu t)`, with :math:`\mu` the least curvature of an L2
      (or elastic net) penalty in the solver's coordinates.

    ``Subgradient("strongly_convex", batch_size=k, average=True)`` for `LinearSVC` with the hinge is
    Pegasos with k rows a step (in standardised coordinates, without its optional projection, which
    changes neither its limit nor its rate). `DualCoordinateAscent`, `InteriorPoint` and
    `AugmentedLagrangian` are faster, and certify the answer.

    Parameters
    ----------
    step_size : {"polyak", "diminishing", "strongly_convex"}, default="polyak"
        Rule of the steps.
    learning_rate : float or "auto", default="auto"
        Length :math:`\eta_1` of the first diminishing step. "auto" is derived from the largest
        one-dimensional Newton step.
    target : float or None, default=None
        Minimum of the objective, for Polyak's steps. A lower bound will do; the run ends when the
        objective is within `tol` of it.
    decay : float in (0, 1), default=0.98
        See "polyak": closer to one is slower, and more accurate.
    batch_size : int or None, default=None
        Rows of a step, drawn at random, an epoch being an iteration; None for all rows. Not for
        Polyak's steps, which need the objective.
    average : bool, default=False
        Whether the average of the iterates, weighed by t, is a candidate for the best point.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LinearSVC
    >>> from skgrad.solvers import Subgradient
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = LinearSVC(loss="hinge", C=0.1, solver=Subgradient(), tol=1e-3).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    B. Polyak (1969). Minimization of unsmooth functionals. USSR Computational Mathematics and
    Mathematical Physics 9, 14-29.

    D. Bertsekas (2015). Convex Optimization Algorithms, section 3.2 (dynamic step size rule).

    S. Shalev-Shwartz, Y. Singer, N. Srebro and A. Cotter (2011). Pegasos: primal estimated
    sub-gradient solver for SVM. Mathematical Programming 127, 3-30, figures 1 and 2.

    S. Lacoste-Julien, M. Schmidt and F. Bach (2012). A simpler approach to obtaining an O(1/t)
    convergence rate for the projected stochastic subgradient method. arXiv 1212.2002v2.
    """

    name = "subgradient"
    first_order: ClassVar[bool] = True
    # What a geometrically falling level typically leaves.
    acceptable_gap: ClassVar[float] = 1e-3
    provable: ClassVar[bool] = False
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.LINEAR})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "step_size": [StrOptions({"polyak", "diminishing", "strongly_convex"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "target": [Interval(Real, None, None, closed="neither"), None],
        "decay": [Interval(Real, 0, 1, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "average": ["boolean"],
    }

    def __init__(
        self,
        step_size: str = "polyak",
        *,
        learning_rate: float | str = "auto",
        target: float | None = None,
        decay: float = 0.98,
        batch_size: int | None = None,
        average: bool = False,
    ) -> None:
        self.step_size = step_size
        self.learning_rate = learning_rate
        self.target = target
        self.decay = decay
        self.batch_size = batch_size
        self.average = average

    def _check_values(self) -> None:
        """Raise for options that belong to other steps."""
        polyak = self.step_size == "polyak"
        if polyak and self.batch_size is not None:
            raise ValueError(
                f"batch_size={self.batch_size} is not for step_size='polyak', which needs the "
                "objective of all rows. Use 'diminishing' or 'strongly_convex'."
            )
        if self.target is not None and not polyak:
            raise ValueError(f"target={self.target} is for step_size='polyak' only.")

    @property
    def draws(self) -> bool:
        """Whether rows are drawn."""
        return self.batch_size is not None

    def in_coordinates(self, objective: Objective) -> Objective:
        """Decorrelate, unless steps depend on the curvature of the penalty: it would shrink."""
        return objective if self.step_size == "strongly_convex" else objective.decorrelated()

    def init(self, objective: Objective, w: FloatArray, run: Run) -> SubgradientState:
        """Evaluate the start."""
        convexity = objective.penalty_convexity()
        if self.step_size == "strongly_convex" and convexity == 0.0:
            raise IncompatibleSolverError(
                "step_size='strongly_convex' needs an L2 or elastic-net penalty with a positive "
                "strength. Use Subgradient with step_size='polyak' or 'diminishing'."
            )
        value, gradient = objective.value_and_gradient(w)
        value += objective.nonsmooth_value(w)
        first = self.learning_rate
        if isinstance(first, str):
            far = float(np.abs(gradient).max(initial=0.0)) / objective.coordinate_curvature
            first = FIRST_STEP * math.sqrt(len(w)) * (far or 1.0)
        return SubgradientState(
            value, norm(gradient), iterate=w, average=w, current=value, gradient=gradient,
            amount=FIRST_AMOUNT * abs(value), length=float(first),
            rate=float(first) / (norm(gradient) or 1.0), convexity=convexity,
        )  # fmt: skip

    def step(
        self, objective: Objective, w: FloatArray, state: SubgradientState, run: Run
    ) -> tuple[FloatArray, SubgradientState]:
        """Make a step, or an epoch of steps by batches, and keep the best point."""
        if self.batch_size is None:
            moved, step_size = self._whole_step(objective, state)
        else:
            moved, step_size = self._epoch(objective, state, run)
        value, gradient = objective.value_and_gradient(moved.iterate)
        value += objective.nonsmooth_value(moved.iterate)
        amount = state.amount if value <= state.value - state.amount else self.decay * state.amount
        candidates = [(state.value, w), (value, moved.iterate)]
        if self.average:
            candidates.append((objective.value(moved.average), moved.average))
        best, point = min(candidates, key=lambda candidate: candidate[0])
        gap = objective.gradient_gap(moved.iterate, gradient) + best - value
        if self.target is not None:
            gap = best - float(self.target)
        # A level that close to the best value, or to its rounding, leads nowhere.
        resolution = max(LAST_AMOUNT * run.tol, float(np.finfo(objective.dtype).eps)) * abs(best)
        done = self.step_size == "polyak" and self.target is None and amount <= resolution
        return point, replace(
            state, value=best if math.isfinite(value) else value, gradient_norm=norm(gradient),
            step_size=step_size, gap=gap, iterate=moved.iterate, average=moved.average,
            current=value, gradient=gradient, t=moved.t, amount=amount,
            status=Status.STALLED if done else None,
        )  # fmt: skip

    def _whole_step(self, objective: Objective, state: SubgradientState) -> tuple[Walk, float]:
        assert state.iterate is not None and state.average is not None
        assert state.gradient is not None
        t, length = state.t + 1, norm(state.gradient)
        if self.step_size == "polyak":
            level = state.value - state.amount if self.target is None else float(self.target)
            step = max(0.0, state.current - level) / (length * length or 1.0)
        elif self.step_size == "diminishing":
            step = state.length / (math.sqrt(t) * (length or 1.0))
        else:
            step = 1.0 / (state.convexity * t)
        iterate = objective.prox(state.iterate - step * state.gradient, step)
        pace = (AVERAGING_DEGREE + 1.0) / (t + AVERAGING_DEGREE)
        average = state.average + pace * (iterate - state.average) if self.average else iterate
        return Walk(iterate, average, (), t, state.current, state.gradient), step

    def _epoch(self, objective: Objective, state: SubgradientState, run: Run) -> tuple[Walk, float]:
        assert state.iterate is not None and state.average is not None
        assert run.rng is not None and self.batch_size is not None
        n = objective.n_samples
        batch_size = min(int(self.batch_size), n)
        t = state.t + 1 + np.arange(-(-n // batch_size))
        rates = state.rate / np.sqrt(t)
        if self.step_size == "strongly_convex":
            rates = 1.0 / (state.convexity * t)
        degree = AVERAGING_DEGREE if self.average else 0.0
        plan = Plan(batch_size, rates, 1, math.inf, math.inf, degree)
        walk = Walk(state.iterate, state.average, (), state.t, 0.0, state.iterate)
        plain = SGD()
        if compiled_pays(objective, plan, run.horizon):
            order = run.rng.permutation(n)
            walk = objective.row_epoch(walk, plan, plain.compiled_update(), order)
        else:
            batches = objective.batches(batch_size, run.rng, shuffle=True)
            walk = walk_batches(objective, walk, plan, plain.update, batches)
        return walk, float(rates[-1])
