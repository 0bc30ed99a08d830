"""One predictor for each output, side by side or one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)

from skgrad._typing import IntArray
from skgrad.inspection.chain import SEVERAL, Local, Response, Walk, rule
from skgrad.inspection.chain.columns import numbers, width
from skgrad.inspection.models.multiclass import SECOND
from skgrad.inspection.models.parts import beside, concrete, mixed


@rule(MultiOutputRegressor)
def regressors(estimator: Any, X: Any, walk: Walk) -> Local:
    """Put predictions side by side."""
    parts = enumerate(estimator.estimators_)
    return beside([walk.into(str(k)).respond(part, X) for k, part in parts], width(X))


@rule(MultiOutputClassifier)
def classifiers(estimator: Any, X: Any, walk: Walk) -> Local:
    """Put the responses of all outputs side by side, each with a column per class."""
    if walk.response == "raw":
        walk = concrete(walk, estimator.estimators_[0])
    return regressors(estimator, X, walk)


@rule(ClassifierChain, RegressorChain)
def chain(estimator: Any, X: Any, walk: Walk) -> Local:
    """Feed what is predicted so far to the next predictor."""
    n_in = width(X)
    method: Response = getattr(estimator, "chain_method_", "predict")
    if isinstance(estimator, ClassifierChain):
        walk = concrete(walk, estimator)
    seen = Local(numbers(X), lambda cotangent: cotangent, affine=True)
    answers: list[Local] = []
    for k, part in enumerate(estimator.estimators_):
        inside = walk.into(str(k), np.full(n_in + k, SEVERAL))
        answers.append(_of_second(inside.respond(part, seen.value), walk).after(seen))
        if k + 1 < len(estimator.estimators_):
            feature = inside.asking(method)
            passed = (
                answers[-1]
                if method == walk.response
                else (_of_second(feature.respond(part, seen.value), feature).after(seen))
            )
            seen = beside([seen, passed], n_in)
    return _reordered(beside(answers, n_in), np.argsort(estimator.order_))


def _of_second(local: Local, walk: Walk) -> Local:
    """Keep the probability of the second of two classes, as chains do."""
    binary = walk.response in ("predict_proba", "predict_log_proba")
    return mixed(local, SECOND) if binary and local.value.shape[1] == 2 else local


def _reordered(local: Local, order: IntArray) -> Local:
    return mixed(local, np.eye(len(order))[order])
