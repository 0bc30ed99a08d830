"""Encoders of categories: the chain ends there, and their outputs are variables."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.preprocessing import Binarizer, KBinsDiscretizer, OneHotEncoder

from skgrad._typing import IntArray
from skgrad.inspection.chain import Local, Walk, rule


@rule(OneHotEncoder)
def one_hot_encoder(step: Any, X: Any, walk: Walk) -> Local:
    """Give each indicator to the column that it belongs to."""
    return walk.leaf(step, X, one_hot_owners(step), step.n_features_in_)


@rule(KBinsDiscretizer, Binarizer)
def discretizer(step: Any, X: Any, walk: Walk) -> Local:
    """Refuse: a slope of zero almost everywhere would say that nothing depends on the input."""
    return walk.difference(step, X, "is piecewise constant: its gradient is 0 almost everywhere")


def one_hot_owners(step: Any) -> IntArray:
    """Find the input column of each indicator, whatever is dropped or pooled as infrequent.

    The names of the outputs tell, without parsing: they are made of the names of the columns by a
    function that may be exchanged.
    """
    names = getattr(step, "feature_names_in_", [f"x{j}" for j in range(step.n_features_in_)])
    number = {name: j for j, name in enumerate(names)}
    owners: list[int] = []

    def record(name: str, category: Any) -> str:
        if name in number:  # scikit-learn first tries the function on a name of its own
            owners.append(number[name])
        return f"{name}_{len(owners)}"

    copy(step).set_params(feature_name_combiner=record).get_feature_names_out()
    return np.asarray(owners, dtype=np.intp)
