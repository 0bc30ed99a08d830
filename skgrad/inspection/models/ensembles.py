"""Ensembles: averages of predictors, and predictors of predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)

from skgrad._typing import FloatArray
from skgrad.inspection.chain import SEVERAL, Local, Walk, rule
from skgrad.inspection.chain.columns import dense, is_frame, width
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.parts import (
    averaged,
    beside,
    concrete,
    log_averaged,
    mixed,
    on_columns,
    placed,
)


@rule(VotingRegressor)
def voting_regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Average predictions."""
    walk = walk.asking("predict")
    locals_ = [walk.into(name).respond(part, X) for name, part in _parts(estimator)]
    return averaged(locals_, _kept_weights(estimator))


@rule(VotingClassifier)
def voting_classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Average probabilities; counts of votes jump."""
    if estimator.voting == "hard" or walk.response == "predict":
        return walk.difference(estimator, X, "counts votes for labels, and is piecewise constant")
    walk = walk.asking("predict_proba")
    locals_ = [walk.into(name).respond(part, X) for name, part in _parts(estimator)]
    return averaged(locals_, _kept_weights(estimator))


def _parts(estimator: Any) -> list[tuple[str, Any]]:
    """List names and fitted estimators, without those that are dropped."""
    names = [name for name, part in estimator.estimators if part != "drop"]
    return list(zip(names, estimator.estimators_, strict=True))


def _kept_weights(estimator: Any) -> list[float] | None:
    if estimator.weights is None:
        return None
    pairs = zip(estimator.estimators, estimator.weights, strict=True)
    return [weight for (_, part), weight in pairs if part != "drop"]


@rule(BaggingRegressor)
def bagging_regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Average predictions, each of some of the columns."""
    return averaged(_bagged(estimator, X, walk.asking("predict")))


@rule(BaggingClassifier)
def bagging_classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Average scores or probabilities, each of some of the columns."""
    walk = concrete(walk, estimator)
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    parts = estimator.estimators_
    if walk.response == "decision_function":
        if len({len(part.classes_) for part in parts}) > 1:
            walk.refuse(estimator, "has no scores: some of its parts have not seen all classes")
        return averaged(_bagged(estimator, X, walk))
    if not all(hasattr(part, "predict_proba") for part in parts):
        return walk.difference(estimator, X, "counts votes for labels, and is piecewise constant")
    logarithms = walk.response == "predict_log_proba"
    missing, n_classes = -np.inf if logarithms else 0.0, len(estimator.classes_)
    spread = [
        placed(local, np.asarray(part.classes_, dtype=np.intp), n_classes, missing)
        for local, part in zip(_bagged(estimator, X, walk), parts, strict=True)
    ]
    return log_averaged(spread) if logarithms else averaged(spread)


def _bagged(estimator: Any, X: Any, walk: Walk) -> list[Local]:
    X = X.to_numpy() if is_frame(X) else X
    pairs = zip(estimator.estimators_, estimator.estimators_features_, strict=True)
    return [
        on_columns(part, X, np.asarray(columns), walk.into(str(k)))
        for k, (part, columns) in enumerate(pairs)
    ]


@rule(StackingRegressor, StackingClassifier)
def stacking(estimator: Any, X: Any, walk: Walk) -> Local:
    """Feed the responses of some predictors, and maybe their input, to the final one."""
    n_in = width(X)
    locals_ = [
        _stacked(estimator, walk.asking(method).into(name).respond(part, X), method)
        for (name, part), method in zip(_parts(estimator), estimator.stack_method_, strict=True)
    ]
    if estimator.passthrough:
        data = X if sparse.issparse(X) else dense(X)
        locals_.append(Local(data, lambda cotangent: cotangent, affine=True))
    first = beside(locals_, n_in)
    sources = np.full(width(first.value), SEVERAL)
    inside = walk.into("final_estimator_", sources)
    return inside.respond(estimator.final_estimator_, first.value).after(first)


def _stacked(estimator: Any, local: Local, method: str) -> Local:
    """Leave out the probability of the first of two classes."""
    binary = method == "predict_proba" and len(estimator.classes_) == 2
    second: FloatArray = np.array([[0.0, 1.0]])
    return mixed(local, second) if binary else local
