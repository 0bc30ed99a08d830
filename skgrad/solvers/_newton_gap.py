"""How far a point is from the minimum, as Newton's method sees it."""

from __future__ import annotations

import math

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._cholesky import factorise, solve
from skgrad.solvers._quadratic import QuadraticModel

# Beyond this order the Hessian costs more than the run that asks for the estimate.
LARGEST_BLOCK = 300
# The Hessian comes from this many rows, and from so many for each of its columns: it is then right
# to some ten per cent, and costs no more than a pass over large data does.
ROWS = 2000
ROWS_PER_COLUMN = 20
# Accuracy of the model's minimum relative to the decrease that a proximal step promises.
MODEL_ACCURACY = 1e-4


def newton_gap(objective: Objective, w: FloatArray, gradient: FloatArray) -> float:
    """Estimate F(w) - min F by the decrease that the quadratic model at w promises.

    Where the Hessian is too large, the bound from the penalty's strong convexity; for constraints,
    and penalties of groups of coefficients, the duality gap; NaN where the loss is not smooth: a
    subgradient at w says nothing about the distance to the minimum.
    """
    if Capability.SMOOTH_LOSS not in objective.offers:
        return math.nan
    if not {Capability.SMOOTH_PENALTY, Capability.ZERO_KINKS} & objective.offers:
        return constrained_gap(objective, w, gradient)
    if objective.block_size > LARGEST_BLOCK:
        return objective.gradient_gap(w, gradient)
    n_rows = ROWS + ROWS_PER_COLUMN * objective.block_size
    sample = objective.subsample(n_rows) if n_rows <= objective.largest_sample else objective
    hessian = sample.hessian(w)
    if Capability.SMOOTH_PENALTY in objective.offers:
        factors, _ = factorise(hessian)
        return 0.5 * float(gradient @ solve(factors, gradient))
    model = QuadraticModel(objective, w, gradient, hessian)
    residual = w - objective.prox(w - model.steps * gradient, model.steps)
    accuracy = MODEL_ACCURACY * float(residual @ (residual / model.steps))
    return max(0.0, -model.value(model.minimise(accuracy)))


def constrained_gap(objective: Objective, w: FloatArray, gradient: FloatArray) -> float:
    """Compute the duality gap, and under a constraint what better intercepts would gain.

    Intercepts that are zero hide their residual from the gap, which counts it to first order.
    """
    gap = objective.duality_gap(w)
    if objective.penalty.region is None:
        return gap
    return gap + objective.feasible.intercept_gap(w, gradient)
