"""Weighted means and variances of a stream, merged chunk by chunk."""

from __future__ import annotations

import numpy as np

from skgrad._typing import FloatArray

TINY = float(np.finfo(np.float64).tiny)


class RunningMoments:
    """Mean and variance of each column; missing entries don't count.

    Each chunk is centred on its own mean first, so that constant columns have a variance of 0
    (Chan, Golub and LeVeque 1983, equation 2.1).

    Parameters
    ----------
    n_columns : int
        Number of columns.
    """

    def __init__(self, n_columns: int) -> None:
        self.total, self.mean = np.zeros(n_columns), np.zeros(n_columns)
        self._squares = np.zeros(n_columns)

    def add(self, values: FloatArray, weight: FloatArray | None) -> None:
        """Add a chunk of rows."""
        if len(values) == 0:
            return
        missing = np.isnan(values)
        share = np.where(missing, 0.0, 1.0 if weight is None else weight[:, None])
        here = share.sum(axis=0)
        reference = np.nan_to_num(values[0])  # of a constant column nothing is left but zeros
        moved = np.where(missing, 0.0, values - reference)
        shift = (share * moved).sum(axis=0) / np.maximum(here, TINY)
        squares = (share * (moved - shift) ** 2).sum(axis=0)
        both = np.maximum(self.total + here, TINY)
        step = np.where(here > 0.0, reference + shift - self.mean, 0.0)
        step = np.where(self.total > 0.0, step, 0.0)
        start = np.where(self.total > 0.0, self.mean, reference + shift)
        self._squares += squares + step**2 * self.total * here / both
        self.mean = np.where(here > 0.0, start + step * here / both, self.mean)
        self.total += here

    @property
    def variance(self) -> FloatArray:
        """Variances, with the weights' sum in the denominator."""
        variance: FloatArray = self._squares / np.maximum(self.total, TINY)
        return variance
