"""Support vector machines and kernel ridge regression: K(x, support vectors) times weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Kernel as ProcessKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, linked, rule
from skgrad.inspection.chain.columns import dense, numbers
from skgrad.inspection.models.kernels import Kernel, named
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.links import Votes
from skgrad.inspection.models.process_kernels import evaluate


def machine(kernel: Kernel, weights: FloatArray, shift: FloatArray | float) -> Local:
    """Weight the values of a kernel; ``weights`` has shape (n_outputs, n_points)."""
    return Local(kernel.value @ weights.T + shift, lambda c: kernel.pull(c @ weights))


@rule(SVR, NuSVR, OneClassSVM)
def one_output(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with predictions of a regressor, or scores of an outlier detector."""
    if walk.response == "predict" and isinstance(estimator, OneClassSVM):
        walk.refuse(estimator, NO_LABELS)
    weights = dense(estimator.dual_coef_)
    return machine(_svm_kernel(estimator, X, walk), weights, estimator.intercept_)


@rule(SVC, NuSVC)
def classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with the margins of pairs of classes, or with the scores made of them."""
    if walk.response in ("predict_proba", "predict_log_proba"):
        walk.refuse(
            estimator,
            "has probabilities by libsvm's Platt scaling, which scikit-learn deprecated; put"
            " CalibratedClassifierCV around it",
        )
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    kernel, n_classes = _svm_kernel(estimator, X, walk), len(estimator.classes_)
    if n_classes == 2:
        return machine(kernel, dense(estimator.dual_coef_), estimator.intercept_)
    weights = pair_weights(estimator)
    if estimator.decision_function_shape == "ovo":
        return machine(kernel, weights, estimator.intercept_)
    return linked(machine(kernel, -weights, -estimator.intercept_), Votes(n_classes))


def pair_weights(estimator: Any) -> FloatArray:
    """Sort the dual coefficients by pairs of classes, shape (n_pairs, n_support_vectors).

    ``dual_coef_`` holds for a support vector of class i its coefficients against the other classes
    in ascending order.
    """
    dual, ends = dense(estimator.dual_coef_), np.cumsum([0, *estimator.n_support_])
    classes = [slice(*ends[k : k + 2]) for k in range(len(ends) - 1)]
    pairs = zip(*np.triu_indices(len(classes), 1), strict=True)
    weights = np.zeros((len(estimator.intercept_), dual.shape[1]))
    for row, (i, j) in zip(weights, pairs, strict=True):
        row[classes[i]] = dual[j - 1, classes[i]]
        row[classes[j]] = dual[i, classes[j]]
    return weights


@rule(KernelRidge)
def kernel_ridge(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with predictions."""
    points, data = estimator.X_fit_, numbers(X)
    kernel: Kernel | None = None
    if isinstance(estimator.kernel, ProcessKernel):
        kernel = evaluate(estimator.kernel, dense(data), points)
    elif isinstance(estimator.kernel, str):
        kernel = named(
            estimator.kernel, data, points, gamma=estimator.gamma, coef0=estimator.coef0,
            degree=estimator.degree,
        )  # fmt: skip
    if kernel is None:
        return _unknown(estimator, X, walk)
    return machine(kernel, np.atleast_2d(estimator.dual_coef_.T), 0.0)


def _svm_kernel(estimator: Any, X: Any, walk: Walk) -> Kernel:
    points = estimator.support_vectors_
    kernel = None
    if isinstance(estimator.kernel, str):
        kernel = named(
            estimator.kernel, numbers(X), points, gamma=fitted_gamma(estimator),
            coef0=estimator.coef0, degree=estimator.degree,
        )  # fmt: skip
    if kernel is None:
        walk.refuse(estimator, f"has kernel={estimator.kernel!r}, whose derivative is not known")
    return kernel


def _unknown(estimator: Any, X: Any, walk: Walk) -> Local:
    reason = f"has kernel={estimator.kernel!r}, whose derivative is not known"
    return walk.difference(estimator, X, reason)


def fitted_gamma(estimator: Any) -> float:
    """Read the gamma that "scale" and "auto" came to, which has no public name."""
    return float(estimator._gamma)
