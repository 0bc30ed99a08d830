"""Scalers: one factor for each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, rule
from skgrad.inspection.chain.columns import dense


def scaled(value: Any, factor: FloatArray | float, n_columns: int) -> Local:
    """Multiply each column by a factor, somewhere between a shift before and a shift after."""
    return Local(value, lambda c: c * factor, np.arange(n_columns), affine=True)


@rule(StandardScaler, RobustScaler, MaxAbsScaler)
def scaler(step: Any, X: Any, walk: Walk) -> Local:
    """Divide by the scales."""
    factor = 1.0 if step.scale_ is None else 1.0 / step.scale_
    return scaled(step.transform(X), factor, step.n_features_in_)


@rule(MinMaxScaler)
def min_max_scaler(step: Any, X: Any, walk: Walk) -> Local:
    """Multiply by the scales; outside the range that clips, nothing moves."""
    value, n_columns = step.transform(X), step.n_features_in_
    if not step.clip:
        return scaled(value, step.scale_, n_columns)
    data = dense(X)
    inside = (data >= step.data_min_) & (data <= step.data_max_)
    return Local(value, lambda c: c * step.scale_ * inside, np.arange(n_columns))
