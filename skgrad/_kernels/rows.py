"""Products with single rows of a matrix, dense or CSR."""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray

# A test of an argument's ndim is decided when the loop is compiled: one source, two loops.


@compiled
def row_dot(
    data: FloatArray, indices: IntArray | None, indptr: IntArray | None, i: int, coef: FloatArray
) -> float:
    """Compute x_i'coef."""
    total = data.dtype.type(0.0)
    if data.ndim == 2:
        row = data[i]
        for j in range(len(coef)):
            total += row[j] * coef[j]
    else:
        for q in range(indptr[i], indptr[i + 1]):
            total += data[q] * coef[indices[q]]
    return total


@compiled
def add_row(
    data: FloatArray, indices: IntArray | None, indptr: IntArray | None, i: int, factor: float,
    total: FloatArray,
) -> None:  # fmt: skip
    """Add factor x_i in place."""
    if data.ndim == 2:
        row = data[i]
        for j in range(len(total)):
            total[j] += factor * row[j]
    else:
        for q in range(indptr[i], indptr[i + 1]):
            total[indices[q]] += factor * data[q]
