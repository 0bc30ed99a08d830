"""Products with a data matrix: the only place that tells dense arrays from CSR matrices.

Every function takes a block of rows. `row_blocks` cuts a matrix into blocks that stay in cache, so
that a product with X and the product with its transpose that follows read memory once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from skgrad._threads import map_in_order
from skgrad._typing import FloatArray, IntArray, Matrix

# A block of this many bytes stays in a core's second-level cache (1-2 MB on current processors).
BLOCK_BYTES = 2 << 20
# Sparse products wait for the vector's entries, not for the matrix: blocks are tasks for threads.
SPARSE_BLOCK_BYTES = 4 << 20
# Up to this density of the non-zeros a sparse Gram product beats densifying one block at a time.
SPARSE_GRAM_DENSITY = 0.02
# Non-zeros that the sizes of a sparse matrix's columns are estimated from, and the number of them
# that a column needs for that.
SIZED_NONZEROS = 100_000
COMMON = 10
# Arrays of fewer elements are served well enough by numpy: importing numba would cost more.
COMPILED_SIZE = 1_000_000
# A stored number of a sparse matrix costs several times as much.
COMPILED_NONZEROS = 200_000
# Rows whose mean is the shift that moments are computed around.
PILOT_ROWS = 1000
# A task for a thread; no need to stay in cache where memory is read once.
MOMENT_BYTES = 16 << 20

# With fewer columns a general product beats the symmetric one (2000 x 20: 36 against 64
# microseconds), whose blocks are then mostly diagonal.
SYRK_COLUMNS = 50


def is_small(X: Matrix) -> bool:
    """Tell whether X as an array fits in one block.

    A copy then costs less than the interpreter's overhead that it saves; for CSR too, where every
    product costs some 20 microseconds before it starts.
    """
    return X.shape[0] * X.shape[1] * X.dtype.itemsize <= BLOCK_BYTES


def is_compiled(X: Matrix) -> bool:
    """Tell whether compiled loops walk over X: they go along rows, and are for large data."""
    if isinstance(X, np.ndarray):
        return X.size >= COMPILED_SIZE and X.flags.c_contiguous
    return bool(X.nnz >= COMPILED_NONZEROS)


def density(X: Matrix) -> float:
    """Compute the fraction of entries that are stored; 1 for small data, which become an array."""
    return 1.0 if isinstance(X, np.ndarray) or is_small(X) else X.nnz / (X.shape[0] * X.shape[1])


def to_array(X: Matrix) -> FloatArray:
    """Return X as an array; for small data and single blocks only."""
    return X if isinstance(X, np.ndarray) else X.toarray()


def row_blocks(X: Matrix, size: int | None = None) -> Iterator[slice]:
    """Cut the rows of X into slices of about ``size`` bytes, always at the same places."""
    n_samples = X.shape[0]
    if is_small(X):
        yield slice(0, n_samples)
        return
    if isinstance(X, np.ndarray):
        n_bytes, size = X.nbytes, size or BLOCK_BYTES
    else:
        n_bytes, size = X.data.nbytes + X.indices.nbytes, size or SPARSE_BLOCK_BYTES
    n_rows = max(1, n_samples * size // max(n_bytes, 1))
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


def matmul(X: Matrix, coef: FloatArray, *, compiled: bool = False) -> FloatArray:
    """Compute X @ coef.T, shape (n_samples, n_outputs).

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Rows of the data.
    coef : array of shape (n_outputs, n_features)
        Coefficients.
    compiled : bool
        Whether a compiled loop may do it. For one output it moves twice as many bytes a second as
        BLAS does (measured on blocks of 2 MB in two threads: 40 against 20 GB/s).
    """
    if not compiled or len(coef) != 1 or X.dtype != coef.dtype:
        return X @ coef.T
    out = np.empty((X.shape[0], 1), dtype=X.dtype)
    vector = np.ascontiguousarray(coef[0])
    if isinstance(X, np.ndarray):
        from skgrad._kernels import dense

        dense.matvec(X, vector, out[:, 0])
    else:
        from skgrad._kernels import csr

        csr.matvec(X.data, X.indices, X.indptr, vector, out[:, 0])
    return out


def rmatmul(X: Matrix, R: FloatArray, *, compiled: bool = False) -> FloatArray:
    """Compute R.T @ X, shape (n_outputs, n_features); parameters as in `matmul`."""
    if not compiled or R.shape[1] != 1 or X.dtype != R.dtype:
        return R.T @ X if isinstance(X, np.ndarray) else (X.T @ R).T
    out = np.zeros((1, X.shape[1]), dtype=X.dtype)
    vector = np.ascontiguousarray(R[:, 0])
    if isinstance(X, np.ndarray):
        from skgrad._kernels import dense

        dense.rmatvec(X, vector, out[0])
    else:
        from skgrad._kernels import csr

        csr.rmatvec(X.data, X.indices, X.indptr, vector, out[0])
    return out


def sums_to_finite(X: FloatArray) -> bool:
    """Tell whether the sum of all entries is finite; if so, every entry is."""
    if X.size < COMPILED_SIZE:
        return bool(np.isfinite(X.sum()))
    blocks = list(row_blocks(X, MOMENT_BYTES))
    return all(np.isfinite(total) for total in map_in_order(lambda rows: X[rows].sum(), blocks))


def weighted_squares(X: Matrix, weights: FloatArray, center: FloatArray) -> FloatArray:
    """Compute sum_i weights_i (x_ij - center_j)^2 for each column, in one pass.

    Columns far from zero lose digits here, unlike in `column_moments`.
    """
    if isinstance(X, np.ndarray):
        return weights @ np.square(X - center)
    if is_compiled(X):
        from skgrad._kernels import csr

        squares = np.zeros(X.shape[1])
        csr.squared_rmatvec(X.data, X.indices, X.indptr, weights, squares)
    else:
        squared = X.copy()
        squared.data = X.data**2
        squares = weights @ squared
    if center.any():
        squares += center * (float(weights.sum()) * center - 2.0 * (weights @ X))
        np.maximum(squares, 0.0, out=squares)
    return squares


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
    rows = None if weights is None else _few_rows(weights)
    if weights is not None and rows is not None:
        X, weights = X[rows], weights[rows]
    return weighted_gram(X - center if center.any() else X, weights)


def weighted_gram(A: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Compute A' diag(weights) A."""
    if weights is None:
        return A.T @ A
    rows = _few_rows(weights)
    if rows is not None:  # not `take`, which first copies all of an array in Fortran order
        A, weights = A[rows], weights[rows]
    if A.shape[1] < SYRK_COLUMNS or weights.min(initial=0.0) < 0.0:
        return (A.T * weights) @ A
    # `Z.T @ Z` on one and the same array is a SYRK in numpy: half the work of a general product.
    Z = A * np.sqrt(weights)[:, None]
    return Z.T @ Z


def _few_rows(weights: FloatArray) -> IntArray | None:
    """Find the rows whose weights are not zero, if they are less than half of all.

    Beyond the margin a squared hinge has no curvature: near the solution some rows in a hundred are
    left, and so is that share of the work.
    """
    rows = np.flatnonzero(weights)
    return rows if 2 * len(rows) < len(weights) else None


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
    if isinstance(X, np.ndarray) and is_compiled(X):
        return _compiled_moments(X, sample_weight, centered=centered)
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
    for found in map_in_order(sums, list(row_blocks(X, MOMENT_BYTES))):
        totals += found
    first, second = totals / total
    return (shift + first, second - first**2) if centered else (shift, second)


def _weighted_sum(X: Matrix, sample_weight: FloatArray | None, rows: slice) -> FloatArray:
    if sample_weight is not None:
        return np.asarray(sample_weight[rows] @ X)
    if isinstance(X, np.ndarray):
        if X.dtype == np.float64:
            # BLAS adds rows five times as fast as numpy, whose loop is as short as a row.
            return np.ones(len(X)) @ X
        total: FloatArray = np.add.reduce(X, axis=0, dtype=np.float64)
        return total
    return np.asarray(X.sum(axis=0, dtype=np.float64)).ravel()


def _squared_deviation(
    X: Matrix, sample_weight: FloatArray | None, rows: slice, mean: FloatArray
) -> FloatArray:
    if isinstance(X, np.ndarray):
        Z = X - mean
        weights = np.ones(len(X)) if sample_weight is None else sample_weight[rows]
        return weights @ np.square(Z, out=Z)
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
        return _dense_row_norms(X, center, scale)
    if is_compiled(X):
        from skgrad._kernels import csr

        norms = np.empty(X.shape[0])
        offset = float(np.sum((center * scale) ** 2, dtype=np.float64))
        csr.squared_norms(X.data, X.indices, X.indptr, center, scale, offset, norms)
        return norms
    squares = X.copy()
    squares.data = X.data.astype(np.float64) ** 2
    shift = center * scale**2
    norms = squares @ (scale**2) - 2 * (X @ shift) + center @ shift
    return np.maximum(norms, 0.0)


def nonzero_sizes(X: Any) -> FloatArray:
    """Estimate the root mean square of the non-zeros of common columns of a CSR matrix."""
    step = max(1, X.nnz // SIZED_NONZEROS)
    columns, squares = X.indices[::step], np.square(X.data[::step], dtype=np.float64)
    counts = np.bincount(columns)
    common = counts >= COMMON
    mean: FloatArray = np.bincount(columns, weights=squares)[common] / counts[common]
    return np.sqrt(mean[mean > 0])


def _dense_row_norms(X: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    norms = np.empty(X.shape[0])
    if is_compiled(X):
        from skgrad._kernels.dense import squared_norms

        def fill(rows: slice) -> None:
            squared_norms(X[rows], center, scale, norms[rows])

        for _ in map_in_order(fill, list(row_blocks(X, MOMENT_BYTES))):
            pass
        return norms
    for rows in row_blocks(X):
        Z = (X[rows] - center) * scale
        np.einsum("ij,ij->i", Z, Z, out=norms[rows])
    return norms
