"""How far a point is from the minimum, as Newton's method sees it."""

from __future__ import annotations

import math

from skgrad._typing import FloatArray
from skgrad.objective import Capability, Objective
from skgrad.solvers._cholesky import factorise, solve
from skgrad.solvers._quadratic import QuadraticModel

# Beyond this order the Hessian costs more than the run that asks for the estimate.
LARGEST_BLOCK = 300
# Accuracy of the model's minimum relative to the decrease that a proximal step promises.
MODEL_ACCURACY = 1e-4


def newton_gap(objective: Objective, w: FloatArray, gradient: FloatArray) -> float:
    """Estimate F(w) - min F by the decrease that the quadratic model at w promises.

    Where the Hessian is too large, the bound from the penalty's strong convexity; NaN where the
    loss is not smooth: a subgradient at w says nothing about the distance to the minimum.
    """
    if Capability.SMOOTH_LOSS not in objective.offers:
        return math.nan
    if objective.block_size > LARGEST_BLOCK:
        return objective.gradient_gap(w, gradient)
    if Capability.SMOOTH_PENALTY in objective.offers:
        factors, _ = factorise(objective.hessian(w))
        return 0.5 * float(gradient @ solve(factors, gradient))
    model = QuadraticModel(objective, w, gradient, objective.hessian(w))
    residual = w - objective.prox(w - model.steps * gradient, model.steps)
    accuracy = MODEL_ACCURACY * float(residual @ (residual / model.steps))
    return max(0.0, -model.value(model.minimise(accuracy)))
