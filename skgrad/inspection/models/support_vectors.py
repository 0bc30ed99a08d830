"""Support vector machines and kernel ridge regression: K(x, support vectors) times weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

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
from skgrad.inspection.models.parts import in_blocks
from skgrad.inspection.models.process_kernels import evaluate

Evaluate: TypeAlias = Callable[[Any], Kernel | None]


def machine(
    evaluate: Evaluate, X: Any, weights: FloatArray, shift: FloatArray | float
) -> Local | None:
    """Weight the values of a kernel; None if its derivative is not known.

    ``evaluate`` takes some rows; ``weights`` has shape (n_outputs, n_points).
    """
    rows = numbers(X)
    if evaluate(rows[:1]) is None:
        return None

    def one(block: Any) -> Local:
        kernel = evaluate(block)
        assert kernel is not None
        return Local(kernel.value @ weights.T + shift, lambda c: kernel.pull(c @ weights))

    return in_blocks(one, rows, 2 * 8 * weights.shape[1])


@rule(SVR, NuSVR, OneClassSVM)
def one_output(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with predictions of a regressor, or scores of an outlier detector."""
    if walk.response == "predict" and isinstance(estimator, OneClassSVM):
        walk.refuse(estimator, NO_LABELS)
    return _svm(estimator, X, walk, dense(estimator.dual_coef_), estimator.intercept_)


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
    n_classes, shift = len(estimator.classes_), estimator.intercept_
    if n_classes == 2:
        return _svm(estimator, X, walk, dense(estimator.dual_coef_), shift)
    weights = pair_weights(estimator)
    if estimator.decision_function_shape == "ovo":
        return _svm(estimator, X, walk, weights, shift)
    return linked(_svm(estimator, X, walk, -weights, -shift), Votes(n_classes))


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
    points = estimator.X_fit_

    def evaluated(rows: Any) -> Kernel | None:
        if isinstance(estimator.kernel, ProcessKernel):
            return evaluate(estimator.kernel, dense(rows), points)
        return _named(estimator, rows, points, estimator.gamma)

    local = machine(evaluated, X, np.atleast_2d(estimator.dual_coef_.T), 0.0)
    return walk.difference(estimator, X, _unknown(estimator)) if local is None else local


def _svm(estimator: Any, X: Any, walk: Walk, weights: FloatArray, shift: FloatArray) -> Local:
    points, gamma = estimator.support_vectors_, fitted_gamma(estimator)
    local = machine(lambda rows: _named(estimator, rows, points, gamma), X, weights, shift)
    return walk.difference(estimator, X, _unknown(estimator)) if local is None else local


def _named(estimator: Any, rows: Any, points: Any, gamma: float | None) -> Kernel | None:
    if not isinstance(estimator.kernel, str):
        return None
    return named(
        estimator.kernel, rows, points, gamma=gamma, coef0=estimator.coef0, degree=estimator.degree
    )


def _unknown(estimator: Any) -> str:
    return f"has kernel={estimator.kernel!r}, whose derivative is not known"


def fitted_gamma(estimator: Any) -> float:
    """Read the gamma that "scale" and "auto" came to, which has no public name."""
    return float(estimator._gamma)
