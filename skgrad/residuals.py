"""The squared error and its gradient in one pass over an array, at the speed of memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import FloatArray, Matrix
from skgrad.linalg import is_compiled, row_blocks
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.rows import Batch

# A task for a thread.
TASK_BYTES = 16 << 20
# Rows between the product with X and the one with its transpose: half of a second-level cache.
# (With blocks of 5 MB, out of the third level, a pass took half as long again.)
BLOCK_BYTES = 1 << 19


class Residuals(NamedTuple):
    """Least squares with one output and dense data: what a pass over the rows needs."""

    X: FloatArray
    data: Batch
    model: LinearModel
    scaling: Standardization

    @staticmethod
    def of(
        X: Matrix, data: Batch, model: LinearModel, loss: Loss, scaling: Standardization
    ) -> Residuals | None:
        """Return None for other losses, more outputs, and data that no compiled loop walks over."""
        if not loss.quadratic or model.n_outputs > 1 or not is_compiled(X):
            return None
        return Residuals(X, data, model, scaling) if isinstance(X, np.ndarray) else None

    def value_and_gradient(self, w: FloatArray) -> tuple[float, FloatArray]:
        """Compute the loss, and its gradient in the solver's coordinates."""
        from skgrad._kernels.residuals import squared_error

        X, data, p = self.X, self.data, self.model.n_features
        user = self.scaling.to_user(self.model.rows(w))[0]
        coef, shift = user[:p].copy(), float(user[p:].sum())
        y, weight = data.y[:, 0], np.empty(0) if data.weight is None else data.weight[:, 0]
        n_rows = max(1, BLOCK_BYTES // (p * X.itemsize))

        def add(rows: slice) -> tuple[float, float, FloatArray]:
            gradient, residual = np.zeros(p), np.empty(n_rows, dtype=X.dtype)
            sums = squared_error(X[rows], y[rows], weight[rows], coef, shift, residual, gradient)
            return *sums, gradient

        squares, total, gradient = 0.0, 0.0, np.zeros((1, p))
        for part in map_in_order(add, list(row_blocks(X, TASK_BYTES))):
            squares, total, gradient[0] = squares + part[0], total + part[1], gradient[0] + part[2]
        share = data.share if data.weight is None else 1.0
        pulled = np.full_like(w, share * total)
        gradient -= total * self.scaling.center
        self.model.coef(pulled)[...] = share * self.scaling.pull(gradient)
        return 0.5 * share * squares, pulled
