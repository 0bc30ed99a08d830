"""ColumnTransformer: each part sees its own columns, and their cotangents add up."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.chain import Local, Walk, rule
from skgrad.inspection.chain.columns import dense, is_frame, positions, take_columns, width


@rule(ColumnTransformer)
def column_transformer(step: Any, X: Any, walk: Walk) -> Local:
    """Walk into every part; a column that several parts use collects from all of them."""
    parts: list[tuple[IntArray, slice, Local]] = []
    for name, transformer, key in step.transformers_:
        columns = positions(key, getattr(step, "feature_names_in_", None), step.n_features_in_)
        if len(columns) == 0 or (isinstance(transformer, str) and transformer == "drop"):
            continue
        alone = int(columns[0]) if isinstance(key, str | int) else columns  # a series, for texts
        inside = walk.into(name, walk.sources[columns])
        local = inside.transform(transformer, take_columns(X, alone))
        weight = (step.transformer_weights or {}).get(name)
        parts.append((columns, step.output_indices_[name], weighted(local, weight)))
    parts.sort(key=lambda part: part[1].start)
    n_in = width(X)

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((len(cotangent), n_in))
        for columns, outputs, local in parts:
            pulled = local.pull(cotangent[:, outputs])
            if len(np.unique(columns)) == len(columns):
                total[:, columns] += pulled
            else:  # a column that is named twice in one part: += would count it once
                for j, column in enumerate(columns):
                    total[:, column] += pulled[:, j]
        return total

    locals_ = [local for _, _, local in parts]
    sources = [_sources(columns, local) for columns, _, local in parts]
    as_sparse = bool(parts) and step.sparse_output_  # not set where nothing comes out
    return Local(
        side_by_side([local.value for local in locals_], X, as_sparse=as_sparse),
        pull,
        np.concatenate([np.empty(0, dtype=np.intp), *sources]),
        affine=all(local.affine for local in locals_),
    )


def _sources(columns: IntArray, local: Local) -> IntArray:
    """Name the sources of a part's outputs by the columns of the whole."""
    if local.sources is None:
        return np.full(width(local.value), columns[0] if len(columns) == 1 else -1)
    return np.where(local.sources < 0, -1, columns[local.sources])


def weighted(local: Local, weight: float | None) -> Local:
    """Multiply a part's outputs by its weight."""
    if weight is None:
        return local
    value = local.value * weight if sparse.issparse(local.value) else dense(local.value) * weight
    return Local(value, lambda c: local.pull(weight * c), local.sources, affine=local.affine)


def side_by_side(values: list[Any], X: Any, *, as_sparse: bool) -> Any:
    """Put outputs next to each other, as a CSR matrix, a data frame or an array."""
    if not values:
        return np.empty((X.shape[0], 0))
    if all(is_frame(value) for value in values):  # columns keep their types
        import pandas as pd

        index = values[0].index
        return pd.concat([value.set_axis(index, axis=0) for value in values], axis=1)
    if as_sparse:
        columns = [value if sparse.issparse(value) else dense(value) for value in values]
        return sparse.hstack(columns).tocsr()
    columns = [value.toarray() if sparse.issparse(value) else np.asarray(value) for value in values]
    columns = [value.reshape(len(value), -1) for value in columns]
    return columns[0] if len(columns) == 1 else np.hstack(columns)
