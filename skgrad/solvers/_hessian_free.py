"""Hessian-free steps: damped Gauss-Newton directions from conjugate gradients, for networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray
from skgrad.network_objective import NetworkObjective
from skgrad.solvers._base import State, Status, norm
from skgrad.solvers._line_search import Trial, along, backtracking

# The next direction starts from this share of the last one (Martens 2010, section 4.8).
CARRIED = 0.95
# Conjugate gradients end when the model's value falls by less than this share per product, on
# average over as many of the last products (section 4.4; there 10 of them at least, but the
# preconditioner lets early directions get by with fewer).
PROGRESS = 5e-4
LEAST_PRODUCTS, RECENT_PRODUCTS = 5, 0.1
# Levenberg-Marquardt: a decrease of less than a quarter of the model's makes the damping larger,
# one of more than three quarters smaller (section 4.1). The factor there is 3/2, for noisy values
# of batches; 2 reaches an autoencoder's loss in fewer steps.
POOR, GOOD = 0.25, 0.75
CHANGE = 2.0

Operator = Callable[[FloatArray], FloatArray]


@dataclass(slots=True)
class HessianFreeState(State):
    """What the next direction starts from: the gradient, the last direction and the damping.

    ``t`` counts steps: it seeds the random signs of the preconditioner.
    """

    gradient: FloatArray | None = None
    direction: FloatArray | None = None
    damping: float = float("nan")
    t: int = 0


class Minimum(NamedTuple):
    """Where conjugate gradients ended, and the value of the quadratic there."""

    x: FloatArray
    value: float


def start(objective: NetworkObjective, w: FloatArray, damping: float) -> HessianFreeState:
    """Evaluate the start; the damping is relative to the curvature along the gradient there."""
    value, gradient = objective.value_and_gradient(w)
    size = norm(gradient)
    along_gradient = gradient / max(size, float(np.finfo(gradient.dtype).tiny))
    curvature = float(along_gradient @ objective.linearise(w).gauss_newton_vec(along_gradient))
    return HessianFreeState(
        value, size, gradient=gradient, direction=np.zeros_like(w),
        damping=damping * curvature if curvature > 0.0 else damping,
    )  # fmt: skip


def advance(
    objective: NetworkObjective, w: FloatArray, state: HessianFreeState, *, max_inner: int,
    first_step: float,
) -> tuple[FloatArray, HessianFreeState]:  # fmt: skip
    """Minimise the damped model, move there if the objective falls, and adapt the damping."""
    assert state.gradient is not None and state.direction is not None
    matrix, damping = objective.linearise(w), state.damping
    inverse = matrix.kronecker_inverse(seed=state.t)
    model = minimise(
        lambda v: matrix.gauss_newton_vec(v) + damping * v, lambda v: inverse.solve(v, damping),
        state.gradient, CARRIED * state.direction, max_inner,
    )  # fmt: skip
    slope = float(state.gradient @ model.x)
    origin = Trial(0.0, state.value, slope, state.gradient, w)
    trials: list[Trial] = []
    evaluate = along(objective.value_and_gradient, w, model.x)

    def remember(step: float) -> Trial:
        trials.append(evaluate(step))
        return trials[-1]

    found = backtracking(remember, origin, first_step) if slope < 0.0 else None
    if found is None:
        return w, replace(state, status=Status.PRECISION)
    undamped = model.value - 0.5 * damping * float(model.x @ model.x)
    predicted = first_step * slope + first_step**2 * (undamped - slope)
    return found.w, HessianFreeState(
        found.value, norm(found.gradient), found.step, gradient=found.gradient,
        direction=model.x, damping=adapted(damping, trials[0].value - state.value, predicted),
        t=state.t + 1,
    )  # fmt: skip


def adapted(damping: float, actual: float, predicted: float) -> float:
    """Change the damping by how well the model predicted the change of the objective."""
    ratio = actual / predicted if predicted < 0.0 else 0.0
    if ratio > GOOD:
        return damping / CHANGE
    return damping if ratio >= POOR else damping * CHANGE


def minimise(
    product: Operator, inverse: Operator, gradient: FloatArray, x: FloatArray, max_iter: int
) -> Minimum:
    r"""Minimise :math:`g'x + x'Bx/2` by preconditioned conjugate gradients, roughly.

    Parameters
    ----------
    product, inverse : callables
        Products with B, and with the inverse of an approximation.
    gradient : array of shape (n_params,)
        g.
    x : array of shape (n_params,)
        Start; where the quadratic is positive there, zero is taken.
    max_iter : int
        Most products with B, but the one that the start takes.

    Returns
    -------
    Minimum

    References
    ----------
    J. Martens (2010). Deep learning via Hessian-free optimization. ICML 2010, section 4.
    """
    residual = product(x) + gradient if x.any() else gradient.copy()
    values = [0.5 * float(x @ (residual + gradient))]
    if not values[0] <= 0.0:
        x, residual, values = np.zeros_like(x), gradient.copy(), [0.0]
    solved = inverse(residual)
    direction, size = -solved, float(residual @ solved)
    for k in range(1, max_iter + 1):
        image = product(direction)
        curvature = float(direction @ image)
        if not curvature > 0.0 or not size > 0.0:
            break
        x = x + size / curvature * direction
        residual += size / curvature * image
        values.append(values[-1] - 0.5 * size * size / curvature)
        recent = max(LEAST_PRODUCTS, int(RECENT_PRODUCTS * k))
        if k > recent and values[k] - values[k - recent] > recent * PROGRESS * values[k]:
            break
        solved = inverse(residual)
        previous, size = size, float(residual @ solved)
        direction = size / previous * direction - solved
    return Minimum(x, values[-1])
