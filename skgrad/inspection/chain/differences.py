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


def deviations(X: Any) -> FloatArray:
    """Compute the columns' standard deviations, of the entries that are there."""
    data = dense(X)
    there = ~np.isnan(data)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, data, 0.0).sum(axis=0) / count
    squares = np.where(there, data - mean, 0.0) ** 2
    spread: FloatArray = np.sqrt(squares.sum(axis=0) / count)
    return spread


def differenced(X: Any, forward: Callable[[Any], Any], scale: FloatArray) -> Local:
    r"""Stand average slopes in for the Jacobian of a step.

    .. math:: J_{kj} = \frac{T_k(x + h_j e_j) - T_k(x - h_j e_j)}{2 h_j}

    with :math:`h_j` half a standard deviation of column j: the derivative of T smoothed by a box.

    Parameters
    ----------
    X : array of shape (n_samples, n_in)
        Where to take the slopes.
    forward : callable
        Evaluates T.
    scale : ndarray of shape (n_in,)
        Standard deviations of the columns.
    """
    data, widths = dense(X), HALF_WIDTH * scale

    def slope(j: int, cotangent: FloatArray) -> FloatArray:
        if widths[j] == 0.0:  # a constant column: nothing is known beside it
            return np.zeros(len(data))
        shifted = [data.copy(), data.copy()]
        shifted[0][:, j] += widths[j]
        shifted[1][:, j] -= widths[j]
        upper, lower = (dense(forward(like(X, moved))) for moved in shifted)
        change: FloatArray = np.einsum("no,no->n", upper - lower, cotangent)
        return change / (2.0 * widths[j])

    def pull(cotangent: FloatArray) -> FloatArray:
        return np.column_stack([slope(j, cotangent) for j in range(data.shape[1])])

    return Local(forward(X), pull)
