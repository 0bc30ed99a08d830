"""Full-batch gradient descent, with line search and momentum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, first_order_gap
from skgrad.solvers._line_search import Trial, along, backtracking, strong_wolfe

# Curvatures along this many recent steps estimate the least curvature of the objective.
CURVATURE_MEMORY = 100
# The automatic first step may grow by this factor an iteration, so that one steep region met early
# does not slow down the rest of the run.
STEP_GROWTH = 2.0


@dataclass(slots=True)
class DescentState(State):
    """Gradient at w, the previous displacement (velocity), counts and recent curvatures."""

    gradient: FloatArray | None = None
    velocity: FloatArray | None = None
    n_momentum_steps: int = 0
    curvatures: tuple[float, ...] = ()


class GradientDescent(Solver):
    r"""Gradient descent on the whole data in every iteration.

    .. math:: w_{t+1} = w_t + \beta_t (w_t - w_{t-1}) - \eta_t \nabla F(\cdot)

    with the gradient at :math:`w_t` (heavy ball) or at the extrapolated point (Nesterov), and
    :math:`\beta_t = 0` without momentum.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        Step size :math:`\eta`, or the first trial of the line search. "auto" starts at the inverse
        of the objective's largest curvature and, with a line search, goes on from the last step.
    line_search : {"backtracking", "strong_wolfe"} or None, default="backtracking"
        How a step is found. None keeps `learning_rate` as a fixed step.
    momentum : {"none", "heavy_ball", "nesterov"}, default="none"
        Kind of momentum. Nesterov's is restarted whenever it points uphill.
    beta : float in [0, 1), default=0.9
        Momentum factor of the heavy ball. (Nesterov's follows :math:`(t - 1) / (t + 2)`.)

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.solvers import GradientDescent
    >>> X, y = load_iris(return_X_y=True)
    >>> LogisticRegression(solver=GradientDescent(momentum="nesterov")).fit(X, y).converged_
    True

    References
    ----------
    B. O'Donoghue and E. Candes (2015). Adaptive restart for accelerated gradient schemes.
    Foundations of Computational Mathematics 15, 715-732.

    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, chapter 3.
    """

    name = "gradient_descent"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "line_search": [StrOptions({"backtracking", "strong_wolfe"}), None],
        "momentum": [StrOptions({"none", "heavy_ball", "nesterov"})],
        "beta": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        learning_rate: float | str = "auto",
        *,
        line_search: str | None = "backtracking",
        momentum: str = "none",
        beta: float = 0.9,
    ) -> None:
        self.learning_rate = learning_rate
        self.line_search = line_search
        self.momentum = momentum
        self.beta = beta

    def init(self, objective: Objective, w: FloatArray, run: Run) -> DescentState:
        """Evaluate the start and choose the first step."""
        value, gradient = objective.value_and_gradient(w)
        step = self.learning_rate
        if isinstance(step, str):
            step = 1.0 / objective.smoothness(w).mean
        norm = float(np.linalg.norm(gradient))
        return DescentState(value, norm, float(step), gradient=gradient, velocity=np.zeros_like(w))

    def step(
        self, objective: Objective, w: FloatArray, state: DescentState, run: Run
    ) -> tuple[FloatArray, DescentState]:
        """Move along the gradient, or along gradient plus momentum."""
        assert state.gradient is not None and state.velocity is not None
        factor = self._momentum_factor(state)
        base, value, gradient = w, state.value, state.gradient
        if self.momentum == "nesterov" and factor > 0:
            base = w + factor * state.velocity
            value, gradient = objective.value_and_gradient(base)
        elif self.momentum == "heavy_ball" and self.line_search is None:
            base = w + factor * state.velocity
        direction = -gradient
        if self.momentum == "heavy_ball" and self.line_search is not None and factor > 0:
            # Searching along the combined direction still guarantees descent.
            combined = direction + factor / state.step_size * state.velocity
            direction = combined if gradient @ combined < 0 else direction
        start = Trial(0.0, value, float(gradient @ direction), gradient, base)
        trial = self._search(objective, start, direction, state.step_size)
        if trial is None:
            return w, replace(state, status=Status.PRECISION)
        return trial.w, self._advance(objective, w, start, trial, state)

    def _momentum_factor(self, state: DescentState) -> float:
        if self.momentum == "heavy_ball":
            return self.beta
        t = state.n_momentum_steps
        return t / (t + 3.0) if self.momentum == "nesterov" else 0.0

    def _search(
        self, objective: Objective, start: Trial, direction: FloatArray, step: float
    ) -> Trial | None:
        evaluate = along(objective.value_and_gradient, start.w, direction)
        if self.line_search is None:
            return evaluate(step)
        if self.momentum != "nesterov" and not isinstance(self.learning_rate, str):
            step = float(self.learning_rate)
        if self.line_search == "backtracking":
            return backtracking(evaluate, start, step)
        return strong_wolfe(evaluate, start, step, curvature=0.1)

    def _advance(
        self, objective: Objective, w: FloatArray, start: Trial, trial: Trial, state: DescentState
    ) -> DescentState:
        velocity = trial.w - w
        uphill = self.momentum == "nesterov" and float(start.gradient @ velocity) > 0
        moved = trial.w - start.w
        length = float(moved @ moved)
        change = trial.gradient - start.gradient
        curvature = float(change @ moved) / length if length > 0 else 0.0
        curvatures = (*state.curvatures, curvature)[-CURVATURE_MEMORY:]
        norm = float(np.linalg.norm(trial.gradient))
        gap = first_order_gap(objective, trial.w, trial.gradient, curvatures)
        step = trial.step
        if self.line_search is not None and isinstance(self.learning_rate, str):
            # Barzilai and Borwein's short step: the inverse curvature that the step has met.
            ratio = float(change @ change)
            short = float(change @ moved) / ratio if ratio > 0 else step
            plain = self.momentum == "none" and short > 0
            step = short if plain else (step if self.momentum == "nesterov" else step * STEP_GROWTH)
        return DescentState(
            trial.value, norm, step, gap, gradient=trial.gradient, velocity=velocity,
            n_momentum_steps=0 if uphill else state.n_momentum_steps + 1, curvatures=curvatures,
        )  # fmt: skip
