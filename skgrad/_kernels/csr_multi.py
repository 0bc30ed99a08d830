"""Products of a CSR matrix with many vectors at once.

Coefficients are stored feature by feature, shape (n_features, n_outputs): a stored number of X then
meets neighbours in memory. Predictions of a block are stored output by output, as the losses want
them; a block is small enough to stay in cache.
"""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray


@compiled
def forward(
    data: FloatArray, indices: IntArray, indptr: IntArray, start: int,
    coef: FloatArray, row: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Write X coef for the rows from `start`, as many as `out` (n_outputs, n_rows) has."""
    n_outputs = coef.shape[1]
    for i in range(out.shape[1]):
        for k in range(n_outputs):
            row[k] = 0.0
        for e in range(indptr[start + i], indptr[start + i + 1]):
            x, j = data[e], indices[e]
            for k in range(n_outputs):
                row[k] += x * coef[j, k]
        for k in range(n_outputs):
            out[k, i] = row[k]


@compiled
def backward(
    data: FloatArray, indices: IntArray, indptr: IntArray, start: int,
    slopes: FloatArray, row: FloatArray, total: FloatArray,
) -> None:  # fmt: skip
    """Add X' slopes' for the rows from `start` to `total`, (n_features, n_outputs).

    `slopes` has shape (n_outputs, n_rows).
    """
    n_outputs = total.shape[1]
    for i in range(slopes.shape[1]):
        for k in range(n_outputs):
            row[k] = slopes[k, i]
        for e in range(indptr[start + i], indptr[start + i + 1]):
            x, j = data[e], indices[e]
            for k in range(n_outputs):
                total[j, k] += x * row[k]
