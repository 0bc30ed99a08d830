"""Weighted statistics of a target, in float64, one per column."""

import numpy as np

from skgrad._typing import Array, FloatArray

# Frequencies are kept this far from 0 and 1. At the square root of the rounding unit the
# logit is 18, where the gradient is small but not yet rounded away: a class that is absent
# from a first batch can still be learned.
FREQUENCY_MARGIN = float(np.sqrt(np.finfo(np.float64).eps))


def weighted_mean(y: Array, weights: FloatArray) -> FloatArray:
    """Mean of each column of y."""
    mean: FloatArray = (weights @ y.astype(np.float64, copy=False)) / weights.sum()
    return mean


def weighted_quantile(y: Array, quantile: float | FloatArray, weights: FloatArray) -> FloatArray:
    """Minimiser of the weighted pinball loss, the middle one where there is an interval.

    `quantile` is a number, or one for each column.
    """
    present = weights > 0
    y, weights = y[present].astype(np.float64, copy=False), weights[present]
    order, columns = np.argsort(y, axis=0), np.arange(y.shape[1])
    cumulated = np.cumsum(weights[order], axis=0)
    total = cumulated[-1]
    # Without a margin, rounding in the sum would turn an interval into one of its ends.
    margin = len(y) * np.finfo(np.float64).eps * total
    low = (cumulated < quantile * total - margin).sum(axis=0)
    high = (cumulated <= quantile * total + margin).sum(axis=0)
    middles = np.minimum([low, high], len(y) - 1)
    ends = y[order[middles, columns], columns]
    middle: FloatArray = ends.mean(axis=0)
    return middle


def weighted_median(y: Array, weights: FloatArray) -> FloatArray:
    """Median of each column of y, the middle one where there is an interval."""
    return weighted_quantile(y, 0.5, weights)
