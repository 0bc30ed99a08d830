"""Loops over single rows of a matrix: coordinate ascent in the dual of a smooth loss.

A matrix is ``(data, indices, indptr, n_columns)`` as in `skgrad._kernels.dual`, and products with a
row are written out for the same reason.
"""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._kernels.losses import dual_step
from skgrad._kernels.prefetch import ask_for_row, prefetch
from skgrad._typing import FloatArray, IntArray

# A sparse row's numbers are asked for so many rows ahead, and where they are stored twice as many:
# an epoch over tf-idf rows then takes two thirds of the time (4 or 16 do as well).
AHEAD = 8


@compiled
def ascend(
    data: FloatArray, indices: IntArray, indptr: IntArray, n_columns: int,
    rows: IntArray, first: int, stride: int, count: int, formula: int, parameter: float,
    y: FloatArray, weight: FloatArray, share: float, stretch: float, stiffness: float,
    learning_rate: float, theta: FloatArray, v: FloatArray, intercept: float,
) -> tuple[float, float]:  # fmt: skip
    """Improve the dual variables of ``count`` of these rows, or of all if there are none.

    At the positions first, first + stride, and so on, cyclically.

    A row's raw prediction is x_i'v + intercept, its weight in the objective weight_i, or ``share``
    if there are no weights. A change d of theta_i moves v by -stretch weight_i d x_i, and the
    intercept as a feature of the squared size ``stiffness`` would. theta and v change in place.

    Returns
    -------
    total, ascent : float
        Weighted sum of all changes of theta, and about twice the increase of the dual.
    """
    is_dense, listed = len(indptr) == 0, len(rows) > 0
    n_places, here = len(rows) if listed else len(theta), first
    near = (first + AHEAD * stride) % n_places
    far = (near + AHEAD * stride) % n_places
    total, ascent = 0.0, 0.0
    for _ in range(count):
        if not is_dense:
            later = rows[far] if listed else far
            prefetch(indptr, later)
            prefetch(y, later)
            prefetch(theta, later)
            ask_for_row(data, indices, indptr[rows[near] if listed else near])
            near, far = following(near, stride, n_places), following(far, stride, n_places)
        i = rows[here] if listed else here
        here = following(here, stride, n_places)
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
        change, slope = dual_step(formula, parameter, y[i], raw, theta[i], pull)
        change *= learning_rate
        if change == 0.0:
            continue
        theta[i] += change
        change *= row_weight
        total += change
        ascent += change * slope
        change *= -stretch
        intercept += stiffness * change
        if is_dense:
            for j in range(n_columns):
                v[j] += change * data[i * n_columns + j]
        else:
            for k in range(indptr[i], indptr[i + 1]):
                v[indices[k]] += change * data[k]
    return total, ascent


@compiled
def following(place: int, stride: int, n_places: int) -> int:
    """Step to the next place, cyclically."""
    place += stride
    return place - n_places if place >= n_places else place
