"""Loops over single rows of a matrix: dual coordinate ascent for losses with kinks and without.

A matrix is ``(data, indices, indptr, n_columns)`` as in `skgrad._kernels.dual`, and products with a
row are written out for the same reason.
"""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._kernels.dual import best
from skgrad._kernels.losses import dual_step
from skgrad._kernels.prefetch import ask_for_row, prefetch
from skgrad._typing import FloatArray, IntArray

# Sparse rows are asked for so many rows ahead, and where they are stored twice as many.
AHEAD = 4


@compiled
def ascend_rows(
    data: FloatArray, indices: IntArray, indptr: IntArray, n_columns: int, center: FloatArray,
    rows: IntArray, formula: int, parameter: float, y: FloatArray,
    weight: FloatArray, share: float, box: FloatArray, l1: float, ridge: float, stiffness: float,
    theta: FloatArray, pulled: FloatArray, intercept: float,
) -> float:  # fmt: skip
    """Improve the dual variables of some rows, one after the other.

    ``pulled`` is -sum_i s_i theta_i x_i; a coefficient is its soft threshold at l1, over ridge. The
    intercept follows as the coefficient of a feature of the squared size ``stiffness``. ``box``
    holds lower and upper bound, target and half width of the tube of a loss with kinks; for a
    smooth one it has no rows. theta and pulled change in place; the change of the weighted sum of
    theta is returned. Only arrays are centred.
    """
    is_dense, has_box, n_rows, total = len(indptr) == 0, len(box) > 0, len(rows), 0.0
    for s in range(n_rows):
        if not is_dense and s + 2 * AHEAD < n_rows:
            later = rows[s + 2 * AHEAD]
            prefetch(indptr, later)
            prefetch(theta, later)
            ask_for_row(data, indices, indptr[rows[s + AHEAD]])
        i, raw, size = rows[s], 0.0, stiffness
        if is_dense:
            for j in range(n_columns):
                entry, own = data[i * n_columns + j] - center[j], pulled[j]
                raw += entry * (own - min(max(own, -l1), l1))
                size += entry * entry
        else:
            for k in range(indptr[i], indptr[i + 1]):
                own = pulled[indices[k]]
                raw += data[k] * (own - min(max(own, -l1), l1))
                size += data[k] * data[k]
        raw = raw / ridge + intercept
        row_weight = weight[i] if len(weight) > 0 else share
        pull = row_weight * size / ridge
        if has_box:
            new = best(theta[i], raw, pull, box[i, 0], box[i, 1], box[i, 2], box[i, 3])
            change = new - theta[i]
        else:
            change, _ = dual_step(formula, parameter, y[i], raw, theta[i], pull)
        theta[i] += change
        change *= row_weight
        if change != 0.0:
            total += change
            intercept -= stiffness / ridge * change
            if is_dense:
                for j in range(n_columns):
                    pulled[j] -= change * (data[i * n_columns + j] - center[j])
            else:
                for k in range(indptr[i], indptr[i + 1]):
                    pulled[indices[k]] -= change * data[k]
    return total
