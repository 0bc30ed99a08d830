"""Products with a data matrix: the only place that tells dense arrays from CSR matrices.

Every function takes a block of rows. `row_blocks` cuts a matrix into blocks that stay in cache, so
that a product with X and the product with its transpose that follows read memory once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array, csr_matrix

from skgrad._typing import FloatArray, IntArray, Matrix

# A block of this many bytes stays in a core's second-level cache (1-2 MB on current processors).
BLOCK_BYTES = 2 << 20
# Up to this density of the non-zeros a sparse Gram product beats densifying one block at a time.
SPARSE_GRAM_DENSITY = 0.02
# Above this share of the second moment the one-pass formula keeps 13 digits of a variance.
ONE_PASS = 1e-3
# Loops over smaller arrays, or over fewer stored entries (which numpy visits some ten times as
# slowly), are not worth importing a compiler for.
COMPILED_SIZE = 1_000_000
COMPILED_ENTRIES = 100_000


def is_small(X: Matrix) -> bool:
    """Tell whether X as an array fits in one block.

    A copy then costs less than the interpreter's overhead that it saves; for CSR too, where every
    product costs some 20 microseconds before it starts.
    """
    return X.shape[0] * X.shape[1] * X.dtype.itemsize <= BLOCK_BYTES


def worth_compiling(X: Matrix) -> bool:
    """Tell whether loops over X take longer than importing a compiler."""
    if isinstance(X, np.ndarray):
        return X.size >= COMPILED_SIZE
    return X.nnz >= COMPILED_ENTRIES and X.shape[0] * X.shape[1] >= COMPILED_SIZE


def density(X: Matrix) -> float:
    """Compute the fraction of entries that are stored; 1 for small data, which become an array."""
    return 1.0 if isinstance(X, np.ndarray) or is_small(X) else X.nnz / (X.shape[0] * X.shape[1])


def to_array(X: Matrix) -> FloatArray:
    """Return X as an array; for small data and single blocks only."""
    return X if isinstance(X, np.ndarray) else X.toarray()


def row_blocks(X: Matrix) -> Iterator[slice]:
    """Cut the rows of X into slices of about `BLOCK_BYTES`, always at the same places."""
    n_samples = X.shape[0]
    if is_small(X):
        yield slice(0, n_samples)
        return
    n_bytes = X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes + X.indices.nbytes
    yield from cut_rows(n_samples, n_bytes)


def cut_rows(n_samples: int, n_bytes: int) -> Iterator[slice]:
    """Cut rows that take so many bytes in all."""
    n_rows = max(1, n_samples * BLOCK_BYTES // max(n_bytes, 1))
    for start in range(0, n_samples, n_rows):
        yield slice(start, min(start + n_rows, n_samples))


def take_rows(X: Matrix, rows: slice | IntArray) -> Matrix:
    """Select rows of X. A slice is a view, of a CSR matrix too (scipy's own slicing copies)."""
    if isinstance(rows, np.ndarray):
        return X.take(rows, axis=0) if isinstance(X, np.ndarray) else X[rows]
    if isinstance(X, np.ndarray):
        return X[rows]
    indptr = X.indptr[rows.start : rows.stop + 1]
    stored = slice(indptr[0], indptr[-1])
    view = type(X)((len(indptr) - 1, X.shape[1]), dtype=X.dtype)
    # Not through the constructor: it copies slices shorter than half of the array.
    view.data, view.indices, view.indptr = X.data[stored], X.indices[stored], indptr - indptr[0]
    return view


def take_columns(X: Matrix, columns: IntArray) -> Matrix:
    """Copy columns."""
    return X.take(columns, axis=1) if isinstance(X, np.ndarray) else X[:, columns]


def matmul(X: Matrix, coef: FloatArray) -> FloatArray:
    """Compute X @ coef.T, shape (n_samples, n_outputs)."""
    return X @ coef.T


def rmatmul(X: Matrix, R: FloatArray) -> FloatArray:
    """Compute R.T @ X, shape (n_outputs, n_features)."""
    if isinstance(X, np.ndarray):
        return R.T @ X
    return (X.T @ R).T


def gram(X: Matrix, weights: FloatArray | None, center: FloatArray) -> FloatArray:
    """Compute sum_i weights_i (x_i - center)(x_i - center)', shape (n_features, n_features).

    Dense blocks are centred before the product: subtracting the means afterwards cancels
    catastrophically when columns are far from zero.
    """
    if isinstance(X, np.ndarray):
        return _dense_gram(X, weights, center)
    if X.nnz > SPARSE_GRAM_DENSITY * X.shape[0] * X.shape[1]:
        total: FloatArray = np.zeros((X.shape[1], X.shape[1]), dtype=X.dtype)
        n_rows = max(1, BLOCK_BYTES // (X.shape[1] * X.dtype.itemsize))
        for start in range(0, X.shape[0], n_rows):
            rows = slice(start, min(start + n_rows, X.shape[0]))
            block_weights = None if weights is None else weights[rows]
            total += _dense_gram(to_array(take_rows(X, rows)), block_weights, center)
        return total
    return _sparse_gram(X, weights, center)


def _dense_gram(X: FloatArray, weights: FloatArray | None, center: FloatArray) -> FloatArray:
    Z = X - center if center.any() else X
    # `Z.T @ Z` on one and the same array is a SYRK in numpy: half the work of a general product.
    if weights is None:
        return Z.T @ Z
    if weights.min() >= 0:
        Z = Z * np.sqrt(weights)[:, None]
        return Z.T @ Z
    return (Z * weights[:, None]).T @ Z


def _sparse_gram(X: Matrix, weights: FloatArray | None, center: FloatArray) -> FloatArray:
    weights = np.ones(X.shape[0], dtype=X.dtype) if weights is None else weights
    product = (X.T @ (sparse.diags_array(weights) @ X)).toarray()
    if center.any():
        cross = np.outer(center, weights @ X)
        product += weights.sum() * np.outer(center, center) - cross - cross.T
    return product


def selected_gram(
    X: Matrix, columns: IntArray, weights: FloatArray | None, center: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute `gram` of some columns, and their sums sum_i weights_i (x_i - center).

    Without a copy of the columns of a CSR matrix, where that is worth a compiled loop.
    """
    ones = np.ones(X.shape[0], dtype=X.dtype) if weights is None else weights
    if isinstance(X, np.ndarray) or not worth_compiling(X):
        X = take_columns(X, columns)
        return gram(X, weights, center), rmatmul(X, ones[:, None])[0] - ones.sum() * center
    from skgrad._kernels.columns import add_selected_gram

    position = _positions(X, columns)
    longest = int(np.diff(X.indptr).max(initial=0)) + 1
    row_columns, row_values = np.empty(longest, position.dtype), np.empty(longest, X.dtype)
    sums, half = np.zeros(len(columns)), np.zeros((len(columns), len(columns)))
    add_selected_gram(
        X.data, X.indices, X.indptr, ones, position, row_columns, row_values, sums, half
    )
    product = half + half.T
    if center.any():
        cross = np.outer(center, sums)
        product += ones.sum() * np.outer(center, center) - cross - cross.T
    return product, sums - ones.sum() * center


class SparseColumns(NamedTuple):
    """Columns of a CSR matrix: entry k of column j is data[starts[j] + k], in row rows[...]."""

    data: FloatArray
    rows: IntArray
    starts: IntArray


def sparse_columns(X: csr_array | csr_matrix, columns: IntArray) -> SparseColumns:
    """Gather columns of a CSR matrix, in ascending order."""
    from skgrad._kernels.columns import count_entries, transpose_columns

    position = _positions(X, columns)
    starts = np.zeros(len(columns) + 1, dtype=X.indptr.dtype)
    count_entries(X.indices, position, starts)
    starts[0] = 0
    starts = np.cumsum(starts, dtype=starts.dtype)
    ends, n_entries = starts[:-1].copy(), int(starts[-1])
    data, rows = np.empty(n_entries, dtype=X.dtype), np.empty(n_entries, dtype=X.indices.dtype)
    transpose_columns(X.data, X.indices, X.indptr, position, ends, data, rows)
    return SparseColumns(data, rows, starts)


def _positions(X: csr_array | csr_matrix, columns: IntArray) -> IntArray:
    """Number columns in their order, all others -1."""
    position = np.full(X.shape[1], -1, dtype=X.indices.dtype)
    position[columns] = np.arange(len(columns), dtype=position.dtype)
    return position


def column_moments(
    X: Matrix, sample_weight: FloatArray | None, *, centered: bool
) -> tuple[FloatArray, FloatArray]:
    """Compute the weighted mean and variance of each column, in float64.

    With ``centered=False`` the mean is taken as zero, so that the second moment is returned. Two
    passes: the one-pass formula E[x^2] - E[x]^2 loses every digit for columns far from zero.
    """
    if not isinstance(X, np.ndarray):
        return _sparse_moments(X, sample_weight, centered=centered)
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


def _weighted_sum(X: FloatArray, sample_weight: FloatArray | None, rows: slice) -> FloatArray:
    if sample_weight is not None:
        return np.asarray(sample_weight[rows] @ X)
    total: FloatArray = np.add.reduce(X, axis=0, dtype=np.float64)
    return total


def _squared_deviation(
    X: FloatArray, sample_weight: FloatArray | None, rows: slice, mean: FloatArray
) -> FloatArray:
    Z = X - mean if mean.any() else X
    if sample_weight is None:
        return np.asarray(np.einsum("ij,ij->j", Z, Z, dtype=np.float64))
    return sample_weight[rows] @ np.square(Z)


def _sparse_moments(
    X: csr_array | csr_matrix, sample_weight: FloatArray | None, *, centered: bool
) -> tuple[FloatArray, FloatArray]:
    weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight
    total, mean = float(weights.sum()), np.zeros(X.shape[1])
    if not centered:
        return mean, _column_squares(X, weights) / total
    sums, squares, presence = _column_sums(X, weights, mean)
    mean = sums / total
    variance = squares / total - mean**2
    if (variance < ONE_PASS * squares / total).any():
        _, squares, presence = _column_sums(X, weights, mean)
        # The zeros that are not stored deviate by the mean itself.
        variance = (squares + (total - presence) * mean**2) / total
    return mean, variance


def _column_squares(X: csr_array | csr_matrix, weights: FloatArray) -> FloatArray:
    squares: FloatArray = np.zeros(X.shape[1])
    if worth_compiling(X):
        from skgrad._kernels.columns import column_squares

        column_squares(X.data, X.indices, X.indptr, weights, squares)
        return squares
    terms = np.repeat(weights, np.diff(X.indptr)) * np.square(X.data, dtype=np.float64)
    return squares + np.bincount(X.indices, weights=terms, minlength=X.shape[1])


def _column_sums(
    X: csr_array | csr_matrix, weights: FloatArray, center: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sum weighted deviations from the centre, squares of them, and weights, of stored entries."""
    totals: FloatArray = np.zeros((X.shape[1], 3))
    if worth_compiling(X):
        from skgrad._kernels.columns import column_sums

        column_sums(X.data, X.indices, X.indptr, weights, center, totals)
    else:
        deviation = X.data - center[X.indices]
        weight = np.repeat(weights, np.diff(X.indptr))
        for k, terms in enumerate((weight * deviation, weight * deviation**2, weight)):
            totals[:, k] = np.bincount(X.indices, weights=terms, minlength=X.shape[1])
    return totals[:, 0], totals[:, 1], totals[:, 2]


def squared_row_norms(X: Matrix, center: FloatArray, scale: FloatArray) -> FloatArray:
    """Compute |(x_i - center) * scale|^2 for each row, in float64."""
    if isinstance(X, np.ndarray):
        Z = (X - center) * scale
        return np.einsum("ij,ij->i", Z, Z)
    squares = X.copy()
    squares.data = X.data.astype(np.float64) ** 2
    shift = center * scale**2
    norms = squares @ (scale**2) - 2 * (X @ shift) + center @ shift
    return np.maximum(norms, 0.0)
