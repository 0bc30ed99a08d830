"""Quantile transforms of each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense
from skgrad.inspection.transformers.columnwise import columnwise


@transform_rule(QuantileTransformer)
def quantile_transformer(step: Any, X: Any, walk: Walk) -> Local:
    r"""Take the slope of the piecewise linear distribution function between its quantiles.

    To the right of a quantile, that is; 0 beyond the smallest and the largest, where the output is
    clipped. A normal output divides it by the normal density there. A value that takes up several
    quantiles is a jump, which has no slope.
    """
    if sparse.issparse(X):
        return walk.difference(step, X, "moves only the stored entries of a sparse matrix")
    data = dense(X)
    quantiles = np.asarray(step.quantiles_, dtype=np.float64)
    if any(_jumps(x, q) for x, q in zip(data.T, quantiles.T, strict=True)):
        return walk.difference(step, X, "jumps at values that many rows share, some of these rows")
    value = step.transform(X)

    def slope(x: FloatArray) -> FloatArray:
        columns = zip(x.T, quantiles.T, strict=True)
        rise = np.stack([_slope(one, q, step.references_) for one, q in columns], axis=1)
        if step.output_distribution == "uniform":
            return rise
        z = dense(value)
        # Clipped by scikit-learn at +-5.2, the normal quantiles of 1e-7.
        inside = np.abs(z) < np.abs(norm.ppf(1e-7 - np.spacing(1.0)))
        return np.where(inside, rise / norm.pdf(z), 0.0)

    return columnwise(value, X, slope)


def _jumps(x: FloatArray, quantiles: FloatArray) -> bool:
    """Tell whether some rows stand where the distribution function jumps."""
    if quantiles[0] == quantiles[-1]:  # a column that was constant tells nothing
        return False
    repeated = quantiles[1:][np.diff(quantiles) == 0.0]
    return bool(np.isin(x, repeated).any())


def _slope(x: FloatArray, quantiles: FloatArray, references: FloatArray) -> FloatArray:
    left = np.searchsorted(quantiles, x, side="right") - 1
    inside = (x > quantiles[0]) & (x < quantiles[-1])
    left = np.where(inside, left, 0)
    run = quantiles[left + 1] - quantiles[left] if len(quantiles) > 1 else np.ones(len(x))
    rise = references[left + 1] - references[left] if len(quantiles) > 1 else np.zeros(len(x))
    return np.where(inside, rise / run, 0.0)
