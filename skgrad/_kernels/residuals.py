"""The squared error over arrays in C order."""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._kernels.dense import matvec, rmatvec
from skgrad._typing import FloatArray


@compiled
def squared_error(
    X: FloatArray, y: FloatArray, weight: FloatArray, coef: FloatArray, shift: float,
    residual: FloatArray, gradient: FloatArray,
) -> tuple[float, float]:  # fmt: skip
    """Add sum_i weight_i r_i x_i to gradient; return sum_i weight_i r_i^2 and sum_i weight_i r_i.

    With r = X coef + shift - y, as many rows at a time as ``residual`` is long, so that they are
    still in cache for the second product. An empty weight is ones.
    """
    squares, total = 0.0, 0.0
    for start in range(0, len(X), len(residual)):
        stop = min(start + len(residual), len(X))
        part, r = X[start:stop], residual[: stop - start]
        matvec(part, coef, r)
        for i in range(len(r)):
            difference = r[i] + shift - y[start + i]
            weighted = difference * weight[start + i] if len(weight) > 0 else difference
            squares += weighted * difference
            total += weighted
            r[i] = weighted
        rmatvec(part, r, gradient)
    return squares, total
