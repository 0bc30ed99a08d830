"""Coordinate descent on quadratic models with an elastic-net penalty and lower bounds.

Coordinate j costs l1_j |z_j| + l2_j z_j^2 / 2, and may not be below lower_j. Each pass returns to
coordinates that were zero and stayed there only when all others have settled.
"""

from __future__ import annotations

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray

unsigned = np.uint64

# Zeros whose slope is this far inside the interval of the penalty's are left alone.
CERTAIN = 0.5


@compiled
def minimiser(
    slope: float, curvature: float, old: float, l1: float, l2: float, lower: float
) -> float:
    """Minimise along a coordinate; slope and curvature are those of the quadratic part at old."""
    target = curvature * old - slope
    if target > l1:
        return (target - l1) / (curvature + l2)
    if target < -l1:
        return max((target + l1) / (curvature + l2), lower)
    return 0.0


@compiled
def descend_gram(
    H: FloatArray, slope: FloatArray, z: FloatArray, l1: FloatArray, l2: FloatArray,
    lower: FloatArray, accuracy: float, max_epochs: int,
) -> bool:  # fmt: skip
    """Minimise with the Hessian at hand; z and the slope of the quadratic part change in place.

    Tells whether a pass over all coordinates decreased the function by no more than the accuracy.
    """
    everything = True
    for _ in range(max_epochs):
        decrease = 0.0
        for j in range(len(z)):
            curvature, old = H[j, j], z[j]
            if curvature + l2[j] <= 0.0 or not (everything or old != 0.0):
                continue
            change = minimiser(slope[j], curvature, old, l1[j], l2[j], lower[j]) - old
            if change != 0.0:
                z[j] = old + change
                decrease += 0.5 * (curvature + l2[j]) * change * change
                for k in range(len(z)):
                    slope[k] += change * H[j, k]
        if decrease <= accuracy:
            if everything:
                return True
            everything = True
        else:
            everything = False
    return False


@compiled
def descend_columns(
    data: FloatArray, rows: IntArray, starts: IntArray, center: FloatArray, scale: FloatArray,
    bends: FloatArray, crosses: FloatArray, curvatures: FloatArray, gradient: FloatArray,
    z: FloatArray, l1: FloatArray, l2: FloatArray, lower: FloatArray,
    forcing: float, accuracy: float, max_epochs: int,
) -> tuple[float, int]:  # fmt: skip
    """Minimise with the Hessian A' diag(weights) A, A = [(X - center) scale, 1], X by columns.

    z changes in place; gradient is the quadratic part's at the first z. If z is longer than the
    number of columns, its last entry belongs to the ones. A row of ``bends`` holds a row's weight
    and its entry of X scale (z - first z), zero at first; what centres and ones add to it is the
    same for all rows, and returned, with the number of passes. Ends when the decrease of a pass
    falls below a fraction of the first pass's, or below the accuracy.
    """
    n_columns, total_weight = len(starts) - 1, bends[:, 0].sum()
    shift, bent, goal = 0.0, 0.0, accuracy
    for epoch in range(max_epochs):
        decrease = 0.0
        for j in range(n_columns):
            if z[j] == 0.0 and (epoch > 0 or abs(gradient[j]) < CERTAIN * l1[j]):
                continue
            product, cross, square = 0.0, 0.0, 0.0
            for k in range(unsigned(starts[j]), unsigned(starts[j + 1])):
                row = unsigned(rows[k])
                weighted = bends[row, 0] * data[k]
                product += weighted * bends[row, 1]
                if epoch == 0:
                    cross += weighted
                    square += weighted * data[k]
            if epoch == 0:
                crosses[j] = cross
                square += center[j] * (center[j] * total_weight - 2.0 * cross)
                curvatures[j] = square * scale[j] * scale[j]
            if curvatures[j] + l2[j] <= 0.0:
                continue
            product += shift * crosses[j] - center[j] * (bent + shift * total_weight)
            slope = gradient[j] + scale[j] * product
            change = minimiser(slope, curvatures[j], z[j], l1[j], l2[j], lower[j]) - z[j]
            if change != 0.0:
                z[j] += change
                decrease += 0.5 * (curvatures[j] + l2[j]) * change * change
                move = change * scale[j]
                for k in range(unsigned(starts[j]), unsigned(starts[j + 1])):
                    bends[unsigned(rows[k]), 1] += move * data[k]
                bent += move * crosses[j]
                shift -= move * center[j]
        if len(z) > n_columns:
            change = -(gradient[n_columns] + bent + shift * total_weight) / total_weight
            z[n_columns] += change
            shift += change
            decrease += 0.5 * total_weight * change * change
        if epoch == 0:
            goal = max(forcing * decrease, accuracy)
        if decrease <= goal:
            break
    return shift, epoch + 1
