"""Linear models: raw predictions X coef' + intercept, and a link."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.linear_model import (
    GammaRegressor,
    RANSACRegressor,
    SGDClassifier,
    SGDOneClassSVM,
    TweedieRegressor,
)
from sklearn.linear_model import PoissonRegressor as SklearnPoissonRegressor
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.linear_model._stochastic_gradient import BaseSGDRegressor

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Link, Local, Walk, linked, rule
from skgrad.inspection.chain.columns import numbers
from skgrad.inspection.models.links import (
    CLASS_LINKS,
    EXP,
    RAMP,
    SIGMOID,
    Logarithm,
    Shares,
    TwoClasses,
)
from skgrad.inspection.models.losses import UNKNOWN, link_of
from skgrad.linear_model import PoissonRegressor
from skgrad.linear_model._regressor import LinearRegressor, LossRegressor

NO_LABELS = "predicts labels, which are piecewise constant"


def linear(estimator: Any, X: Any) -> Local:
    """Compute X coef' + intercept, shape (n_samples, n_outputs)."""
    coef = coefficients(estimator)
    value: FloatArray = np.asarray(numbers(X) @ coef.T) + np.atleast_1d(estimator.intercept_)
    return Local(value, lambda cotangent: cotangent @ coef, affine=True)


def coefficients(estimator: Any) -> FloatArray:
    """Return the coefficients, shape (n_outputs, n_features), in float64."""
    coef = estimator.coef_.toarray() if sparse.issparse(estimator.coef_) else estimator.coef_
    return np.atleast_2d(np.asarray(coef, dtype=np.float64))


def classify(estimator: Any, raw: Local, walk: Walk) -> Local:
    """Answer for a classifier whose probabilities are a sigmoid or a softmax of its scores."""
    if walk.response in ("raw", "decision_function"):
        return raw
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    return linked(raw, CLASS_LINKS[walk.response, raw.value.shape[1] == 1])


@rule(LinearClassifierMixin)
def linear_classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with scores, or with probabilities if there are any."""
    if walk.response != "raw" and not hasattr(estimator, walk.response):
        walk.refuse(estimator, f"has no method {walk.response}")
    return classify(estimator, linear(estimator, X), walk)


@rule(SGDClassifier)
def sgd_classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with scores, or with probabilities: each class against the rest."""
    if walk.response not in ("predict_proba", "predict_log_proba"):
        return linear_classifier(estimator, X, walk)
    raw, each = linear(estimator, X), SIGMOID if estimator.loss == "log_loss" else RAMP
    if raw.value.shape[1] > 1:
        link: Link = Shares(each)
    else:
        link = TwoClasses(each)
    return linked(raw, link if walk.response == "predict_proba" else Logarithm(link))


@rule(LinearModel, LinearRegressor, BaseSGDRegressor)
def regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the linear predictor."""
    return linear(estimator, X)


@rule(LossRegressor)
def loss_regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the linear predictor, behind the link that its loss has."""
    raw, link = linear(estimator, X), link_of(estimator._loss())
    if walk.response == "raw" or link is None:
        return raw
    return linked(raw, link) if isinstance(link, Link) else walk.difference(estimator, X, UNKNOWN)


@rule(PoissonRegressor, SklearnPoissonRegressor, GammaRegressor)
def log_link(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the exponential of the linear predictor."""
    raw = linear(estimator, X)
    return raw if walk.response == "raw" else linked(raw, EXP)


@rule(TweedieRegressor)
def tweedie(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the mean: the link is the identity for powers up to 0, unless it is given."""
    automatic = "identity" if estimator.power <= 0 else "log"
    link = automatic if estimator.link == "auto" else estimator.link
    return linear(estimator, X) if link == "identity" else log_link(estimator, X, walk)


@rule(PLSRegression, PLSCanonical, CCA)
def partial_least_squares(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the linear predictor; its intercept belongs to centred columns."""
    coef, value = coefficients(estimator), np.asarray(estimator.predict(X), dtype=np.float64)
    return Local(value.reshape(len(value), -1), lambda c: c @ coef, affine=True)


@rule(SGDOneClassSVM)
def one_class(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the signed distance from the border."""
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    coef = coefficients(estimator)
    value = np.asarray(estimator.decision_function(X), dtype=np.float64)[:, None]
    return Local(value, lambda cotangent: cotangent @ coef, affine=True)


@rule(RANSACRegressor)
def ransac(estimator: Any, X: Any, walk: Walk) -> Local:
    """Go on into the regressor that was fitted to the inliers."""
    return walk.into("estimator_").respond(estimator.estimator_, X)
