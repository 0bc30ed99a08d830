"""Kernels k(x, s) of rows and support points, and their derivatives in x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import euclidean_distances, pairwise_kernels

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import dense, numbers
from skgrad.inspection.transformers.kernels import ENTRYWISE, kernel_pull


class Kernel(NamedTuple):
    r"""Values of a kernel, and the way back.

    Parameters
    ----------
    value : ndarray of shape (n_samples, n_points)
        :math:`k(x_i, s_j)`.
    pull : callable
        Maps cotangents of the values, of their shape, to those of the rows,
        :math:`\sum_j c_{ij} \, \partial k(x_i, s_j) / \partial x_i`.
    """

    value: FloatArray
    pull: Callable[[FloatArray], FloatArray]


def radial(X: Any, points: Any, weights: FloatArray) -> FloatArray:
    """Sum differences to the points, sum_j w_ij (x_i - s_j)."""
    total: FloatArray = dense(X) * weights.sum(axis=1, keepdims=True) - product(weights, points)
    return total


def product(weights: FloatArray, points: Any) -> FloatArray:
    """Sum the points, sum_j w_ij s_j."""
    if sparse.issparse(points):
        return np.asarray(points.T @ weights.T).T
    return weights @ dense(points)


def linear(X: Any, points: Any) -> Kernel:
    """Compute inner products, x's."""
    return Kernel(inner(X, points), lambda c: product(c, points))


def rbf(X: Any, points: Any, gamma: float) -> Kernel:
    r""":math:`\exp(-\gamma |x - s|^2)`."""
    if not (sparse.issparse(X) or sparse.issparse(points)):
        # Far from the origin, differences of squares and of sums would cancel.
        origin = points.mean(axis=0)
        X, points = X - origin, points - origin
    k = np.exp(-gamma * euclidean_distances(X, points, squared=True))
    return Kernel(k, lambda c: -2.0 * gamma * radial(X, points, c * k))


def polynomial(X: Any, points: Any, gamma: float, coef0: float, degree: float) -> Kernel:
    r""":math:`(\gamma x's + c_0)^d`."""
    base = gamma * inner(X, points) + coef0
    slope = gamma * degree * base ** (degree - 1) if degree else np.zeros_like(base)
    return Kernel(base**degree, lambda c: product(c * slope, points))


def sigmoid(X: Any, points: Any, gamma: float, coef0: float) -> Kernel:
    r""":math:`\tanh(\gamma x's + c_0)`."""
    k = np.tanh(gamma * inner(X, points) + coef0)
    return Kernel(k, lambda c: product(c * (gamma * (1.0 - k * k)), points))


def inner(X: Any, points: Any) -> FloatArray:
    """Inner products of rows and points."""
    products = numbers(X) @ numbers(points).T
    return dense(products)


def named(
    name: str, X: Any, points: Any, *, gamma: float | None, coef0: float, degree: float
) -> Kernel | None:
    """Evaluate a kernel that scikit-learn has a name for; None if its derivative is not known."""
    if name in ENTRYWISE or name == "cosine":
        params = {} if name in ("cosine", "additive_chi2") else {"gamma": gamma}
        value = pairwise_kernels(X, points, metric=name, filter_params=True, **params)
        return Kernel(value, kernel_pull(name, X, points, params))
    gamma = 1.0 / X.shape[1] if gamma is None else gamma
    known: dict[str, Callable[[], Kernel]] = {
        "linear": lambda: linear(X, points),
        "rbf": lambda: rbf(X, points, gamma),
        "poly": lambda: polynomial(X, points, gamma, coef0, degree),
        "polynomial": lambda: polynomial(X, points, gamma, coef0, degree),
        "sigmoid": lambda: sigmoid(X, points, gamma, coef0),
    }
    return known[name]() if name in known else None
