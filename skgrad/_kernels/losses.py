"""Losses of single rows, and their derivatives."""

from __future__ import annotations

import math

from skgrad._kernels._compile import compiled
from skgrad._kernels.formulas import LossFormula
from skgrad._typing import FloatArray

LOGISTIC = int(LossFormula.LOGISTIC)
MULTINOMIAL = int(LossFormula.MULTINOMIAL)
HINGE = int(LossFormula.HINGE)
SQUARED_HINGE = int(LossFormula.SQUARED_HINGE)
HUBER = int(LossFormula.HUBER)
QUANTILE = int(LossFormula.QUANTILE)
EPSILON_INSENSITIVE = int(LossFormula.EPSILON_INSENSITIVE)
SQUARED_EPSILON_INSENSITIVE = int(LossFormula.SQUARED_EPSILON_INSENSITIVE)
# Longest step in the dual of the logistic loss, relative to what its largest curvature allows.
BOLDEST = 1.5


@compiled
def value_and_slope(formula: int, parameter: float, y: float, z: float) -> tuple[float, float]:
    """Compute a loss and its derivative in the raw prediction z; see the classes of the losses."""
    if formula == LOGISTIC:
        decay = math.exp(-abs(z))
        probability = (1.0 if z >= 0.0 else decay) / (1.0 + decay)
        # Not log1p: of the mean over many rows, a tiny loss needs no digits of its own.
        return (max(z, 0.0) - y * z) + math.log(1.0 + decay), probability - y
    if formula in (HINGE, SQUARED_HINGE):
        shortfall = 1.0 - y * z
        if shortfall <= 0.0:
            return 0.0, 0.0
        if formula == HINGE:
            return shortfall, -y
        return shortfall * shortfall, -2.0 * y * shortfall
    residual = z - y
    if formula == HUBER:
        size = abs(residual)
        near = min(size, parameter)
        return near * (size - 0.5 * near), near if residual > 0.0 else -near
    if formula == QUANTILE:
        if residual > 0.0:
            return (1.0 - parameter) * residual, 1.0 - parameter
        return -parameter * residual, -parameter if residual < 0.0 else 0.0
    if formula in (EPSILON_INSENSITIVE, SQUARED_EPSILON_INSENSITIVE):
        excess = abs(residual) - parameter
        if excess <= 0.0:
            return 0.0, 0.0
        sign = 1.0 if residual > 0.0 else -1.0
        if formula == EPSILON_INSENSITIVE:
            return excess, sign
        return excess * excess, 2.0 * sign * excess
    mean = math.exp(z)
    entropy = y * math.log(y) if y > 0.0 else 0.0
    return mean - y * z + entropy - y, mean - y


@compiled
def dual_step(
    formula: int, parameter: float, y: float, z: float, theta: float, pull: float
) -> tuple[float, float]:  # fmt: skip
    """Step from theta to where it equals the derivative of a smooth loss at z - pull * step.

    Exact for losses of quadratic pieces, else one step of Newton's method. Returned with it is a
    slope of the dual, of the same sign: their product is about twice the increase.
    """
    if formula == SQUARED_HINGE:
        slope = -2.0 * y * (1.0 - y * z) - theta
        step = slope / (1.0 + 2.0 * pull)
        return (step if y * (theta + step) < 0.0 else -theta), slope
    residual = z - y
    if formula == HUBER:
        slope = residual - theta
        moved = theta + slope / (1.0 + pull)
        return min(max(moved, -parameter), parameter) - theta, slope
    if formula == SQUARED_EPSILON_INSENSITIVE:
        slope = 2.0 * (residual - parameter) - theta
        step = slope / (1.0 + 2.0 * pull)
        if theta + step > 0.0:
            return step, slope
        other = 2.0 * (residual + parameter) - theta
        step = other / (1.0 + 2.0 * pull)
        if theta + step < 0.0:
            return step, other
        return -theta, slope if theta > 0.0 else other
    decay = math.exp(-abs(z))
    total = 1.0 + decay
    slope = (1.0 if z >= 0.0 else decay) / total - y - theta
    # A step of up to twice the cautious one, which the largest curvature allows, does not decrease
    # the dual.
    step = min(1.0 / (1.0 + pull * decay / (total * total)), BOLDEST / (1.0 + 0.25 * pull))
    return step * slope, slope


@compiled
def softmax(raw: FloatArray, label: int) -> float:
    """Turn raw predictions into the gradient of the multinomial loss in place; return the loss."""
    largest = raw[0]
    for k in range(1, len(raw)):
        largest = max(largest, raw[k])
    total, own = 0.0, raw[label] - largest
    for k in range(len(raw)):
        raw[k] = math.exp(raw[k] - largest)
        total += raw[k]
    for k in range(len(raw)):
        raw[k] /= total
    raw[label] -= 1.0
    return math.log(total) - own


@compiled
def weighted_slopes(
    formula: int, parameter: float, y: FloatArray, weight: FloatArray, share: float, i: int,
    raw: FloatArray,
) -> float:  # fmt: skip
    """Turn a row's raw predictions into weighted derivatives in place; return its weighted loss.

    ``weight`` has one column, one for each output, or none: then every row counts ``share``.
    """
    n_columns = weight.shape[1]
    if formula == MULTINOMIAL:
        row_weight = weight[i, 0] if n_columns > 0 else share
        value = softmax(raw, int(y[i, 0]))
        for k in range(len(raw)):
            raw[k] *= row_weight
        return row_weight * value
    total = 0.0
    for k in range(len(raw)):
        value, slope = value_and_slope(formula, parameter, y[i, k], raw[k])
        row_weight = share if n_columns == 0 else weight[i, k if n_columns > 1 else 0]
        raw[k] = row_weight * slope
        total += row_weight * value
    return total
