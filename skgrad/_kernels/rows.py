"""Products with single rows of a matrix, dense or CSR.

A test of ``data.ndim`` is decided when the loop is compiled: one source, two loops. Arrays come
whole, with the index of the row: to take a row as an array would cost as much as a short product.
For dense data ``indices`` and ``indptr`` are None.
"""

from __future__ import annotations

from typing import Any

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray


@compiled
def row_dot(
    data: FloatArray, indices: Any, indptr: Any, i: int,
    coef: FloatArray, c: int,
) -> float:  # fmt: skip
    """Compute x_i'coef_c."""
    total: Any = data.dtype.type(0.0)
    if data.ndim == 2:
        for j in range(data.shape[1]):
            total += data[i, j] * coef[c, j]
    else:
        for q in range(indptr[i], indptr[i + 1]):
            total += data[q] * coef[c, indices[q]]
    return total


@compiled
def add_row(
    data: FloatArray, indices: Any, indptr: Any, i: int, factor: float,
    total: FloatArray, c: int,
) -> None:  # fmt: skip
    """Add factor x_i to total_c in place."""
    if data.ndim == 2:
        for j in range(data.shape[1]):
            total[c, j] += factor * data[i, j]
    else:
        for q in range(indptr[i], indptr[i + 1]):
            total[c, indices[q]] += factor * data[q]
