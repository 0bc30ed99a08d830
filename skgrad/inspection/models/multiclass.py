"""Classifiers made of binary ones, and wrappers that move their thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier

from skgrad.inspection.chain import Local, Walk, linked, rule
from skgrad.inspection.chain.columns import is_frame, width
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.links import IDENTITY, Shares, Votes
from skgrad.inspection.models.parts import beside, concrete, mixed, on_columns

SECOND = np.array([[0.0, 1.0]])


@rule(OneVsRestClassifier)
def one_vs_rest(estimator: Any, X: Any, walk: Walk) -> Local:
    """Put scores side by side; probabilities are divided by their sum."""
    walk = concrete(walk, estimator)
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    parts = estimator.estimators_
    locals_ = [walk.into(str(k)).respond(part, X) for k, part in enumerate(parts)]
    if len(parts) == 1:
        return locals_[0]
    if walk.response == "decision_function":
        return beside(locals_, width(X))
    local = beside([mixed(part, SECOND) for part in locals_], width(X))
    return local if estimator.multilabel_ else linked(local, Shares(IDENTITY))


@rule(OneVsOneClassifier)
def one_vs_one(estimator: Any, X: Any, walk: Walk) -> Local:
    """Differentiate the confidence in the scores, beside which votes are constant."""
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    parts, columns = estimator.estimators_, estimator.pairwise_indices_
    if columns is not None or not all(hasattr(part, "decision_function") for part in parts):
        reason = "compares probabilities or kernel matrices of pairs, which has no rule"
        return walk.difference(estimator, X, reason)
    X = X.to_numpy() if is_frame(X) else X
    inside = walk.asking("decision_function")
    every = np.arange(width(X))
    margins = beside(
        [on_columns(part, X, every, inside.into(str(k))) for k, part in enumerate(parts)], width(X)
    )
    scores = linked(margins, Votes(len(estimator.classes_)))
    return mixed(scores, SECOND) if len(estimator.classes_) == 2 else scores


@rule(FixedThresholdClassifier, TunedThresholdClassifierCV)
def threshold(estimator: Any, X: Any, walk: Walk) -> Local:
    """Go on into the classifier whose labels are cut elsewhere."""
    return walk.into("estimator_").respond(estimator.estimator_, X)
