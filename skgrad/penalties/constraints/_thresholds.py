"""Projections on balls and simplices that come down to one unknown number."""

from __future__ import annotations

import numpy as np

from skgrad._typing import FloatArray

# Newton's iterations for the secular equation: it converges monotonically, in some five.
MAX_ITERATIONS = 100


def as_metric(metric: float | FloatArray, coef: FloatArray) -> FloatArray:
    """Shape a metric like coef, in float64."""
    return np.broadcast_to(np.asarray(metric, dtype=np.float64), coef.shape).ravel()


def simplex_threshold(values: FloatArray, metric: FloatArray, radius: float) -> float:
    r"""Solve :math:`\sum_j \max(values_j - \lambda metric_j, 0) = radius` for :math:`\lambda`.

    A sort finds which terms are positive (Held, Wolfe and Crowder 1974; for a metric of ones Duchi
    et al. 2008, figure 1).

    Parameters
    ----------
    values, metric : arrays of shape (n,)
        The metric is positive.
    radius : float
        Positive.

    Returns
    -------
    float
    """
    ratio = values / metric
    order = np.argsort(-ratio, kind="stable")
    thresholds = (np.cumsum(values[order]) - radius) / np.cumsum(metric[order])
    last = np.flatnonzero(ratio[order] > thresholds)[-1]
    return float(thresholds[last])


def ball_multiplier(values: FloatArray, metric: FloatArray, radius: float) -> float:
    r"""Solve :math:`|v(\lambda)| = radius`, :math:`v_j = values_j / (1 + \lambda metric_j)`.

    Newton's method on :math:`1 / radius - 1 / |v(\lambda)|`, which is nearly linear (More and
    Sorensen 1983, eq. 3.7); for values outside of the ball.
    """
    multiplier = 0.0
    for _ in range(MAX_ITERATIONS):
        shrinkage = 1.0 + multiplier * metric
        squares = (values / shrinkage) ** 2
        length = float(np.sqrt(squares.sum()))
        if length <= radius * (1.0 + 4.0 * float(np.finfo(np.float64).eps)):
            break
        slope = float((squares * metric / shrinkage).sum())
        multiplier += (length - radius) / radius * length * length / slope
    return multiplier
