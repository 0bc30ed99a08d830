"""Selectors of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_selection import RFE, SelectorMixin

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, rule, transform_rule


@transform_rule(SelectorMixin, RFE)
def selector(step: Any, X: Any, walk: Walk) -> Local:
    """Leave columns out."""
    mask = step.get_support()
    support = np.flatnonzero(mask)

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((len(cotangent), len(mask)))
        total[:, support] = cotangent
        return total

    return Local(step.transform(X), pull, support, affine=True)


@rule(RFE)
def recursive_elimination(step: Any, X: Any, walk: Walk) -> Local:
    """Predict from the columns that are left."""
    selected = selector(step, X, walk)
    inside = walk.into("estimator_", walk.past(selected))
    return inside.respond(step.estimator_, selected.value).after(selected)
