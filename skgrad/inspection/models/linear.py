"""Linear models: raw predictions X coef' + intercept, and a link."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, linked, rule
from skgrad.inspection.models.links import CLASS_LINKS, EXP
from skgrad.linear_model import LinearSVC, LogisticRegression, PoissonRegressor
from skgrad.linear_model._regressor import LinearRegressor


def linear(estimator: Any, X: Any) -> Local:
    """Compute X coef' + intercept, shape (n_samples, n_outputs)."""
    coef = estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else estimator.coef_
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    value: FloatArray = np.asarray(X @ coef.T) + np.atleast_1d(estimator.intercept_)
    return Local(value, lambda cotangent: cotangent @ coef, affine=True)


def classify(estimator: Any, raw: Local, walk: Walk) -> Local:
    """Answer for a classifier whose probabilities are a sigmoid or a softmax of its scores."""
    if walk.response in ("raw", "decision_function"):
        return raw
    if walk.response == "predict":
        walk.refuse(estimator, "predicts labels, which are piecewise constant")
    return linked(raw, CLASS_LINKS[walk.response, raw.value.shape[1] == 1])


@rule(LogisticRegression, SklearnLogisticRegression)
def logistic_regression(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with scores, or with probabilities."""
    return classify(estimator, linear(estimator, X), walk)


@rule(LinearRegressor)
def regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the linear predictor."""
    return linear(estimator, X)


@rule(PoissonRegressor)
def log_link(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the exponential of the linear predictor."""
    raw = linear(estimator, X)
    return raw if walk.response == "raw" else linked(raw, EXP)


@rule(LinearSVC)
def linear_svc(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with scores: there are no probabilities."""
    if walk.response not in ("raw", "decision_function"):
        walk.refuse(estimator, f"has scores only, and no derivative of {walk.response}")
    return linear(estimator, X)
