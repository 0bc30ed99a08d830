"""Loops over the columns of a CSR matrix."""

from __future__ import annotations

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray

# An index that cannot be negative saves the test for one that counts from the end.
unsigned = np.uint64


@compiled
def column_squares(
    data: FloatArray, indices: IntArray, indptr: IntArray, weights: FloatArray, squares: FloatArray
) -> None:
    """Add up weighted squares of each column; rows without weight cost nothing.

    Empty weights are all one. Nobody then asks where a row ends, which the processor cannot
    foresee: rows of ten entries take a third of the time.
    """
    if len(weights) == 0:
        for k in range(unsigned(len(data))):
            value = np.float64(data[k])
            squares[unsigned(indices[k])] += value * value
    for i in range(len(weights)):
        weight = weights[i]
        if weight != 0.0:
            for k in range(unsigned(indptr[i]), unsigned(indptr[i + 1])):
                squares[unsigned(indices[k])] += weight * data[k] * data[k]


@compiled
def column_sums(
    data: FloatArray, indices: IntArray, indptr: IntArray, weights: FloatArray, center: FloatArray,
    totals: FloatArray,
) -> None:  # fmt: skip
    """Add up weighted deviations from the centre, their squares, and weights, of stored entries.

    One row of totals for each column: its three numbers share a cache line. Empty weights are all
    one.
    """
    if len(weights) == 0:
        for k in range(unsigned(len(data))):
            j = unsigned(indices[k])
            deviation = data[k] - center[j]
            totals[j, 0] += deviation
            totals[j, 1] += deviation * deviation
            totals[j, 2] += 1.0
    for i in range(len(weights)):
        weight = weights[i]
        for k in range(unsigned(indptr[i]), unsigned(indptr[i + 1])):
            j = unsigned(indices[k])
            deviation = data[k] - center[j]
            totals[j, 0] += weight * deviation
            totals[j, 1] += weight * deviation * deviation
            totals[j, 2] += weight


@compiled
def add_selected_gram(
    data: FloatArray, indices: IntArray, indptr: IntArray, weights: FloatArray, position: IntArray,
    columns: IntArray, values: FloatArray, sums: FloatArray, total: FloatArray,
) -> None:  # fmt: skip
    """Add sum_i weights_i x_i to sums, and terms to total whose sum with total' is the Gram matrix.

    Of the columns whose position, their new index, is not negative. A row's entries are first
    packed into ``columns`` and ``values``: each is written, and the next one over it if it is not
    wanted, as a branch that follows the data costs three times as much. Columns of a row may come
    in any order, and more than once.
    """
    for i in range(len(indptr) - 1):
        n_packed = unsigned(0)
        for k in range(unsigned(indptr[i]), unsigned(indptr[i + 1])):
            column = position[unsigned(indices[k])]
            columns[n_packed] = column
            values[n_packed] = data[k]
            n_packed += unsigned(column >= 0)
        for k in range(n_packed):
            row, value = unsigned(columns[k]), weights[i] * values[k]
            for other in range(k):
                total[row, unsigned(columns[other])] += value * values[other]
            total[row, row] += 0.5 * value * values[k]
            sums[row] += value


@compiled
def count_entries(indices: IntArray, position: IntArray, starts: IntArray) -> None:
    """Add up the entries of each column at its position + 1; at 0 those of position -1."""
    for k in range(len(indices)):
        starts[unsigned(position[unsigned(indices[k])] + 1)] += 1


@compiled
def transpose_columns(
    data: FloatArray, indices: IntArray, indptr: IntArray, position: IntArray,
    ends: IntArray, values: FloatArray, rows: IntArray,
) -> None:  # fmt: skip
    """Write entries column by column; ends holds where each column starts, and then ends."""
    for i in range(len(indptr) - 1):
        for k in range(unsigned(indptr[i]), unsigned(indptr[i + 1])):
            column = position[unsigned(indices[k])]
            if column >= 0:
                place = unsigned(ends[unsigned(column)])
                values[place] = data[k]
                rows[place] = i
                ends[unsigned(column)] += 1
