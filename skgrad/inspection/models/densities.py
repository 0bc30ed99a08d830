"""Classifiers made of densities: naive Bayes, quadratic discriminants, mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, linked, rule
from skgrad.inspection.chain.columns import dense
from skgrad.inspection.models.linear import NO_LABELS, classify
from skgrad.inspection.models.links import LogSoftmax, Softmax
from skgrad.inspection.models.parts import mixed


def log_odds(joint: Local) -> Local:
    """Reduce the joint log-likelihoods of two classes to their difference."""
    return mixed(joint, np.array([[-1.0, 1.0]])) if joint.value.shape[1] == 2 else joint


def quadratics(
    X: FloatArray, centers: FloatArray, precisions: Sequence[FloatArray], shift: FloatArray
) -> Local:
    r"""Evaluate :math:`c_k - \frac{1}{2} (x - m_k)' P_k (x - m_k)`.

    A precision of shape (n_features,) is a diagonal.
    """

    def times(precision: FloatArray, rows: FloatArray) -> FloatArray:
        return rows * precision if precision.ndim == 1 else rows @ precision

    value = np.empty((len(X), len(centers)))
    for k, (center, precision) in enumerate(zip(centers, precisions, strict=True)):
        rows = X - center
        value[:, k] = shift[k] - 0.5 * np.einsum("ni,ni->n", rows, times(precision, rows))

    def pull(cotangent: FloatArray) -> FloatArray:
        pulled = np.zeros_like(X)
        for k, (center, precision) in enumerate(zip(centers, precisions, strict=True)):
            pulled -= cotangent[:, k, None] * times(precision, X - center)
        return pulled

    return Local(value, pull)


@rule(GaussianNB)
def gaussian_naive_bayes(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with joint log-likelihoods, their difference for two classes, or probabilities."""
    variances = estimator.var_
    shift = np.log(estimator.class_prior_) - 0.5 * np.log(2.0 * np.pi * variances).sum(axis=1)
    joint = quadratics(dense(X), estimator.theta_, list(1.0 / variances), shift)
    return classify(estimator, log_odds(joint), walk)


@rule(MultinomialNB, ComplementNB)
def counting_naive_bayes(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with joint log-likelihoods, which are linear in the counts, or probabilities."""
    return classify(estimator, log_odds(_linear(estimator, X, estimator.feature_log_prob_)), walk)


@rule(BernoulliNB)
def bernoulli_naive_bayes(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer as for counts, unless the columns are cut into zeros and ones."""
    if estimator.binarize is not None:
        reason = f"cuts its columns at binarize={estimator.binarize}, and is piecewise constant"
        return walk.difference(estimator, X, reason)
    present = estimator.feature_log_prob_
    slopes = present - np.log1p(-np.exp(present))
    return classify(estimator, log_odds(_linear(estimator, X, slopes)), walk)


@rule(QuadraticDiscriminantAnalysis)
def quadratic_discriminants(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with log posteriors up to a constant, their difference for two, or probabilities."""
    spreads = zip(estimator.rotations_, estimator.scalings_, strict=True)
    precisions = [(rotation / scaling) @ rotation.T for rotation, scaling in spreads]
    determinants = np.array([np.log(scaling).sum() for scaling in estimator.scalings_])
    shift = np.log(estimator.priors_) - 0.5 * determinants
    joint = quadratics(dense(X), estimator.means_, precisions, shift)
    return classify(estimator, log_odds(joint), walk)


@rule(GaussianMixture)
def gaussian_mixture(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the probabilities of the components."""
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    n_features = estimator.means_.shape[1]
    precisions = [_full(estimator, k, n_features) for k in range(len(estimator.means_))]
    shift = np.log(estimator.weights_) + 0.5 * np.array([_log_det(p) for p in precisions])
    joint = quadratics(dense(X), estimator.means_, precisions, shift)
    if walk.response == "raw":
        return joint
    return linked(joint, Softmax() if walk.response == "predict_proba" else LogSoftmax())


def _linear(estimator: Any, X: Any, slopes: FloatArray) -> Local:
    value = np.asarray(estimator.predict_joint_log_proba(X), dtype=np.float64)
    return Local(value, lambda cotangent: cotangent @ slopes, affine=True)


def _full(estimator: Any, k: int, n_features: int) -> FloatArray:
    """Bring the precision of a component into a form that `quadratics` takes."""
    kind, precisions = estimator.covariance_type, estimator.precisions_
    if kind == "spherical":
        return np.full(n_features, precisions[k])
    return np.asarray(precisions if kind == "tied" else precisions[k])


def _log_det(precision: FloatArray) -> float:
    if precision.ndim == 1:
        return float(np.log(precision).sum())
    return float(np.linalg.slogdet(precision)[1])
