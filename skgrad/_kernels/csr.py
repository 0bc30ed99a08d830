"""Loops over CSR matrices.

Indices are cast to unsigned integers: numba else checks every one of them for counting from the
end, which makes the loops half as slow again.
"""

from __future__ import annotations

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.prefetch import ask_for_row
from skgrad._typing import FloatArray, IntArray

unsigned = np.uint64
# The product with the transpose asks for a row's numbers so many rows ahead: with half of that it
# took 5 per cent longer out of the third-level cache, with a quarter 10.
AHEAD = 16


@compiled
def order_by_length(indptr: IntArray, chunk: int, first: IntArray, order: IntArray) -> None:
    """Sort the rows of each chunk by their number of entries, stably.

    The lengths of ``first`` and more count as one. Counting sort: O(n_rows + n_chunks len(first)).
    """
    n_rows, longest = len(order), len(first) - 1
    for start in range(0, n_rows, chunk):
        stop = min(start + chunk, n_rows)
        first[:] = 0
        for i in range(start, stop):
            first[min(indptr[i + 1] - indptr[i], longest)] += 1
        place = start
        for length in range(longest + 1):
            count = first[length]
            first[length] = place
            place += count
        for i in range(start, stop):
            length = min(indptr[i + 1] - indptr[i], longest)
            order[first[length]] = i
            first[length] += 1


@compiled
def matvec(
    data: FloatArray, indices: IntArray, indptr: IntArray, order: IntArray, chunk: int,
    v: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Compute X @ v, row by row in this order, which stays within chunks of so many rows.

    What is in memory is asked for in the order in which it is stored, a chunk ahead: so it arrives
    at the speed of memory, whereas to ask in the order of use, some rows ahead, took 1.5 times as
    long, and not to ask twice as long.
    """
    n_rows = len(order)
    for s in range(n_rows):
        ask_for_row(data, indices, unsigned(indptr[min(s + chunk, n_rows)]))
        i, total = unsigned(order[s]), 0.0
        for k in range(unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])):
            total += data[k] * v[unsigned(indices[k])]
        out[i] = total


@compiled
def rmatvec(
    data: FloatArray, indices: IntArray, indptr: IntArray, order: IntArray, r: FloatArray,
    rows: IntArray, out: FloatArray,
) -> None:  # fmt: skip
    """Add X.T @ r to out; rows without a share, such as those beyond a margin, cost nothing.

    The others are first listed in ``rows``, of the length of order: each is written, and the next
    one over it if it has no share, as a branch that follows the data costs more than many a row.
    """
    n_rows = unsigned(0)
    for s in range(len(order)):
        rows[n_rows] = order[s]
        n_rows += unsigned(r[unsigned(order[s])] != 0.0)
    for s in range(n_rows):
        later = unsigned(rows[min(unsigned(s) + unsigned(AHEAD), n_rows - unsigned(1))])
        ask_for_row(data, indices, unsigned(indptr[later]))
        i = unsigned(rows[s])
        share = r[i]
        for k in range(unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])):
            out[unsigned(indices[k])] += data[k] * share


@compiled
def squared_norms(
    data: FloatArray, indices: IntArray, indptr: IntArray, center: FloatArray, scale: FloatArray,
    offset: float, out: FloatArray,
) -> None:  # fmt: skip
    """Compute |(x_i - center) * scale|^2 for each row; offset is |center * scale|^2."""
    for i in range(len(indptr) - 1):
        total = offset
        for k in range(unsigned(indptr[i]), unsigned(indptr[i + 1])):
            j = unsigned(indices[k])
            total += data[k] * (data[k] - 2.0 * center[j]) * scale[j] * scale[j]
        out[i] = max(total, 0.0)


@compiled
def squared_lengths(data: FloatArray, indptr: IntArray, out: FloatArray) -> None:
    """Compute |x_i|^2 for each row."""
    for i in range(len(indptr) - 1):
        total = 0.0
        for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            total += data[k] * data[k]
        out[i] = total
