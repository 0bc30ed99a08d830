"""Loops over CSR matrices.

Indices are cast to unsigned integers: numba else checks every one of them for counting from the
end, which makes the loops half as slow again.
"""

from __future__ import annotations

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray


@compiled
def matvec(
    data: FloatArray, indices: IntArray, indptr: IntArray, v: FloatArray, out: FloatArray
) -> None:
    """Compute X @ v."""
    for i in range(len(indptr) - 1):
        total = 0.0
        for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            total += data[k] * v[np.uint64(indices[k])]
        out[i] = total


@compiled
def rmatvec(
    data: FloatArray, indices: IntArray, indptr: IntArray, r: FloatArray, out: FloatArray
) -> None:
    """Add X.T @ r to out; rows without a share, such as those beyond a margin, cost nothing."""
    for i in range(len(indptr) - 1):
        share = r[i]
        if share != 0.0:
            for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                out[np.uint64(indices[k])] += data[k] * share


@compiled
def squared_norms(
    data: FloatArray, indices: IntArray, indptr: IntArray, center: FloatArray, scale: FloatArray,
    offset: float, out: FloatArray,
) -> None:  # fmt: skip
    """Compute |(x_i - center) * scale|^2 for each row; offset is |center * scale|^2."""
    for i in range(len(indptr) - 1):
        total = offset
        for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint64(indices[k])
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
