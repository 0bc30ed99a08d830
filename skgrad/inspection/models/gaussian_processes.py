"""Gaussian processes: K(x, training points) times weights; for classes, a variance as well."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import erf
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.multiclass import OneVsRestClassifier

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, linked, rule
from skgrad.inspection.chain.columns import dense
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.links import IDENTITY, LOG, Shares
from skgrad.inspection.models.parts import COMPLEMENT, COMPLEMENT_SHIFT, beside, in_blocks, mixed
from skgrad.inspection.models.process_kernels import diagonal_pull, evaluate
from skgrad.inspection.models.support_vectors import machine

UNKNOWN_KERNEL = "has a kernel whose derivative is not known"
# The logistic function as a sum of error functions (Williams and Barber 1998, appendix A), with the
# numbers of scikit-learn.
WIDTHS = np.array([0.41, 0.4, 0.37, 0.44, 0.39])
HEIGHTS = np.array([-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654])


@rule(GaussianProcessRegressor)
def regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the posterior mean."""
    if not hasattr(estimator, "X_train_"):
        walk.refuse(estimator, "is not fitted, so that its mean is 0")
    unit, center = target_moments(estimator)
    weights = np.atleast_2d(estimator.alpha_.T) * np.reshape(unit, (-1, 1))
    kernel, points = estimator.kernel_, estimator.X_train_
    local = machine(lambda rows: evaluate(kernel, rows, points), dense(X), weights, center)
    return walk.difference(estimator, X, UNKNOWN_KERNEL) if local is None else local


def target_moments(estimator: Any) -> tuple[FloatArray, FloatArray]:
    """Read what the targets were normalised by, which has no public name."""
    return np.atleast_1d(estimator._y_train_std), np.atleast_1d(estimator._y_train_mean)


@rule(GaussianProcessClassifier)
def classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with probabilities by Laplace's approximation, each class against the rest."""
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    base = estimator.base_estimator_
    several = len(estimator.classes_) > 2
    if several and not isinstance(base, OneVsRestClassifier):
        walk.refuse(estimator, 'has no probabilities with multi_class="one_vs_one"')
    rows = dense(X)
    parts = []
    for part in base.estimators_ if several else [base]:
        if evaluate(part.kernel_, rows[:1], rows[:1]) is None:
            return walk.difference(estimator, X, UNKNOWN_KERNEL)
        n_bytes = 4 * 8 * len(part.X_train_)
        parts.append(in_blocks(partial(_positive, part), rows, n_bytes))
    if several:
        local = linked(beside(parts, rows.shape[1]), Shares(IDENTITY))
    else:
        local = mixed(parts[0], COMPLEMENT, COMPLEMENT_SHIFT)
    return linked(local, LOG) if walk.response == "predict_log_proba" else local


def _positive(process: Any, X: FloatArray) -> Local:
    r"""Compute the probability of the positive class of one binary process.

    .. math:: p = \frac{1}{2} \sum_k h_k \Big(1 + erf\big(w_k m (1 + 2 w_k^2 v)^{-1/2}\big)\Big)

    with mean m and variance v of the latent function.

    References
    ----------
    C. Rasmussen and C. Williams (2006). Gaussian processes for machine learning. MIT Press,
    algorithm 3.2.
    """
    kernel = evaluate(process.kernel_, X, process.X_train_)
    assert kernel is not None
    weights, root = process.y_train_ - process.pi_, process.W_sr_
    mean = kernel.value @ weights
    solved = solve_triangular(process.L_, root[:, None] * kernel.value.T, lower=True)
    variance = process.kernel_.diag(X) - np.einsum("sn,sn->n", solved, solved)
    shrunk = 1.0 / np.sqrt(1.0 + 2.0 * np.outer(variance, WIDTHS**2))
    argument = WIDTHS * mean[:, None] * shrunk
    value = 0.5 * (erf(argument) @ HEIGHTS + HEIGHTS.sum())

    def pull(cotangent: FloatArray) -> FloatArray:
        bell = HEIGHTS * np.exp(-np.square(argument)) / np.sqrt(np.pi) * cotangent
        slope_mean = (bell * WIDTHS * shrunk).sum(axis=1)
        slope_variance = -(bell * argument * np.square(WIDTHS * shrunk)).sum(axis=1)
        back = root[:, None] * solve_triangular(process.L_, solved, lower=True, trans="T")
        pulled = kernel.pull(np.outer(slope_mean, weights) - 2.0 * slope_variance[:, None] * back.T)
        return pulled + diagonal_pull(process.kernel_, X, slope_variance)

    return Local(value[:, None], pull)
