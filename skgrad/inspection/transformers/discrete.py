"""Steps whose output jumps: a slope of zero would say that nothing depends on their input."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import (
    RandomTreesEmbedding,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.preprocessing import Binarizer, KBinsDiscretizer

from skgrad.inspection.chain import Local, Walk, transform_rule


@transform_rule(KBinsDiscretizer, Binarizer, RandomTreesEmbedding)
def discretizer(step: Any, X: Any, walk: Walk) -> Local:
    """Refuse, or stand differences in."""
    return walk.difference(step, X, "is piecewise constant: its gradient is 0 almost everywhere")


@transform_rule(VotingClassifier, VotingRegressor, StackingClassifier, StackingRegressor)
def predictions(step: Any, X: Any, walk: Walk) -> Local:
    """Refuse: what they give as transformers is not the response that their rules are about."""
    return walk.difference(step, X, "has no rule for the derivative of its transform")
