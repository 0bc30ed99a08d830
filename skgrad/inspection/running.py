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
        reference = np.nan_to_num(values[0])  # of a constant column nothing is left but zeros
        moved = values - reference
        if np.isnan(moved.sum()):
            missing = np.isnan(moved)
            share = np.where(missing, 0.0, 1.0 if weight is None else weight[:, None])
            moved[missing] = 0.0
            here = share.sum(axis=0)
            shift = (share * moved).sum(axis=0) / np.maximum(here, TINY)
            squares = (share * (moved - shift) ** 2).sum(axis=0)
        else:  # several times as fast
            w = np.ones(len(values)) if weight is None else weight
            here = np.full(values.shape[1], w.sum())
            shift = w @ moved / np.maximum(here, TINY)
            moved -= shift
            np.square(moved, out=moved)
            squares = w @ moved
        self._merge(here, reference + shift, squares)

    def _merge(self, here: FloatArray, mean: FloatArray, squares: FloatArray) -> None:
        """Merge the moments of a chunk, its weights being ``here``."""
        both = np.maximum(self.total + here, TINY)
        step = np.where((here > 0.0) & (self.total > 0.0), mean - self.mean, 0.0)
        start = np.where(self.total > 0.0, self.mean, mean)
        self._squares += squares + step**2 * self.total * here / both
        self.mean = np.where(here > 0.0, start + step * here / both, self.mean)
        self.total += here

    @property
    def variance(self) -> FloatArray:
        """Variances, with the weights' sum in the denominator."""
        variance: FloatArray = self._squares / np.maximum(self.total, TINY)
        return variance
