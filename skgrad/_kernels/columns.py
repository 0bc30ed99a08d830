"""Loops over the columns of a CSR matrix."""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray


@compiled
def column_sums(
    data: FloatArray, indices: IntArray, indptr: IntArray, weights: FloatArray, center: FloatArray,
    sums: FloatArray, squares: FloatArray, presence: FloatArray,
) -> None:  # fmt: skip
    """Add up weights, weighted deviations from the centre and their squares, of stored entries."""
    for i in range(len(indptr) - 1):
        weight = weights[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            deviation = data[k] - center[j]
            sums[j] += weight * deviation
            squares[j] += weight * deviation * deviation
            presence[j] += weight


@compiled
def count_selected(
    indices: IntArray, indptr: IntArray, position: IntArray, selected: IntArray
) -> None:
    """Write the row pointers of the columns whose position is not negative."""
    count = 0
    selected[0] = 0
    for i in range(len(indptr) - 1):
        for k in range(indptr[i], indptr[i + 1]):
            count += position[indices[k]] >= 0
        selected[i + 1] = count


@compiled
def gather_selected(
    data: FloatArray, indices: IntArray, indptr: IntArray, position: IntArray,
    selected_data: FloatArray, selected_indices: IntArray,
) -> None:  # fmt: skip
    """Copy the entries of the columns whose position is not negative; it is their new index."""
    filled = 0
    for k in range(indptr[0], indptr[-1]):
        column = position[indices[k]]
        if column >= 0:
            selected_data[filled] = data[k]
            selected_indices[filled] = column
            filled += 1


@compiled
def add_gram(
    data: FloatArray, indices: IntArray, indptr: IntArray, weights: FloatArray, total: FloatArray
) -> None:
    """Add terms to total so that total + total' is sum_i weights_i x_i x_i'.

    Columns of a row may come in any order, and more than once.
    """
    for i in range(len(indptr) - 1):
        for k in range(indptr[i], indptr[i + 1]):
            row, value = indices[k], weights[i] * data[k]
            for other in range(indptr[i], k):
                total[row, indices[other]] += value * data[other]
            total[row, row] += 0.5 * value * data[k]
