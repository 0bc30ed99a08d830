"""Loops over CSR matrices."""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray


@compiled
def matvec(
    data: FloatArray, indices: IntArray, indptr: IntArray, v: FloatArray, out: FloatArray
) -> None:
    """Compute X @ v."""
    for i in range(len(indptr) - 1):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * v[indices[k]]
        out[i] = total


@compiled
def rmatvec(
    data: FloatArray, indices: IntArray, indptr: IntArray, r: FloatArray, out: FloatArray
) -> None:
    """Add X.T @ r to out; rows without a share, such as those beyond a margin, cost nothing."""
    for i in range(len(indptr) - 1):
        share = r[i]
        if share != 0.0:
            for k in range(indptr[i], indptr[i + 1]):
                out[indices[k]] += data[k] * share
