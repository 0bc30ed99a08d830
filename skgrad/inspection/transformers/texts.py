"""Vectorisers of texts and of other things that are no numbers: the chain ends there."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from skgrad.inspection.chain import Local, Walk, transform_rule


@transform_rule(CountVectorizer, HashingVectorizer, DictVectorizer, FeatureHasher)
def vectorizer(step: Any, X: Any, walk: Walk) -> Local:
    """Give all outputs to the one column of texts."""
    value = step.transform(X)
    return walk.leaf(step, value, np.zeros(value.shape[1], dtype=np.intp), 1)
