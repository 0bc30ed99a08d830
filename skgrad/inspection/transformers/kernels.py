"""Derivatives of scikit-learn's pairwise kernels in their first argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import dense
from skgrad.inspection.chain.local import Pull
from skgrad.inspection.transformers.norms import normalised_pull


def _chi2_slope(x: FloatArray, y: FloatArray) -> FloatArray:
    """Differentiate (x - y)^2 / (x + y), which is 0 where both are."""
    total = x + y
    safe = np.where(total == 0.0, 1.0, total)
    return np.where(total == 0.0, 0.0, (x - y) * (x + 3.0 * y) / safe**2)


# d/dx of what the exponential of a kernel contains, entry by entry.
ENTRYWISE: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "laplacian": lambda x, y: np.sign(x - y),
    "chi2": _chi2_slope,
    "additive_chi2": _chi2_slope,
}
KERNELS = ("linear", "poly", "polynomial", "rbf", "sigmoid", "cosine", *ENTRYWISE)


def kernel_pull(kernel: str, X: Any, Y: Any, params: Mapping[str, Any]) -> Pull:
    r"""Pull cotangents of :math:`K_{nm} = k(x_n, y_m)` back to X, for one of `KERNELS`.

    Parameters
    ----------
    kernel : str
        As for `sklearn.metrics.pairwise.pairwise_kernels`.
    X : array of shape (n_samples, n_features)
        Where to differentiate.
    Y : array of shape (n_points, n_features)
        The second arguments.
    params : mapping
        "gamma", "degree" and "coef0", as far as the kernel has them; None for its defaults.
    """
    x, y = dense(X), dense(Y)
    given = {name: value for name, value in params.items() if value is not None}
    gamma = given.get("gamma", 1.0 if kernel == "chi2" else 1.0 / x.shape[1])
    values = cache(lambda: pairwise_kernels(x, y, metric=kernel, filter_params=True, **given))
    if kernel in ("linear", "poly", "polynomial", "sigmoid"):
        return lambda c: (c * _product_slope(kernel, values, x, y, gamma, given)) @ y
    if kernel == "cosine":
        unit = y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), np.finfo(float).tiny)
        return lambda c: normalised_pull(x, "l2", c @ unit)
    if kernel == "rbf":
        # Differences of coordinates far from the origin would cancel.
        origin = y.mean(axis=0)
        return lambda c: _gaussian(c * values(), x - origin, y - origin, gamma)

    def pull(cotangent: FloatArray) -> FloatArray:
        outer = -1.0 if kernel == "additive_chi2" else -gamma * values()
        return _entrywise(cotangent * outer, x, y, ENTRYWISE[kernel])

    return pull


def _product_slope(
    kernel: str, values: Callable[[], Any], x: FloatArray, y: FloatArray, gamma: float,
    given: Mapping[str, Any],
) -> Any:  # fmt: skip
    """Differentiate a function of the inner product in it."""
    if kernel == "linear":
        return 1.0
    if kernel == "sigmoid":
        return gamma * (1.0 - values() ** 2)
    degree, coef0 = given.get("degree", 3), given.get("coef0", 1.0)
    return gamma * degree * (gamma * (x @ y.T) + coef0) ** (degree - 1)


def _gaussian(weights: FloatArray, x: FloatArray, y: FloatArray, gamma: float) -> FloatArray:
    pulled: FloatArray = -2.0 * gamma * (x * weights.sum(axis=1, keepdims=True) - weights @ y)
    return pulled


def _entrywise(
    weights: FloatArray, x: FloatArray, y: FloatArray,
    slope: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:  # fmt: skip
    """Add up one column after the other, so that there is no array of all three sizes."""
    columns = zip(x.T, y.T, strict=True)
    pulled = [(weights * slope(xj[:, None], yj[None, :])).sum(axis=1) for xj, yj in columns]
    return np.stack(pulled, axis=1)
