"""Kernels of Gaussian processes, composed as scikit-learn composes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import gamma as gamma_function
from scipy.special import kv
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    Exponentiation,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    Product,
    RationalQuadratic,
    Sum,
    WhiteKernel,
)

from skgrad._typing import FloatArray
from skgrad.inspection.models.kernels import Kernel, linear, named, radial

# Rows whose whole matrix is computed for its diagonal.
DIAGONAL_BLOCK = 32


def evaluate(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel | None:
    """Evaluate a kernel object between rows and points; None if its derivative is not known."""
    formula = _FORMULAS.get(type(kernel))
    return None if formula is None else formula(kernel, X, points)


def diagonal_pull(kernel: Any, X: FloatArray, cotangent: FloatArray) -> FloatArray:
    r"""Lead cotangents of :math:`k(x, x)`, shape (n_samples,), back to the rows.

    It is constant for stationary kernels, and else, both arguments being alike, twice the
    derivative in the first.
    """
    if kernel.is_stationary():
        return np.zeros_like(X)
    pulled = np.empty_like(X)
    for start in range(0, len(X), DIAGONAL_BLOCK):
        rows = slice(start, start + DIAGONAL_BLOCK)
        block = evaluate(kernel, X[rows], X[rows])
        assert block is not None
        pulled[rows] = 2.0 * block.pull(np.diag(cotangent[rows]))
    return pulled


def _constant(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    value = np.full((len(X), len(points)), float(kernel.constant_value))
    return Kernel(value, lambda c: np.zeros_like(X))


def _white(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    return Kernel(np.zeros((len(X), len(points))), lambda c: np.zeros_like(X))


def _dot_product(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    product = linear(X, points)
    return Kernel(product.value + kernel.sigma_0**2, product.pull)


def _scaled(X: FloatArray, points: FloatArray, length_scale: Any) -> tuple[FloatArray, FloatArray]:
    length = np.asarray(length_scale, dtype=np.float64)
    return X / length, points / length


def _stationary(
    X: FloatArray, points: FloatArray, length_scale: Any, value: FloatArray, slope: FloatArray
) -> Kernel:
    """Build the kernel k(d) of scaled distances d; ``slope`` is k'(d) / d."""
    rows, others = _scaled(X, points, length_scale)
    return Kernel(value, lambda c: radial(rows, others, c * slope) / length_scale)


def _rbf(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    squared = cdist(*_scaled(X, points, kernel.length_scale), "sqeuclidean")
    k = np.exp(-0.5 * squared)
    return _stationary(X, points, kernel.length_scale, k, -k)


def _matern(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    r"""Use :math:`(z^\nu K_\nu(z))' = -z^\nu K_{\nu - 1}(z)` with :math:`z = \sqrt{2 \nu} d`."""
    nu = kernel.nu
    if nu == np.inf:
        return _rbf(kernel, X, points)
    z = np.sqrt(2.0 * nu) * cdist(*_scaled(X, points, kernel.length_scale))
    if nu in _HALF_INTEGERS:
        k, slope = _HALF_INTEGERS[nu](z, np.exp(-z))
    else:
        factor, at_zero = 2.0 ** (1.0 - nu) / gamma_function(nu), z == 0.0
        safe = np.where(at_zero, 1.0, z)
        k = np.where(at_zero, 1.0, factor * safe**nu * kv(nu, safe))
        # At distance 0 the slope multiplies a difference of 0.
        slope = np.where(at_zero, 0.0, -factor * safe ** (nu - 1.0) * kv(nu - 1.0, safe))
    return _stationary(X, points, kernel.length_scale, k, 2.0 * nu * slope)


_HALF_INTEGERS: dict[float, Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]] = {
    0.5: lambda z, e: (e, -np.divide(e, z, out=np.zeros_like(z), where=z > 0.0)),
    1.5: lambda z, e: ((1.0 + z) * e, -e),
    2.5: lambda z, e: ((1.0 + z + z * z / 3.0) * e, -(1.0 + z) * e / 3.0),
}


def _rational_quadratic(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    squared = cdist(*_scaled(X, points, kernel.length_scale), "sqeuclidean")
    base = 1.0 + squared / (2.0 * kernel.alpha)
    k = base**-kernel.alpha
    return _stationary(X, points, kernel.length_scale, k, -k / base)


def _exp_sine_squared(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel:
    distance = cdist(X, points)
    angle = np.pi * distance / kernel.periodicity
    k = np.exp(-2.0 * np.square(np.sin(angle) / kernel.length_scale))
    factor = -2.0 * np.pi / (kernel.periodicity * kernel.length_scale**2)
    # sin(2 a) / d, whose limit multiplies a difference of 0.
    ratio = np.divide(np.sin(2.0 * angle), distance, out=np.zeros_like(k), where=distance > 0.0)
    return _stationary(X, points, 1.0, k, factor * k * ratio)


def _sum(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel | None:
    first, second = evaluate(kernel.k1, X, points), evaluate(kernel.k2, X, points)
    if first is None or second is None:
        return None
    return Kernel(first.value + second.value, lambda c: first.pull(c) + second.pull(c))


def _product(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel | None:
    first, second = evaluate(kernel.k1, X, points), evaluate(kernel.k2, X, points)
    if first is None or second is None:
        return None
    return Kernel(
        first.value * second.value,
        lambda c: first.pull(c * second.value) + second.pull(c * first.value),
    )


def _power(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel | None:
    inner, exponent = evaluate(kernel.kernel, X, points), kernel.exponent
    if inner is None:
        return None
    slope = exponent * inner.value ** (exponent - 1.0)
    return Kernel(inner.value**exponent, lambda c: inner.pull(c * slope))


def _pairwise(kernel: Any, X: FloatArray, points: FloatArray) -> Kernel | None:
    if not isinstance(kernel.metric, str):
        return None
    options = {"coef0": 1.0, "degree": 3.0} | (kernel.pairwise_kernels_kwargs or {})
    return named(kernel.metric, X, points, gamma=kernel.gamma, **options)


_FORMULAS: dict[type, Callable[[Any, FloatArray, FloatArray], Kernel | None]] = {
    ConstantKernel: _constant,
    WhiteKernel: _white,
    DotProduct: _dot_product,
    RBF: _rbf,
    Matern: _matern,
    RationalQuadratic: _rational_quadratic,
    ExpSineSquared: _exp_sine_squared,
    Sum: _sum,
    Product: _product,
    Exponentiation: _power,
    PairwiseKernel: _pairwise,
}
