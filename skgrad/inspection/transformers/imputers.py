"""Imputers: what is there passes through."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.inspection.chain import Local, Walk, rule


@rule(SimpleImputer)
def simple_imputer(step: Any, X: Any, walk: Walk) -> Local:
    """Pass on what is there; a missing entry does not move anything, nor do indicators.

    On a path between two inputs the output is a leaf: an entry that is missing at one end stands
    for the value that is imputed, and moves from there. Texts do not move: what encodes them does.
    """
    kept = _kept(step)
    indicated = [] if step.indicator_ is None else step.indicator_.features_
    owners = np.concatenate([kept, indicated]).astype(np.intp)
    numeric = np.asarray(step.statistics_).dtype.kind in "biuf"
    if walk.pins is not None and numeric:
        return walk.leaf(step, X, owners, step.n_features_in_)
    value, missing = step.transform(X), _missing(step, X)

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((len(cotangent), step.n_features_in_))
        total[:, kept] = cotangent[:, : len(kept)]
        return np.where(missing, 0.0, total)

    return Local(value, pull, owners, affine=not missing.any())


def _kept(step: Any) -> IntArray:
    """Find the columns that had something to learn from; the others are dropped."""
    if step.keep_empty_features:
        return np.arange(step.n_features_in_)
    return np.flatnonzero([statistic == statistic for statistic in step.statistics_])


def _missing(step: Any, X: Any) -> Array:
    data = np.asarray(X)
    marker = step.missing_values
    if marker is None or marker != marker:  # None, NaN, or pandas.NA
        return data != data if data.dtype != object else _missing_objects(data)
    return data == marker


def _missing_objects(data: Array) -> Array:
    import pandas as pd

    return np.asarray(pd.isna(data))
