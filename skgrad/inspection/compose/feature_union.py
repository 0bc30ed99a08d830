"""FeatureUnion: all parts see all columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import FeatureUnion

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, rule
from skgrad.inspection.chain.columns import width
from skgrad.inspection.compose.column_transformer import side_by_side, weighted


@rule(FeatureUnion)
def feature_union(step: Any, X: Any, walk: Walk) -> Local:
    """Walk into every part and add up what they send back."""
    weights, locals_ = step.transformer_weights or {}, []
    for name, transformer in step.transformer_list:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        local = walk.into(name).transform(transformer, X)
        locals_.append(weighted(local, weights.get(name)))
    ends = np.cumsum([width(local.value) for local in locals_])
    n_in = width(X)

    def pull(cotangent: FloatArray) -> FloatArray:
        parts = np.split(cotangent, ends[:-1], axis=1)
        pulled = [local.pull(part) for local, part in zip(locals_, parts, strict=True)]
        return np.sum(pulled, axis=0) if pulled else np.zeros((len(cotangent), n_in))

    one = 0 if n_in == 1 else -1
    sources = [
        np.full(width(local.value), one) if local.sources is None else local.sources
        for local in locals_
    ]
    values = [local.value for local in locals_]
    return Local(
        side_by_side(values, X, as_sparse=any(sparse.issparse(value) for value in values)),
        pull,
        np.concatenate([np.empty(0, dtype=np.intp), *sources]),
        affine=all(local.affine for local in locals_),
    )
