"""What methods that work on a few columns at a time ask of an objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skgrad import gaps
from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.coordinate_penalty import CoordinatePenalty, Terms
from skgrad.linalg import COMPILED_SIZE, SparseColumns, is_small, sparse_columns, take_columns
from skgrad.losses import Loss
from skgrad.models import LinearModel, Selected, Standardization, StandardizedMatrix
from skgrad.rows import Batch, RowSum

# Largest share of an array that a copy of the working set's columns may be.
LARGEST_COPY = 0.05


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of an objective.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Data.
    rows : RowSum
        The same data, standardised.
    model, loss, penalty
        The objective's.
    curvature : float
        Typical curvature along a coordinate.
    """

    X: Matrix
    rows: RowSum
    model: LinearModel
    loss: Loss
    penalty: CoordinatePenalty
    curvature: float

    @property
    def are_many(self) -> bool:
        """Whether the data are worth compiled loops."""
        return self.X.shape[0] * self.X.shape[1] >= COMPILED_SIZE

    @property
    def can_be_walked(self) -> bool:
        """Whether coordinate descent over columns is on offer: see `ColumnWalk`."""
        elementary = self.penalty.penalty.l1_strength is not None and not self.loss.coupled
        return elementary and not isinstance(self.X, np.ndarray) and not is_small(self.X)

    def support(self, w: FloatArray) -> IntArray:
        """Find the columns that have a coefficient other than zero."""
        return np.flatnonzero(self.model.coef(w).any(axis=0))

    def violation(self, w: FloatArray, gradient: FloatArray) -> FloatArray:
        """Compute how far a proximal gradient step moves each column's coefficients: 0 if optimal.

        The largest move of any output's; shape (n_features,).
        """
        step = 1.0 / self.curvature
        moved = self.penalty.prox(w - step * gradient, step)
        return np.asarray(np.abs(self.model.coef(moved) - self.model.coef(w)).max(axis=0))

    def dual_bound(self, w: FloatArray, value: float, gradient: FloatArray) -> float:
        """Bound the duality gap by value and gradient at w, without a pass; see `skgrad.gaps`."""
        data = self.rows.data
        return gaps.dual_bound(data, self.model, self.loss, self.penalty, w, value, gradient)

    def curvature_weights(self, w: FloatArray) -> FloatArray:
        """Compute rows' weights times the loss's curvature at w, shape (n_samples, n_outputs)."""
        return np.concatenate([self._weights(block, w) for block in self.rows.blocks])

    def _weights(self, block: Batch, w: FloatArray) -> FloatArray:
        return block.weigh(self.loss.curvature(block.y, self.model.forward(w, block.A)))

    def hessian_product(self, w: FloatArray) -> HessianProduct:
        """Prepare products of vectors with the smooth part's Hessian at w."""
        return HessianProduct(self, w)

    def walk(self, columns: IntArray) -> ColumnWalk:
        """Gather some columns for coordinate descent."""
        scaling = self.penalty.standardization.select(columns)
        return ColumnWalk(sparse_columns(self.X, columns), scaling, self.model.select(columns))

    def select(self, columns: IntArray) -> RowSum:
        """Restrict the data: to a copy of columns where they are few enough, else to a view."""
        data, intercept = self.rows.data, self.model.fit_intercept
        few = len(columns) <= LARGEST_COPY * self.X.shape[1]
        if is_small(self.X) or (isinstance(self.X, np.ndarray) and few):
            X = take_columns(self.X, columns)
            scaling = self.penalty.standardization.select(columns)
            A = StandardizedMatrix.build(X, scaling, intercept=intercept)
            return RowSum.of(X, data._replace(A=A))
        view = Selected(data.A, columns, n_features=self.model.n_features, intercept=intercept)
        return RowSum(data._replace(A=view), self.rows.slices)


class HessianProduct:
    """Products with the Hessian of the smooth part at a point.

    For losses that treat outputs separately, the curvature is computed once and kept, one number
    for each row and output.

    Parameters
    ----------
    columns : Columns
        The data, and what is summed over them; a penalty that is not smooth is left out.
    w : array of shape (n_params,)
        The point.
    """

    def __init__(self, columns: Columns, w: FloatArray) -> None:
        self.model, self.loss, self.penalty = columns.model, columns.loss, columns.penalty
        self.rows, self.w = columns.rows, w
        self.separate = not self.loss.coupled
        if self.separate and not self.loss.quadratic:
            weighted = self.rows.data._replace(weight=columns.curvature_weights(w))
            self.rows = RowSum(weighted, self.rows.slices)

    def __call__(self, v: FloatArray) -> FloatArray:
        """Multiply the Hessian with v."""
        product: FloatArray = self.rows.reduce(self._product, v)
        if self.penalty.penalty.smooth:
            self.penalty.add_product(self.w, v, product)
        return product.astype(v.dtype, copy=False)

    def _product(self, block: Batch, v: FloatArray) -> FloatArray:
        curved = self.model.forward(v, block.A)
        if not self.separate:
            raw = self.model.forward(self.w, block.A)
            curved = self.loss.curvature_product(block.y, raw, curved)
        return self.model.backward(block.A, block.weigh(curved))


@dataclass(frozen=True, slots=True)
class ColumnWalk:
    """Some columns of CSR data, stored one after the other, for passes of coordinate descent.

    For losses that treat outputs separately and penalties that are sums of L1 and L2 terms, with
    lower bounds.
    """

    columns: SparseColumns
    scaling: Standardization
    model: LinearModel

    def minimise(
        self, weights: FloatArray, gradient: FloatArray, w: FloatArray, terms: Terms, *,
        forcing: float, accuracy: float, max_epochs: int,
    ) -> FloatArray:  # fmt: skip
        """Minimise the quadratic model at w, with curvature ``weights`` for each row and output.

        Until the decrease of a pass falls below a fraction of the first one's, or below an
        accuracy.
        """
        from skgrad._kernels.coordinate_descent import descend_columns

        p, m = self.model.n_features, self.model.row_length
        z, bent, work = w.astype(np.float64), np.zeros(len(weights)), np.zeros((2, p))
        for k in range(self.model.n_outputs):
            row = slice(k * m, (k + 1) * m)
            bent[:] = 0.0
            descend_columns(
                self.columns.data, self.columns.rows, self.columns.starts, self.scaling.center,
                self.scaling.scale, np.ascontiguousarray(weights[:, k]), bent, work[0], work[1],
                gradient[row], z[row], terms.l1[row], terms.l2[row], terms.lower[row],
                forcing, accuracy, max_epochs,
            )  # fmt: skip
        return z.astype(w.dtype, copy=False)
