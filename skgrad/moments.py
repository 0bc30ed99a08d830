"""Moments of the columns and lengths of the rows of a data matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array, csr_matrix

from skgrad._threads import map_in_order
from skgrad._typing import FloatArray, Matrix
from skgrad.linalg import is_compiled, row_blocks, row_parts, take_rows, worth_compiling

# Above this share of the second moment the one-pass formula keeps 13 digits of a variance.
ONE_PASS = 1e-3
# Rows whose mean is the shift that moments are computed around.
PILOT_ROWS = 1000
# A task for a thread; no need to stay in cache where memory is read once.
TASK_BYTES = 16 << 20

# Non-zeros that the sizes of a sparse matrix's columns are estimated from, and the number of them
# that a column needs for that.
SIZED_NONZEROS = 100_000
COMMON = 10


def column_moments(
    X: Matrix, sample_weight: FloatArray | None, *, centered: bool
) -> tuple[FloatArray, FloatArray]:
    """Compute the weighted mean and variance of each column, in float64.

    With ``centered=False`` the mean is taken as zero, so that the second moment is returned. Two
    passes: the one-pass formula E[x^2] - E[x]^2 loses every digit for columns far from zero.
    """
    if not isinstance(X, np.ndarray):
        return _sparse_moments(X, sample_weight, centered=centered)
    if is_compiled(X):
        return _compiled_moments(X, sample_weight, centered=centered)
    n_samples, n_features = X.shape
    total = float(n_samples) if sample_weight is None else float(sample_weight.sum())
    mean = np.zeros(n_features)
    if centered:
        for rows in row_blocks(X):
            mean += _weighted_sum(X[rows], sample_weight, rows)
        mean /= total
    variance = np.zeros(n_features)
    for rows in row_blocks(X):
        variance += _squared_deviation(X[rows], sample_weight, rows, mean)
    return mean, variance / total


def _compiled_moments(
    X: FloatArray, sample_weight: FloatArray | None, *, centered: bool
) -> tuple[FloatArray, FloatArray]:
    """Compute `column_moments` in one pass at the speed of memory.

    Deviations are taken from the mean of some rows: close enough to the mean of all that
    E[d^2] - E[d]^2 loses no digits.
    """
    from skgrad._kernels.dense import shifted_moments

    n_samples, n_features = X.shape
    shift = np.zeros(n_features)
    if centered:
        shift = X[:: max(1, n_samples // PILOT_ROWS)].mean(axis=0, dtype=np.float64)
    weight = np.empty(0) if sample_weight is None else sample_weight.astype(np.float64, copy=False)

    def sums(rows: slice) -> FloatArray:
        found = np.zeros((2, n_features))
        block = weight[rows] if len(weight) else weight
        shifted_moments(X[rows], block, shift, found[0], found[1])
        return found

    total = float(n_samples) if sample_weight is None else float(weight.sum())
    totals = np.zeros((2, n_features))
    for found in map_in_order(sums, list(row_blocks(X, TASK_BYTES))):
        totals += found
    first, second = totals / total
    # Of a constant column the difference is rounding, of either sign.
    return (shift + first, np.maximum(second - first**2, 0.0)) if centered else (shift, second)


def _weighted_sum(X: FloatArray, sample_weight: FloatArray | None, rows: slice) -> FloatArray:
    if sample_weight is not None:
        return np.asarray(sample_weight[rows] @ X)
    if X.dtype == np.float64:
        # BLAS adds rows five times as fast as numpy, whose loop is as short as a row.
        return np.ones(len(X)) @ X
    total: FloatArray = np.add.reduce(X, axis=0, dtype=np.float64)
    return total


def _squared_deviation(
    X: FloatArray, sample_weight: FloatArray | None, rows: slice, mean: FloatArray
) -> FloatArray:
    Z = X - mean
    weights = np.ones(len(X)) if sample_weight is None else sample_weight[rows]
    squares: FloatArray = weights @ np.square(Z, out=Z)
    return squares


def _sparse_moments(
    X: csr_array | csr_matrix, sample_weight: FloatArray | None, *, centered: bool
) -> tuple[FloatArray, FloatArray]:
    total = float(X.shape[0] if sample_weight is None else sample_weight.sum())
    mean = np.zeros(X.shape[1])
    if not centered:
        return mean, _column_squares(X, sample_weight) / total
    sums, squares, presence = _column_sums(X, sample_weight, mean)
    mean = sums / total
    variance = squares / total - mean**2
    if (variance < ONE_PASS * squares / total).any():
        _, squares, presence = _column_sums(X, sample_weight, mean)
        # The zeros that are not stored deviate by the mean itself.
        variance = (squares + (total - presence) * mean**2) / total
    return mean, variance


def _column_squares(X: csr_array | csr_matrix, weights: FloatArray | None) -> FloatArray:
    if worth_compiling(X):
        from skgrad._kernels.columns import column_squares

        return _sum_parts(X, weights, X.shape[1:], column_squares)
    terms = _entry_weights(X, weights) * np.square(X.data, dtype=np.float64)
    return _column_totals(X, terms)


def _column_sums(
    X: csr_array | csr_matrix, weights: FloatArray | None, center: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sum weighted deviations from the centre, squares of them, and weights, of stored entries."""
    if worth_compiling(X):
        from skgrad._kernels.columns import column_sums

        totals = _sum_parts(X, weights, (X.shape[1], 3), column_sums, center)
        return totals[:, 0], totals[:, 1], totals[:, 2]
    deviation, weight = X.data - center[X.indices], _entry_weights(X, weights)
    sums, squares = (_column_totals(X, weight * term) for term in (deviation, deviation**2))
    return sums, squares, _column_totals(X, weight)


def _column_totals(X: csr_array | csr_matrix, terms: FloatArray) -> FloatArray:
    """Add up terms, one for each stored entry, column by column."""
    totals: FloatArray = np.bincount(X.indices, terms, X.shape[1]).astype(np.float64, copy=False)
    return totals


def _entry_weights(X: csr_array | csr_matrix, weights: FloatArray | None) -> FloatArray:
    """Weight of each stored entry's row, in float64."""
    return np.ones(X.nnz) if weights is None else np.repeat(weights, np.diff(X.indptr))


def _sum_parts(
    X: csr_array | csr_matrix, weights: FloatArray | None, shape: tuple[int, ...],
    kernel: Callable[..., None], *args: FloatArray,
) -> FloatArray:  # fmt: skip
    """Add up what a kernel finds in parts of the rows, in threads."""
    weight = np.empty(0) if weights is None else weights

    def sums(rows: slice) -> FloatArray:
        part: csr_array = take_rows(X, rows)
        found: FloatArray = np.zeros(shape)
        block = weight[rows] if len(weight) else weight
        kernel(part.data, part.indices, part.indptr, block, *args, found)
        return found

    totals: FloatArray = np.zeros(shape)
    for found in map_in_order(sums, row_parts(X, totals.size)):
        totals += found
    return totals


def weighted_squares(X: Matrix, weights: FloatArray, center: FloatArray) -> FloatArray:
    """Compute sum_i weights_i (x_ij - center_j)^2 for each column, in one pass.

    Columns far from zero lose digits here, unlike in `column_moments`.
    """
    if isinstance(X, np.ndarray):
        return weights @ np.square(X - center)
    squares = _column_squares(X, weights)
    if center.any():
        squares += center * (float(weights.sum()) * center - 2.0 * (weights @ X))
        np.maximum(squares, 0.0, out=squares)
    return squares


def mean_squared_norm(X: Matrix) -> float:
    """Compute the mean of |x_i|^2 over the rows."""
    stored = X.reshape(-1) if isinstance(X, np.ndarray) else X.data
    return float(stored @ stored) / X.shape[0]


def squared_row_norms(X: Matrix, center: FloatArray, scale: FloatArray) -> FloatArray:
    """Compute |(x_i - center) * scale|^2 for each row, in float64."""
    if isinstance(X, np.ndarray):
        return _dense_row_norms(X, center, scale)
    if is_compiled(X):
        from skgrad._kernels import csr

        norms = np.empty(X.shape[0])
        if not center.any() and (scale == scale[0]).all():  # a quarter of the time
            csr.squared_lengths(X.data, X.indptr, norms)
            norms *= float(scale[0]) ** 2
            return norms
        offset = float(np.sum((center * scale) ** 2, dtype=np.float64))
        csr.squared_norms(X.data, X.indices, X.indptr, center, scale, offset, norms)
        return norms
    squares = X.copy()
    squares.data = X.data.astype(np.float64) ** 2
    shift = center * scale**2
    norms = squares @ (scale**2) - 2 * (X @ shift) + center @ shift
    return np.maximum(norms, 0.0)


def _dense_row_norms(X: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    norms = np.empty(X.shape[0])
    if is_compiled(X):
        from skgrad._kernels.dense import squared_norms

        def fill(rows: slice) -> None:
            squared_norms(X[rows], center, scale, norms[rows])

        for _ in map_in_order(fill, list(row_blocks(X, TASK_BYTES))):
            pass
        return norms
    for rows in row_blocks(X):
        Z = (X[rows] - center) * scale
        np.einsum("ij,ij->i", Z, Z, out=norms[rows])
    return norms


def nonzero_sizes(X: csr_array | csr_matrix) -> FloatArray:
    """Estimate the root mean square of the non-zeros of common columns of a CSR matrix."""
    step = max(1, X.nnz // SIZED_NONZEROS)
    columns, squares = X.indices[::step], np.square(X.data[::step], dtype=np.float64)
    counts = np.bincount(columns)
    common = counts >= COMMON
    mean: FloatArray = np.bincount(columns, weights=squares)[common] / counts[common]
    return np.sqrt(mean[mean > 0])
