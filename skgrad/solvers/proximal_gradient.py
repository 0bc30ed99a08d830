"""Proximal gradient descent, plain (ISTA) and accelerated (FISTA)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, curvature_gap, least_gap

# The duality gap costs a pass; the estimate from the prox-gradient step decides when to ask for it.
GAP_EVERY = 10
# An accepted step is tried this much larger next time: curvature met early must not bind forever.
STEP_GROWTH = 1.05
MAX_HALVINGS = 60
CURVATURE_MEMORY = 20


@dataclass(slots=True)
class ProximalState(State):
    """Previous iterate and gradient, momentum counter t, iterations, and recent curvatures."""

    previous: FloatArray | None = None
    t: float = 1.0
    n_iter: int = 0
    curvatures: tuple[float, ...] = ()


class ProximalGradient(Solver):
    r"""Gradient step on the smooth part, proximal step on the penalty.

    .. math:: w_{t+1} = prox_{\eta\, penalty}\left(z_t - \eta \nabla f(z_t)\right), \qquad
              z_t = w_t + \beta_t (w_t - w_{t-1})

    with :math:`\beta_t = 0` (ISTA) or Nesterov's momentum (FISTA), restarted whenever it points
    against the step. The step size is found by backtracking, so no constant has to be known.

    Parameters
    ----------
    acceleration : {"nesterov", "none"}, default="nesterov"
        FISTA or ISTA.
    learning_rate : float or "auto", default="auto"
        First trial step; "auto" is the inverse of the largest curvature.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import LinearRegression
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = LinearRegression(alpha=1.0, l1_ratio=1.0, solver="proximal_gradient").fit(X, y)
    >>> int((lasso.coef_ != 0).sum())
    3

    References
    ----------
    A. Beck and M. Teboulle (2009). A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems. SIAM Journal on Imaging Sciences 2, 183-202, eq. 4.1-4.3.

    B. O'Donoghue and E. Candes (2015). Adaptive restart for accelerated gradient schemes, sec. 3.2.
    """

    name = "proximal_gradient"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.SMOOTH_LOSS})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "acceleration": [StrOptions({"nesterov", "none"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    }

    def __init__(
        self, acceleration: str = "nesterov", *, learning_rate: float | str = "auto"
    ) -> None:
        self.acceleration = acceleration
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> ProximalState:
        """Choose the first step."""
        step = self.learning_rate
        if isinstance(step, str):
            step = 1.0 / objective.smoothness(w).mean
        return ProximalState(objective.value(w), step_size=float(step), previous=w)

    def step(
        self, objective: Objective, w: FloatArray, state: ProximalState, run: Run
    ) -> tuple[FloatArray, ProximalState]:
        """Extrapolate, then make one backtracked proximal gradient step."""
        assert state.previous is not None
        t_next = 0.5 * (1.0 + (1.0 + 4.0 * state.t**2) ** 0.5)
        momentum = (state.t - 1.0) / t_next if self.acceleration == "nesterov" else 0.0
        z = w + momentum * (w - state.previous) if momentum else w
        value, gradient = objective.value_and_gradient(z)
        found = _backtrack(objective, z, value, gradient, state.step_size)
        if found is None:
            return w, replace(state, status=Status.PRECISION)
        moved, smooth_value, step_size, curvature = found
        mapping = (z - moved) / step_size
        if float(mapping @ (moved - w)) > 0:
            t_next = 1.0  # momentum points uphill: start it again
        curvatures = (*state.curvatures, curvature)[-CURVATURE_MEMORY:]
        norm = float(np.linalg.norm(mapping))
        total = smooth_value + objective.nonsmooth_value(moved)
        estimate = curvature_gap(norm, curvatures)
        due = state.n_iter % GAP_EVERY == 0 or estimate <= run.tol * abs(total)
        if due:
            certified = objective.duality_gap(moved)
            estimate = certified if certified == certified else estimate
        else:
            estimate = float("nan")
        return moved, ProximalState(
            total, norm, step_size, least_gap(estimate), previous=w, t=t_next,
            n_iter=state.n_iter + 1, curvatures=curvatures,
        )  # fmt: skip


def _backtrack(
    objective: Objective, z: FloatArray, value: float, gradient: FloatArray, step_size: float
) -> tuple[FloatArray, float, float, float] | None:
    """Shrink the step until the quadratic model bounds the smooth part (Beck and Teboulle, 3.2).

    Returns the new point, the smooth part there, the step and the curvature met, or None.
    """
    noise = 10 * float(np.finfo(z.dtype).eps) * abs(value)
    step_size *= STEP_GROWTH
    for _ in range(MAX_HALVINGS):
        moved = objective.prox(z - step_size * gradient, step_size)
        displacement = moved - z
        length = float(displacement @ displacement)
        smooth_value = objective.value(moved) - objective.nonsmooth_value(moved)
        excess = smooth_value - value - float(gradient @ displacement)
        if step_size * excess <= 0.5 * length + step_size * noise:
            return moved, smooth_value, step_size, 2 * excess / length if length > 0 else 0.0
        step_size *= 0.5
    return None
