"""What a solver that walks in a few coordinates at a time asks of an objective."""

from __future__ import annotations

import numpy as np

from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.linalg import is_small, stored_entries, take_columns
from skgrad.losses import Loss
from skgrad.models import LinearModel, Selected, Standardization, StandardizedMatrix
from skgrad.rows import Batch, RowSum

# Largest share of the data that a copy of the working set's columns may hold: for arrays, whose
# columns beyond it are gathered block by block, and for CSR matrices, whose products with all
# columns cost little more.
LARGEST_COPY = 0.05
LARGEST_SPARSE_COPY = 0.5


def select(
    X: Matrix, rows: RowSum, model: LinearModel, scaling: Standardization, columns: IntArray
) -> RowSum:
    """Restrict data to some columns: a copy where they are few enough, else a view.

    ``scaling`` is that of the columns.
    """
    largest = LARGEST_COPY if isinstance(X, np.ndarray) else LARGEST_SPARSE_COPY
    if not is_small(X) and stored_entries(X, columns) > largest:
        view = Selected(
            rows.data.A, columns, n_features=model.n_features, intercept=model.fit_intercept
        )
        return RowSum(rows.data._replace(A=view), rows.slices)
    X = take_columns(X, columns)
    A = StandardizedMatrix.build(X, scaling, intercept=model.fit_intercept)
    return RowSum.of(X, rows.data._replace(A=A))


def violation(
    model: LinearModel, penalty: CoordinatePenalty, w: FloatArray, gradient: FloatArray,
    curvature: float,
) -> FloatArray:  # fmt: skip
    """Compute how far a proximal gradient step moves each column's coefficients: 0 if optimal.

    The largest move of any output's; shape (n_features,).
    """
    step = 1.0 / curvature
    moved = penalty.prox(w - step * gradient, step)
    return np.asarray(np.abs(model.coef(moved) - model.coef(w)).max(axis=0))


class HessianProduct:
    """Products with the Hessian of the smooth part at a point.

    For losses that treat outputs separately, the curvature is computed once and kept, one number
    for each row and output.

    Parameters
    ----------
    rows : RowSum
        The data.
    model, loss, penalty
        The objective's; a penalty that is not smooth is left out.
    w : array of shape (n_params,)
        The point.
    """

    def __init__(
        self, rows: RowSum, model: LinearModel, loss: Loss, penalty: CoordinatePenalty,
        w: FloatArray,
    ) -> None:  # fmt: skip
        self.model, self.loss, self.penalty, self.w = model, loss, penalty, w
        self.constant = loss.quadratic or not loss.coupled
        self.rows = rows
        if self.constant and not loss.quadratic:
            weights = np.concatenate([self._weights(block) for block in rows.blocks])
            self.rows = RowSum(rows.data._replace(weight=weights), rows.slices)

    def __call__(self, v: FloatArray) -> FloatArray:
        """Multiply the Hessian with v."""
        product: FloatArray = self.rows.reduce(self._product, v)
        if self.penalty.penalty.smooth:
            self.penalty.add_product(self.w, v, product)
        return product.astype(v.dtype, copy=False)

    def _weights(self, block: Batch) -> FloatArray:
        raw = self.model.forward(self.w, block.A)
        return block.weigh(self.loss.curvature(block.y, raw))

    def _product(self, block: Batch, v: FloatArray) -> FloatArray:
        curved = self.model.forward(v, block.A)
        if not self.constant:
            raw = self.model.forward(self.w, block.A)
            curved = self.loss.curvature_product(block.y, raw, curved)
        return self.model.backward(block.A, block.weigh(curved))
