"""Spectral projected gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import (
    CURVATURE_MARGIN,
    Run,
    Solver,
    State,
    Status,
    curvature_gap,
    least_gap,
    norm,
)

SUFFICIENT_DECREASE = 1e-4
MAX_TRIALS = 40
# A step is shortened to between these shares of itself, as Birgin et al. have it.
LEAST_SHARE, LARGEST_SHARE = 0.1, 0.5
# A step along which f does not bend grows by this factor.
GROWTH = 10.0
# Curvatures along this many recent steps estimate the least curvature of the objective.
CURVATURE_MEMORY = 100


class Landing(NamedTuple):
    """Where a search ended, f there and its gradient."""

    w: FloatArray
    value: float
    gradient: FloatArray


@dataclass(slots=True)
class ProjectedState(State):
    """Gradient at w, recent values and curvatures, and the gap that these suggest."""

    gradient: FloatArray | None = None
    values: tuple[float, ...] = ()
    curvatures: tuple[float, ...] = ()
    estimate: float = float("nan")


class ProjectedGradient(Solver):
    r"""Spectral projected gradient: Barzilai and Borwein's steps, projected.

    .. math:: d_t = P_C(w_t - \eta_t \nabla f(w_t)) - w_t, \qquad w_{t+1} = w_t + \lambda_t d_t,
              \qquad \eta_{t+1} = \frac{s's}{s'y}

    with s the last displacement and y the change of the gradient along it. :math:`\lambda_t` is 1
    unless f would rise above the largest of the last values: now and then it may rise, which is
    what lets the steps be as long as they are.

    Parameters
    ----------
    memory : int, default=10
        Number of values that a step may not rise above; 1 makes the method monotone.
    learning_rate : float or "auto", default="auto"
        First step :math:`\eta_0`; "auto" is the inverse of the largest curvature.

    References
    ----------
    E. G. Birgin, J. M. Martinez and M. Raydan (2000). Nonmonotone spectral projected gradient
    methods on convex sets. SIAM Journal on Optimization 10, 1196-1211, algorithm 2.2 (SPG2).

    J. Barzilai and J. M. Borwein (1988). Two-point step size gradient methods. IMA Journal of
    Numerical Analysis 8, 141-148, eq. 5.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import LinearRegression
    >>> from skgrad.penalties.constraints import Simplex
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mixture = LinearRegression(constraint=Simplex(900.0), solver="projected_gradient")
    >>> float(mixture.fit(X, y).coef_.sum().round(6))
    900.0
    """

    name = "projected_gradient"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LINEAR, Capability.SMOOTH_LOSS, Capability.CONSTRAINT}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "memory": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    }

    def __init__(self, memory: int = 10, *, learning_rate: float | str = "auto") -> None:
        self.memory = memory
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> ProjectedState:
        """Evaluate the start and choose the first step."""
        objective.feasible.check(w)
        value, gradient = _evaluate(objective, w)
        step = self.learning_rate
        if isinstance(step, str):
            step = 1.0 / objective.smoothness(w).mean
        return ProjectedState(value, step_size=float(step), gradient=gradient, values=(value,))

    def step(
        self, objective: Objective, w: FloatArray, state: ProjectedState, run: Run
    ) -> tuple[FloatArray, ProjectedState]:
        """Project a gradient step, and search along the way there."""
        assert state.gradient is not None
        feasible = objective.feasible
        target = feasible.project(w - state.step_size * state.gradient)
        found = self._search(objective, w, target, state)
        if found is None:
            gap = least_gap(state.gap, state.estimate)
            return w, replace(state, gap=gap, status=Status.PRECISION)
        moved, change = found.w - w, found.gradient - state.gradient
        length = _dot(moved, moved)
        curvature = _dot(moved, change) / length if length > 0.0 else 0.0
        step_size = 1.0 / curvature if curvature > 0.0 else GROWTH * state.step_size
        curvatures = (*state.curvatures, curvature)[-CURVATURE_MEMORY:]
        ahead = feasible.project(found.w - step_size * found.gradient)
        residual = norm(found.w - ahead) / step_size
        gap = feasible.gap(found.w, found.gradient)
        estimate = CURVATURE_MARGIN * curvature_gap(residual, curvatures)
        return found.w, ProjectedState(
            found.value, residual, step_size, estimate if math.isinf(gap) else gap,
            estimate=estimate, gradient=found.gradient, curvatures=curvatures,
            values=(*state.values, found.value)[-self.memory :],
        )  # fmt: skip

    def _search(
        self, objective: Objective, w: FloatArray, target: FloatArray, state: ProjectedState
    ) -> Landing | None:
        """Shorten the step until f is below the largest of the last values."""
        assert state.gradient is not None
        direction = target - w
        slope = _dot(state.gradient, direction)
        noise = 10 * float(np.finfo(w.dtype).eps) * abs(state.value)
        step = 1.0
        for _ in range(MAX_TRIALS if slope < 0.0 else 0):
            moved = target if step == 1.0 else w + step * direction
            value, gradient = _evaluate(objective, moved)
            if value <= max(state.values) + SUFFICIENT_DECREASE * step * slope + noise:
                return Landing(moved, value, gradient)
            excess = value - state.value - step * slope
            share = -0.5 * step * slope / excess if math.isfinite(excess) else 0.0
            step *= min(max(share, LEAST_SHARE), LARGEST_SHARE)
        return None


def _evaluate(objective: Objective, w: FloatArray) -> tuple[float, FloatArray]:
    """Compute f, F where the constraint holds, and its gradient."""
    value, gradient = objective.loss_and_gradient(w)
    return value + objective.feasible.add_rest(w, gradient), gradient


def _dot(a: FloatArray, b: FloatArray) -> float:
    """Compute an inner product in float64."""
    return float(a.astype(np.float64, copy=False) @ b.astype(np.float64, copy=False))
