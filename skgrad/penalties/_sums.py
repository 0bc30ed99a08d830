"""Pieces that separable penalties share."""

from math import inf

import numpy as np

from skgrad._typing import FloatArray


def sum_of_abs(array: FloatArray) -> float:
    """Sum of absolute values, accumulated in float64."""
    return float(np.abs(array).sum(dtype=np.float64))


def sum_of_squares(array: FloatArray) -> float:
    """Sum of squares, accumulated in float64."""
    flat = array.ravel().astype(np.float64, copy=False)
    return float(flat @ flat)


def largest_abs(array: FloatArray) -> float:
    """Largest absolute value, 0 for an empty array."""
    return float(np.abs(array).max(initial=0.0))


def interval_conjugate(dual: FloatArray, bound: float) -> float:
    """Conjugate of bound |coef|_1: 0 where all |dual| <= bound, up to rounding, else inf."""
    tolerance = 8.0 * float(np.finfo(dual.dtype).eps)
    return 0.0 if largest_abs(dual) <= bound * (1.0 + tolerance) else inf


def interval_scaling(dual: FloatArray, bound: float) -> float:
    """Largest c in [0, 1] with c |dual| <= bound everywhere."""
    largest = largest_abs(dual)
    return 1.0 if largest <= bound else bound / largest


def nearest_to_zero(coef: FloatArray, slope: FloatArray, alpha: float) -> FloatArray:
    """Element of least norm of slope + alpha d|coef|_1."""
    sign = np.sign(coef)
    # At coef = 0, slope minus the part of it that [-alpha, alpha] can cancel.
    cancelled = slope.clip(-alpha, alpha)
    cancelled *= sign == 0.0
    sign *= alpha
    sign += slope
    sign -= cancelled
    return sign
