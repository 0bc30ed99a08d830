"""Loops over single rows of a matrix: coordinate ascent in the dual of a loss with kinks.

A matrix is ``(data, indices, indptr, n_columns)``: CSR, or with an empty indptr the entries of a
C-contiguous array. Whatever is summed is float64, also for float32 data. The products with one row
are written out wherever they occur: as functions, they would count references to every array for
every row, which for rows of ten entries takes longer than the product.
"""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray


@compiled
def predict_rows(
    data: FloatArray, indices: IntArray, indptr: IntArray, n_columns: int, rows: IntArray,
    v: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Compute x_i'v for some rows."""
    is_dense = len(indptr) == 0
    for s in range(len(rows)):
        i, raw = rows[s], 0.0
        if is_dense:
            for j in range(n_columns):
                raw += data[i * n_columns + j] * v[j]
        else:
            for k in range(indptr[i], indptr[i + 1]):
                raw += data[k] * v[indices[k]]
        out[s] = raw


@compiled
def sum_rows(
    data: FloatArray, indices: IntArray, indptr: IntArray, n_columns: int, rows: IntArray,
    factors: FloatArray, v: FloatArray,
) -> None:  # fmt: skip
    """Add a linear combination of some rows to v."""
    is_dense = len(indptr) == 0
    for s in range(len(rows)):
        i, factor = rows[s], factors[s]
        if is_dense:
            for j in range(n_columns):
                v[j] += factor * data[i * n_columns + j]
        else:
            for k in range(indptr[i], indptr[i + 1]):
                v[indices[k]] += factor * data[k]


@compiled
def ascend(
    data: FloatArray, indices: IntArray, indptr: IntArray, n_columns: int, rows: IntArray,
    box: FloatArray, curvature: FloatArray, tilt: FloatArray, stiffness: float,
    alpha: FloatArray, v: FloatArray, total: float, shift: float,
) -> float:  # fmt: skip
    """Minimise over one dual variable after the other, in the order of ``rows``.

    The columns of ``box`` are lower and upper bound, target and half width of the tube. The raw
    prediction of a row is x_i'v + total tilt_i + shift, where ``total`` sums alpha; alpha and v
    move in place, the new total is returned.
    """
    is_dense = len(indptr) == 0
    for s in range(len(rows)):
        i, raw = rows[s], shift
        if is_dense:
            for j in range(n_columns):
                raw += data[i * n_columns + j] * v[j]
        else:
            for k in range(indptr[i], indptr[i + 1]):
                raw += data[k] * v[indices[k]]
        raw += total * tilt[i]
        new = best(alpha[i], raw, curvature[i], box[i, 0], box[i, 1], box[i, 2], box[i, 3])
        change = new - alpha[i]
        if change == 0.0:
            continue
        alpha[i] = new
        total += change
        shift += change * (tilt[i] - stiffness)
        if is_dense:
            for j in range(n_columns):
                v[j] -= change * data[i * n_columns + j]
        else:
            for k in range(indptr[i], indptr[i + 1]):
                v[indices[k]] -= change * data[k]
    return total


@compiled
def best(
    alpha: float, raw: float, curvature: float, lower: float, upper: float, target: float,
    tube: float,
) -> float:  # fmt: skip
    """Minimise over one dual variable: a Newton step, a soft threshold, and the box."""
    slope = target - raw
    if curvature > 0.0:
        alpha -= slope / curvature
        tube /= curvature
        if alpha > tube:
            alpha -= tube
        elif alpha < -tube:
            alpha += tube
        else:
            alpha = 0.0
        return min(max(alpha, lower), upper)
    if slope > tube:
        return lower
    return upper if slope < -tube else alpha
