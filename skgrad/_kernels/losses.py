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
def slope_and_curvature(formula: int, parameter: float, y: float, z: float) -> tuple[float, float]:
    """Compute the first two derivatives of a smooth loss; a logarithm less than with its value."""
    if formula == LOGISTIC:
        decay = math.exp(-abs(z))
        total = 1.0 + decay
        probability = (1.0 if z >= 0.0 else decay) / total
        return probability - y, decay / (total * total)
    if formula == SQUARED_HINGE:
        shortfall = 1.0 - y * z
        return (-2.0 * y * shortfall, 2.0) if shortfall > 0.0 else (0.0, 0.0)
    residual = z - y
    if formula == HUBER:
        clipped = min(max(residual, -parameter), parameter)
        return clipped, 1.0 if clipped == residual else 0.0
    if formula == SQUARED_EPSILON_INSENSITIVE:
        excess = max(residual - parameter, 0.0) + min(residual + parameter, 0.0)
        return 2.0 * excess, 2.0 if excess != 0.0 else 0.0
    mean = math.exp(z)
    return mean - y, mean


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
