"""Standard deviations of columns, and importances that add up to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skgrad._typing import FloatArray, Matrix
from skgrad.moments import column_moments

# Relative error of the mean of a million numbers.
SUMMED_ROUNDING = 1e3 * float(np.finfo(np.float64).eps)


def normalized(importances: FloatArray) -> FloatArray:
    """Divide by the sum, unless all are zero."""
    total = float(importances.sum())
    return importances if total == 0.0 else importances / total


def without_rounding(deviation: FloatArray, mean: FloatArray, X: Matrix) -> FloatArray:
    """Set to zero what is only the rounding of a constant column, or of the sum that is its mean.

    That sum, in float64, is off by sqrt(n) to n units of rounding.
    """
    eps = max(10.0 * float(np.finfo(X.dtype).eps), SUMMED_ROUNDING)
    return np.where(deviation <= eps * np.abs(mean), 0.0, deviation)


@dataclass(frozen=True, slots=True)
class ColumnMoments:
    """Weighted means and variances of columns, which those of further rows can be added to.

    Parameters
    ----------
    total : float
        Sum of the weights.
    mean, variance : ndarray of shape (n_features,)
        In float64.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque (1983). Algorithms for computing the sample variance.
    The American Statistician 37, equation (2.1).
    """

    total: float
    mean: FloatArray
    variance: FloatArray

    @staticmethod
    def of(X: Matrix, sample_weight: FloatArray | None) -> ColumnMoments:
        """Pass over some rows; weights have shape (n_samples, n_weights)."""
        weight = None if sample_weight is None else sample_weight.mean(axis=1, dtype=np.float64)
        total = float(X.shape[0] if weight is None else weight.sum())
        mean, variance = column_moments(X, weight, centered=True)
        return ColumnMoments(total, mean, without_rounding(np.sqrt(variance), mean, X) ** 2)

    def __add__(self, other: ColumnMoments) -> ColumnMoments:
        """Join two sets of rows."""
        total = self.total + other.total
        share, change = other.total / total, other.mean - self.mean
        variance = (1.0 - share) * self.variance + share * other.variance
        variance += share * (1.0 - share) * change**2
        return ColumnMoments(total, self.mean + share * change, variance)

    @property
    def deviation(self) -> FloatArray:
        """Standard deviations."""
        return np.sqrt(self.variance)
