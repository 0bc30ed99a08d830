"""Matrix products of layers, the large ones shared by two threads."""

from __future__ import annotations

import numpy as np

from skgrad._threads import side_by_side
from skgrad._typing import FloatArray, Matrix

# A product of so many multiplications takes about a millisecond. To hand a part to another thread
# and wait for it takes some 0.1 ms in Python: with products of 0.25 ms shared, an epoch of
# (20000, 50), two layers of 256 units and batches of 256 rows took 71 ms instead of 54.
SHARED_PRODUCT = 1 << 26
# Rows of a panel are a multiple of this, so that both threads run full kernels.
PANEL = 16


def product(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Write a @ b into out.

    Large products are always cut at the same row, also where one thread does both parts: results
    don't depend on the number of threads. (BLAS's own threads cut elsewhere, and change last bits.)
    """
    if a.shape[1] == 1:  # behind a single output; BLAS takes five times as long
        np.multiply(a, b, out=out)
        return
    n_rows = out.shape[0]
    half = (n_rows // 2 + PANEL - 1) // PANEL * PANEL
    if n_rows * a.shape[1] * out.shape[1] < SHARED_PRODUCT or half >= n_rows:
        np.matmul(a, b, out=out)
        return
    side_by_side(
        lambda: np.matmul(a[half:], b, out=out[half:]),
        lambda: np.matmul(a[:half], b, out=out[:half]),
    )


def affine(
    X: Matrix, inputs: FloatArray | None, weights: FloatArray, biases: FloatArray, out: FloatArray
) -> None:
    """Apply an affine map to the last layer's output, or to the batch itself if that is None."""
    if inputs is not None:
        product(weights, inputs, out)
    elif isinstance(X, np.ndarray):
        product(weights, X.T, out)
    else:
        out[...] = (X @ weights.T).T
    out += biases


def outer_product(delta: FloatArray, X: Matrix, inputs: FloatArray | None, out: FloatArray) -> None:
    """Sum the outer products of gradients and inputs over the rows of a batch."""
    if inputs is not None:
        product(delta, inputs.T, out)
    elif isinstance(X, np.ndarray):
        product(delta, X, out)
    else:
        out[...] = (X.T @ delta.T).T
