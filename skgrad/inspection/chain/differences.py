"""Differences in the place of derivatives that do not exist or are not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import dense, like
from skgrad.inspection.chain.local import Local

# In standard deviations: the slope of a step function means something only across some jumps.
HALF_WIDTH = 0.5


def spans(X: Any) -> tuple[FloatArray, FloatArray]:
    """Compute the columns' standard deviations, and how far down they go: 0 if never below.

    Many steps refuse negative numbers. Entries that are missing do not count.
    """
    data = dense(X)
    there = ~np.isnan(data)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, data, 0.0).sum(axis=0) / count
    squares = np.where(there, data - mean, 0.0) ** 2
    floor = np.where((data < 0.0).any(axis=0), -np.inf, 0.0)
    return np.sqrt(squares.sum(axis=0) / count), floor


def differenced(
    X: Any, forward: Callable[[Any], Any], span: tuple[FloatArray, FloatArray]
) -> Local:
    r"""Stand average slopes in for the Jacobian of a step.

    .. math:: J_{kj} = \frac{T_k(x + h_j e_j) - T_k(x - h_j e_j)}{2 h_j}

    with :math:`h_j` half a standard deviation of column j: the derivative of T smoothed by a box.
    The box ends at 0 in a column without negative numbers.

    Parameters
    ----------
    X : array of shape (n_samples, n_in)
        Where to take the slopes.
    forward : callable
        Evaluates T.
    span : ndarrays of shape (n_in,)
        Standard deviations of the columns, and floors that the lower points are not below.
    """
    data, widths, floor = dense(X), HALF_WIDTH * span[0], span[1]

    def slope(j: int, cotangent: FloatArray) -> FloatArray:
        if widths[j] == 0.0:  # a constant column: nothing is known beside it
            return np.zeros(len(data))
        shifted = [data.copy(), data.copy()]
        shifted[0][:, j] += widths[j]
        shifted[1][:, j] = np.maximum(data[:, j] - widths[j], np.minimum(floor[j], data[:, j]))
        upper, lower = (dense(forward(like(X, moved))) for moved in shifted)
        # An output that is missing at both ends is for an imputer behind to fill.
        rise = np.where(np.isnan(upper) & np.isnan(lower), 0.0, upper - lower)
        change: FloatArray = np.einsum("no,no->n", rise, cotangent)
        run = shifted[0][:, j] - shifted[1][:, j]
        return change / np.where(np.isnan(run), 1.0, run)  # a missing entry does not move

    def pull(cotangent: FloatArray) -> FloatArray:
        return np.column_stack([slope(j, cotangent) for j in range(data.shape[1])])

    return Local(forward(X), pull)
