"""Products with a data matrix: the only place that tells dense arrays from CSR matrices.

Every function takes a block of rows. `row_blocks` cuts a matrix into blocks that stay in cache, so
that a product with X and the product with its transpose that follows read memory once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray, IntArray, Matrix

# A block of this many bytes stays in a core's second-level cache (1-2 MB on current processors).
BLOCK_BYTES = 2 << 20
# Up to this density of the non-zeros a sparse Gram product beats densifying one block at a time.
SPARSE_GRAM_DENSITY = 0.02


def is_small(X: Matrix) -> bool:
    """Tell whether X as an array fits in one block.

    A copy then costs less than the interpreter's overhead that it saves; for CSR too, where every
    product costs some 20 microseconds before it starts.
    """
    return X.shape[0] * X.shape[1] * X.dtype.itemsize <= BLOCK_BYTES


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


def has_contiguous_rows(X: Matrix) -> bool:
    """Tell whether single rows can be read without striding through all of X."""
    return not isinstance(X, np.ndarray) or X.flags.c_contiguous


def row_storage(X: Matrix) -> tuple[FloatArray, IntArray, IntArray, int]:
    """Return what compiled loops over rows read: data, indices, indptr and the number of columns.

    The arrays of X itself; for an array with contiguous rows both index arrays are empty. Indices
    are seen as unsigned: loops needn't ask whether they count from the end, and run 1.6 times as
    fast.
    """
    if isinstance(X, np.ndarray):
        none = np.empty(0, dtype=np.uint32)
        return X.reshape(-1), none, none, X.shape[1]
    unsigned = f"u{X.indices.dtype.itemsize}"
    return X.data, X.indices.view(unsigned), X.indptr.view(unsigned), X.shape[1]


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


def column_moments(
    X: Matrix, sample_weight: FloatArray | None, *, centered: bool
) -> tuple[FloatArray, FloatArray]:
    """Compute the weighted mean and variance of each column, in float64.

    With ``centered=False`` the mean is taken as zero, so that the second moment is returned. Two
    passes: the one-pass formula E[x^2] - E[x]^2 loses every digit for columns far from zero.
    """
    n_samples, n_features = X.shape
    total = float(n_samples) if sample_weight is None else float(sample_weight.sum())
    mean = np.zeros(n_features)
    if centered:
        for rows in row_blocks(X):
            mean += _weighted_sum(take_rows(X, rows), sample_weight, rows)
        mean /= total
    variance = np.zeros(n_features)
    for rows in row_blocks(X):
        variance += _squared_deviation(take_rows(X, rows), sample_weight, rows, mean)
    return mean, variance / total


def _weighted_sum(X: Matrix, sample_weight: FloatArray | None, rows: slice) -> FloatArray:
    if sample_weight is not None:
        return np.asarray(sample_weight[rows] @ X)
    if isinstance(X, np.ndarray):
        total: FloatArray = np.add.reduce(X, axis=0, dtype=np.float64)
        return total
    return np.asarray(X.sum(axis=0, dtype=np.float64)).ravel()


def _squared_deviation(
    X: Matrix, sample_weight: FloatArray | None, rows: slice, mean: FloatArray
) -> FloatArray:
    if isinstance(X, np.ndarray):
        Z = X - mean
        if sample_weight is None:
            return np.asarray(np.einsum("ij,ij->j", Z, Z))
        return sample_weight[rows] @ np.square(Z, out=Z)
    weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight[rows]
    stored = X.copy()
    stored.data = (X.data - mean[X.indices]) ** 2
    presence = X.copy()
    presence.data = np.ones_like(X.data)
    # The zeros that are not stored deviate by the mean itself.
    return weights @ stored + (weights.sum() - weights @ presence) * mean**2


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
