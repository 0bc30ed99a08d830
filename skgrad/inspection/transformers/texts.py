"""Vectorisers of texts and of other things that are no numbers: the chain ends there."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import take_rows


@transform_rule(CountVectorizer, HashingVectorizer, DictVectorizer, FeatureHasher)
def vectorizer(step: Any, X: Any, walk: Walk) -> Local:
    """Give all outputs to the one column of texts."""
    n_outputs = step.transform(take_rows(X, slice(0, 1))).shape[1]
    return walk.leaf(step, X, np.zeros(n_outputs, dtype=np.intp), 1)
