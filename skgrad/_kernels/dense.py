"""Loops over arrays in C order."""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray


@compiled
def matvec(X: FloatArray, v: FloatArray, out: FloatArray) -> None:
    """Compute X @ v, four rows at a time so that v is read once for them."""
    n_samples, n_features = X.shape
    zero = X.dtype.type(0)
    for i in range(0, n_samples - 3, 4):
        a = b = c = d = zero
        for j in range(n_features):
            a += X[i, j] * v[j]
            b += X[i + 1, j] * v[j]
            c += X[i + 2, j] * v[j]
            d += X[i + 3, j] * v[j]
        out[i], out[i + 1], out[i + 2], out[i + 3] = a, b, c, d
    for i in range(n_samples - n_samples % 4, n_samples):
        a = zero
        for j in range(n_features):
            a += X[i, j] * v[j]
        out[i] = a


@compiled
def rmatvec(X: FloatArray, r: FloatArray, out: FloatArray) -> None:
    """Add X.T @ r to out, four rows at a time so that out is read and written once for them."""
    n_samples, n_features = X.shape
    for i in range(0, n_samples - 3, 4):
        a, b, c, d = r[i], r[i + 1], r[i + 2], r[i + 3]
        for j in range(n_features):
            out[j] += a * X[i, j] + b * X[i + 1, j] + c * X[i + 2, j] + d * X[i + 3, j]
    for i in range(n_samples - n_samples % 4, n_samples):
        a = r[i]
        for j in range(n_features):
            out[j] += a * X[i, j]


@compiled
def shifted_moments(
    X: FloatArray, weight: FloatArray, shift: FloatArray, first: FloatArray, second: FloatArray
) -> None:
    """Add sum_i weight_i (x_i - shift) to first, and the sum of its squares to second.

    An empty weight means ones.
    """
    n_samples, n_features = X.shape
    weighted = len(weight) > 0
    for i in range(n_samples):
        if weighted:
            for j in range(n_features):
                deviation = X[i, j] - shift[j]
                first[j] += weight[i] * deviation
                second[j] += weight[i] * deviation * deviation
        else:
            for j in range(n_features):
                deviation = X[i, j] - shift[j]
                first[j] += deviation
                second[j] += deviation * deviation


@compiled
def squared_norms(X: FloatArray, center: FloatArray, scale: FloatArray, out: FloatArray) -> None:
    """Compute |(x_i - center) * scale|^2 for each row."""
    n_samples, n_features = X.shape
    for i in range(n_samples):
        total = 0.0
        for j in range(n_features):
            entry = (X[i, j] - center[j]) * scale[j]
            total += entry * entry
        out[i] = total
