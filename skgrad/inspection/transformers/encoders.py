"""Encoders of categories: the chain ends there, and their outputs are variables."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from skgrad._typing import IntArray
from skgrad.inspection.chain import Local, Walk, rule


@rule(OneHotEncoder)
def one_hot_encoder(step: Any, X: Any, walk: Walk) -> Local:
    """Give each indicator to the column that it belongs to."""
    return walk.leaf(step, X, one_hot_owners(step), step.n_features_in_)


@rule(OrdinalEncoder, TargetEncoder)
def number_encoder(step: Any, X: Any, walk: Walk) -> Local:
    """Give each number to its column; there is one for each class where several are predicted."""
    n_in, n_each = step.n_features_in_, 1
    if isinstance(step, TargetEncoder) and step.target_type_ == "multiclass":
        n_each = len(step.classes_)
    return walk.leaf(step, X, np.repeat(np.arange(n_in), n_each), n_in)


def one_hot_owners(step: Any) -> IntArray:
    """Find the input column of each indicator, whatever is dropped or pooled as infrequent.

    The names of the outputs tell, without parsing: they are made of the names of the columns by a
    function that may be exchanged.
    """
    names = getattr(step, "feature_names_in_", [f"x{j}" for j in range(step.n_features_in_)])
    number = {name: j for j, name in enumerate(names)}
    owners: list[int] = []

    def record(name: str, category: Any) -> str:
        owners.append(number.get(name, -1))
        return f"{name}_{len(owners)}"

    copy(step).set_params(feature_name_combiner=record).get_feature_names_out()
    # scikit-learn tries the function once, on a name of its own, before it uses it.
    return np.asarray(owners[1:], dtype=np.intp)
