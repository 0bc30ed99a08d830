"""Loops from float64 to float32."""

from __future__ import annotations

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray


@compiled
def shift_and_scale(
    X: FloatArray, shift: FloatArray, scale: FloatArray, root: FloatArray, out: FloatArray
) -> None:
    """Write root_i [(x_i - shift) * scale, 1] to the first columns of out; an empty root is ones.

    Subtracted before the digits are cut off: columns may be far from zero.
    """
    n_samples, n_features = X.shape
    for i in range(n_samples):
        factor = root[i] if len(root) > 0 else 1.0
        for j in range(n_features):
            out[i, j] = (X[i, j] - shift[j]) * scale[j] * factor
        out[i, n_features] = factor
