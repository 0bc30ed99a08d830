"""Models without a derivative that would mean anything, and models that are constant."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.multiclass import OutputCodeClassifier, _ConstantPredictor
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skgrad.inspection.chain import Local, Walk, rule
from skgrad.inspection.chain.columns import width
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.parts import concrete, constant


@rule(
    DecisionTreeClassifier, DecisionTreeRegressor, RandomForestClassifier, RandomForestRegressor,
    ExtraTreesClassifier, ExtraTreesRegressor, GradientBoostingClassifier,
    GradientBoostingRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor,
    IsolationForest,
)  # fmt: skip
def trees(estimator: Any, X: Any, walk: Walk) -> Local:
    """Refuse: a slope of zero almost everywhere would say that nothing depends on the input."""
    reason = "is made of trees and piecewise constant: its gradient is 0 almost everywhere"
    return walk.difference(estimator, X, reason)


@rule(
    KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier, RadiusNeighborsRegressor
)
def neighbours(estimator: Any, X: Any, walk: Walk) -> Local:
    """Refuse: predictions jump where the set of neighbours changes."""
    return walk.difference(estimator, X, "jumps where the set of neighbours changes")


@rule(AdaBoostClassifier, AdaBoostRegressor)
def boosted_votes(estimator: Any, X: Any, walk: Walk) -> Local:
    """Refuse: votes for labels, and weighted medians, jump."""
    return walk.difference(estimator, X, "counts votes or takes a median, and jumps between them")


@rule(OutputCodeClassifier, CategoricalNB)
def discrete(estimator: Any, X: Any, walk: Walk) -> Local:
    """Refuse: codes are discrete."""
    return walk.difference(estimator, X, "knows codes only, and is piecewise constant")


@rule(DummyRegressor, DummyClassifier, _ConstantPredictor)
def dummy(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer the same everywhere, so that a slope of zero is the truth."""
    if getattr(estimator, "strategy", None) == "stratified":
        walk.refuse(estimator, "answers at random")
    if walk.response == "predict" and hasattr(estimator, "predict_proba"):
        walk.refuse(estimator, NO_LABELS)
    value = concrete(walk, estimator).output(estimator, X)
    return constant(np.asarray(value, dtype=np.float64), width(X))
