"""Products with a data matrix: the only place that tells dense arrays from CSR matrices.

Every function takes a block of rows. `row_blocks` cuts a matrix into blocks that stay in cache, so
that a product with X and the product with its transpose that follows read memory once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array, csr_matrix

from skgrad._threads import map_in_order
from skgrad._typing import FloatArray, IntArray, Matrix

# A block of this many bytes stays in a core's second-level cache (1-2 MB on current processors).
BLOCK_BYTES = 2 << 20
# Large data are cut into so many blocks, which may grow to this size: in the third-level cache they
# are read nearly as fast, and cost fewer calls (a pass over 437 MB: 16 ms, with 2 MB 20 ms).
N_BLOCKS = 64
LARGEST_BLOCK_BYTES = 8 << 20
# Sparse products wait for the vector's entries, not for the matrix: blocks are tasks for threads.
SPARSE_BLOCK_BYTES = 4 << 20
# Up to this density of the non-zeros a sparse Gram product beats densifying one block at a time.
SPARSE_GRAM_DENSITY = 0.02
# Loops over smaller arrays, or over fewer stored entries (which numpy visits some ten times as
# slowly), are not worth importing a compiler for.
COMPILED_SIZE = 1_000_000
COMPILED_ENTRIES = 100_000
# Sums over sparse rows are shared out to threads where a part has this many entries for each number
# that is summed: making and adding up a number costs about as much as one or two of them.
ENTRIES_PER_TOTAL = 4
MOST_PARTS = 8
# Rows of so many entries on average take longer than a wrong guess of where they end.
LONG_ROW = 64
# Rows are put in order of their length in chunks of this size: with half or four times of it,
# products of tf-idf rows took 5 per cent longer, with all rows at once 40.
ORDERED_BYTES = 1 << 18
# With fewer columns a general product beats the symmetric one (2000 x 20: 36 against 64
# microseconds), whose blocks are then mostly diagonal.
SYRK_COLUMNS = 50


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


def is_compiled(X: Matrix) -> bool:
    """Tell whether compiled products walk over X: they go along rows."""
    return worth_compiling(X) and (not isinstance(X, np.ndarray) or X.flags.c_contiguous)


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
        n_bytes = X.nbytes
        size = size or max(BLOCK_BYTES, min(n_bytes // N_BLOCKS, LARGEST_BLOCK_BYTES))
    else:
        # An even number of blocks, all alike: two threads end at the same time.
        n_bytes, size = X.data.nbytes + X.indices.nbytes, size or SPARSE_BLOCK_BYTES
        size = n_bytes // (2 * math.ceil(n_bytes / (2 * size))) + n_bytes // n_samples
    yield from cut_rows(n_samples, n_bytes, size)


def cut_rows(n_samples: int, n_bytes: int, size: int | None = None) -> Iterator[slice]:
    """Cut rows that take so many bytes in all."""
    n_rows = max(1, n_samples * (size or BLOCK_BYTES) // max(n_bytes, 1))
    for start in range(0, n_samples, n_rows):
        yield slice(start, min(start + n_rows, n_samples))


def row_parts(X: csr_array | csr_matrix, n_totals: int) -> list[slice]:
    """Cut the rows of a CSR matrix into tasks for threads, each with this many sums of its own."""
    least, n_samples = max(COMPILED_ENTRIES, ENTRIES_PER_TOTAL * n_totals), X.shape[0]
    n_parts = MOST_PARTS
    while n_parts > 1 and X.nnz < n_parts * least:
        n_parts //= 2  # an odd number would leave one of two threads with nothing to do
    ends = [n_samples * k // n_parts for k in range(n_parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def take_rows(X: Matrix, rows: slice | IntArray) -> Matrix:
    """Select rows of X. A slice is a view, of a CSR matrix too (scipy's own slicing copies).

    But for a slice with a step of a CSR matrix, which is a copy.
    """
    if isinstance(rows, np.ndarray):
        return X.take(rows, axis=0) if isinstance(X, np.ndarray) else X[rows]
    if isinstance(X, np.ndarray):
        return X[rows]
    if rows.step not in (None, 1):
        return X[np.arange(X.shape[0])[rows]]
    indptr = X.indptr[rows.start : rows.stop + 1]
    stored = slice(indptr[0], indptr[-1])
    view = type(X)((len(indptr) - 1, X.shape[1]), dtype=X.dtype)
    # Not through the constructor: it copies slices shorter than half of the array.
    view.data, view.indices, view.indptr = X.data[stored], X.indices[stored], indptr - indptr[0]
    return view


def take_columns(X: Matrix, columns: IntArray) -> Matrix:
    """Copy columns."""
    return X.take(columns, axis=1) if isinstance(X, np.ndarray) else X[:, columns]


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


class RowOrder(NamedTuple):
    """An order of the rows of a CSR matrix that stays within chunks of so many rows."""

    rows: IntArray
    chunk: int


def short_rows_first(X: csr_array | csr_matrix) -> RowOrder:
    """Order rows so that compiled products meet rows of one length together, chunk by chunk.

    The processor then foresees where the loop over a row's entries ends. Else it guesses wrong in
    every row, which costs as much as ten entries (11 entries a row: 2.7 -> 1.7 nanoseconds for an
    entry, in both products). Long rows, for which that is little, stay in their order.
    """
    n_rows = X.shape[0]
    order = np.arange(n_rows, dtype=np.uint32 if n_rows < 1 << 32 else np.uint64)
    n_entries, entry_bytes = X.data.size, X.data.itemsize + X.indices.itemsize
    chunk = max(1, ORDERED_BYTES * n_rows // max(n_entries * entry_bytes, 1))
    if n_entries < LONG_ROW * n_rows:
        from skgrad._kernels.csr import order_by_length

        order_by_length(X.indptr, chunk, np.empty(2 * LONG_ROW, dtype=np.int64), order)
    return RowOrder(order, chunk)


def matmul(
    X: Matrix, coef: FloatArray, *, compiled: bool = False, order: RowOrder | None = None
) -> FloatArray:
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
    order : RowOrder, optional
        Order of the rows of a CSR matrix in that loop, from `short_rows_first`.
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

        order = short_rows_first(X) if order is None else order
        csr.matvec(X.data, X.indices, X.indptr, *order, vector, out[:, 0])
    return out


def rmatmul(
    X: Matrix, R: FloatArray, *, compiled: bool = False, order: RowOrder | None = None
) -> FloatArray:
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

        order = short_rows_first(X) if order is None else order
        rows = np.empty_like(order.rows)
        csr.rmatvec(X.data, X.indices, X.indptr, order.rows, vector, rows, out[0])
    return out


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
    few = 2 * np.count_nonzero(weights) < len(weights)
    return np.flatnonzero(weights) if few else None


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

    Without a copy of the columns of a CSR matrix, and in threads, where that is worth a compiled
    loop.
    """
    ones = np.ones(X.shape[0], dtype=X.dtype) if weights is None else weights
    if isinstance(X, np.ndarray) or not worth_compiling(X):
        X = take_columns(X, columns)
        return gram(X, weights, center), rmatmul(X, ones[:, None])[0] - ones.sum() * center
    position, n_columns = _positions(X, columns), len(columns)

    def part(rows: slice) -> tuple[FloatArray, FloatArray]:
        return _half_gram(take_rows(X, rows), ones[rows], position, n_columns)

    halves = iter(map_in_order(part, row_parts(X, n_columns**2)))
    half, sums = next(halves)
    for other_half, other_sums in halves:
        half += other_half
        sums += other_sums
    product = half + half.T
    if center.any():
        cross = np.outer(center, sums)
        product += ones.sum() * np.outer(center, center) - cross - cross.T
    return product, sums - ones.sum() * center


def _half_gram(
    X: csr_array | csr_matrix, weights: FloatArray, position: IntArray, n_columns: int
) -> tuple[FloatArray, FloatArray]:
    """Compute what makes a Gram matrix together with its transpose, and the sums of the columns."""
    from skgrad._kernels.columns import add_selected_gram

    longest = int(np.diff(X.indptr).max(initial=0)) + 1
    row_columns, row_values = np.empty(longest, position.dtype), np.empty(longest, X.dtype)
    sums, half = np.zeros(n_columns), np.zeros((n_columns, n_columns))
    add_selected_gram(
        X.data, X.indices, X.indptr, weights, position, row_columns, row_values, sums, half
    )
    return half, sums


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
    """Give columns their number in this order, and -1 to all others."""
    position = np.full(X.shape[1], -1, dtype=X.indices.dtype)
    position[columns] = np.arange(len(columns), dtype=position.dtype)
    return position


def column_extremes(X: Matrix, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Compute the least and the largest entry of each column over some rows, a block at a time."""
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    n_blocks = sum(1 for _ in row_blocks(X))
    for part in np.array_split(rows, max(1, n_blocks * len(rows) // X.shape[0])):
        block = take_rows(X, part)
        np.minimum(low, to_array(block.min(axis=0)), out=low)
        np.maximum(high, to_array(block.max(axis=0)), out=high)
    return low, high
