"""Loops over single rows of a matrix: coordinate ascent in the dual of a smooth loss.

A matrix is ``(data, indices, indptr, n_columns)`` as in `skgrad._kernels.dual`, and products with a
row are written out for the same reason.
"""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._kernels.losses import slope_and_curvature
from skgrad._kernels.prefetch import ask_for_row, prefetch
from skgrad._typing import FloatArray, IntArray

# A step of up to twice the cautious one, which the largest curvature allows, decreases the dual.
BOLDEST = 1.5
# A sparse row's numbers are asked for so many rows ahead, and where they are stored twice as many:
# an epoch over tf-idf rows then takes two thirds of the time (4 or 16 do as well).
AHEAD = 8


@compiled
def ascend(
    data: FloatArray, indices: IntArray, indptr: IntArray, n_columns: int,
    first: int, stride: int, count: int, formula: int, parameter: float, max_curvature: float,
    y: FloatArray, weight: FloatArray, share: float, stretch: float, stiffness: float,
    learning_rate: float, theta: FloatArray, v: FloatArray, intercept: float,
) -> tuple[float, float]:  # fmt: skip
    """Improve the dual variables of ``count`` rows: first, first + stride, and so on, cyclically.

    A row's raw prediction is x_i'v + intercept, its weight in the objective weight_i, or ``share``
    if there are no weights. A change d of theta_i moves v by -stretch weight_i d x_i, and the
    intercept as a feature of the squared size ``stiffness`` would. theta and v change in place.

    Returns
    -------
    total, ascent : float
        Weighted sum of all changes of theta, and about twice the increase of the dual.
    """
    is_dense, n_rows, i = len(indptr) == 0, len(theta), first
    total, ascent = 0.0, 0.0
    near = (first + AHEAD * stride) % n_rows
    far = (near + AHEAD * stride) % n_rows
    for _ in range(count):
        if not is_dense:
            prefetch(indptr, far)
            prefetch(y, far)
            prefetch(theta, far)
            ask_for_row(data, indices, indptr[near])
            near, far = following(near, stride, n_rows), following(far, stride, n_rows)
        raw, size = intercept, stiffness
        if is_dense:
            for j in range(n_columns):
                value = data[i * n_columns + j]
                raw += value * v[j]
                size += value * value
        else:
            for k in range(indptr[i], indptr[i + 1]):
                raw += data[k] * v[indices[k]]
                size += data[k] * data[k]
        row_weight = weight[i] if len(weight) > 0 else share
        pull = stretch * row_weight * size
        slope, curvature = slope_and_curvature(formula, parameter, y[i], raw)
        surplus = slope - theta[i]
        step = 1.0 / (1.0 + pull * curvature)
        change = learning_rate * min(step, BOLDEST / (1.0 + pull * max_curvature)) * surplus
        theta[i] += change
        change *= row_weight
        total += change
        ascent += change * surplus
        change *= -stretch
        intercept += stiffness * change
        if change != 0.0:
            if is_dense:
                for j in range(n_columns):
                    v[j] += change * data[i * n_columns + j]
            else:
                for k in range(indptr[i], indptr[i + 1]):
                    v[indices[k]] += change * data[k]
        i = following(i, stride, n_rows)
    return total, ascent


@compiled
def following(i: int, stride: int, n_rows: int) -> int:
    """Step from a row to the next, cyclically."""
    i += stride
    return i - n_rows if i >= n_rows else i
