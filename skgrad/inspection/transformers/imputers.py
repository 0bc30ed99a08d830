"""Imputers: what is there passes through, and what is not does not move."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.inspection.chain import Local, Walk, rule, transform_rule
from skgrad.inspection.chain.columns import numeric_columns, width


@rule(SimpleImputer)
def simple_imputer(step: Any, X: Any, walk: Walk) -> Local:
    """Pass on what is there; a missing entry does not move anything, nor do indicators.

    On a path between two inputs the output is a leaf: an entry that is missing at one end stands
    for the value that is imputed, and moves from there. Texts do not move: what encodes them does.
    """
    return passing(step, X, _kept(step), walk)


@transform_rule(KNNImputer)
def knn_imputer(step: Any, X: Any, walk: Walk) -> Local:
    """Pass on rows without gaps; refuse others, whose neighbours change in jumps."""
    kept = _kept_by_name(step)
    if walk.pins is None and missing_entries(step, X)[:, kept].any():
        return walk.difference(
            step, X, "imputes from the nearest rows, which change in jumps as the input moves"
        )
    return passing(step, X, kept, walk)


@transform_rule(MissingIndicator)
def missing_indicator(step: Any, X: Any, walk: Walk) -> Local:
    """Tell what is missing, which does not change as long as entries move.

    A derivative of 0, not NaN, as for the indicators that an imputer adds: numbers that go into a
    model next to their indicators have a derivative.
    """
    value, owners, n_in = step.transform(X), step.features_, step.n_features_in_
    if walk.pins is not None:
        return walk.leaf(step, X, owners, n_in)
    present = not missing_entries(step, X).any()
    return Local(value, lambda c: np.zeros((len(c), n_in)), owners, affine=present)


def passing(step: Any, X: Any, kept: IntArray, walk: Walk) -> Local:
    """Pass on the entries of the columns that are kept; indicators of others may follow."""
    value, n_in = step.transform(X), step.n_features_in_
    owners = output_owners(step, kept)
    if walk.pins is not None and len(numeric_columns(value)) == width(value):
        return walk.leaf(step, X, owners, n_in)
    missing = missing_entries(step, X)

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((len(cotangent), n_in))
        total[:, kept] = cotangent[:, : len(kept)]
        return held(total, missing)

    return Local(value, pull, owners, affine=not missing.any())


def held(cotangent: FloatArray, missing: Array) -> FloatArray:
    """Keep missing entries from moving; NaN, from an encoder behind the imputer, stays."""
    if not missing.any():  # then the step is affine, and may be asked for a single row
        return cotangent
    return np.where(missing & ~np.isnan(cotangent), 0.0, cotangent)


def output_owners(step: Any, kept: IntArray) -> IntArray:
    """Find the column of each output: those that are kept, and those of the indicators."""
    indicated = [] if step.indicator_ is None else step.indicator_.features_
    return np.concatenate([kept, indicated]).astype(np.intp)


def _kept(step: Any) -> IntArray:
    """Find the columns that had something to learn from; the others are dropped."""
    if step.keep_empty_features:
        return np.arange(step.n_features_in_)
    return np.flatnonzero([statistic == statistic for statistic in step.statistics_])


def _kept_by_name(step: Any) -> IntArray:
    """Find the same columns by their names, where the imputer has no statistics to show."""
    names = getattr(step, "feature_names_in_", [f"x{j}" for j in range(step.n_features_in_)])
    n_indicators = 0 if step.indicator_ is None else len(step.indicator_.features_)
    outputs = step.get_feature_names_out()
    there = set(outputs[: len(outputs) - n_indicators])
    return np.flatnonzero([name in there for name in names])


def missing_entries(step: Any, X: Any) -> Array:
    """Tell which entries an imputer takes for missing."""
    # Entries that a sparse matrix does not store are zeros, and never missing.
    data = X.toarray() if sparse.issparse(X) else np.asarray(X)
    marker = step.missing_values
    if not isinstance(marker, str | float | int | np.generic) or marker != marker:
        return data != data if data.dtype != object else _missing_objects(data)
    return data == marker


def _missing_objects(data: Array) -> Array:
    import pandas as pd

    return np.asarray(pd.isna(data))
