"""What methods that work on a few columns at a time ask of an objective."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from skgrad import gaps
from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.coordinate_penalty import CoordinatePenalty, Terms
from skgrad.linalg import (
    COMPILED_SIZE,
    SparseColumns,
    cut_rows,
    is_small,
    sparse_columns,
    take_columns,
)
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
        return elementary and self.are_many and not isinstance(self.X, np.ndarray)

    def support(self, w: FloatArray) -> Array:
        """Tell which columns have a coefficient other than zero, shape (n_features,)."""
        return np.asarray(self.model.coef(w).any(axis=0))

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

    def dual_bound_is_proof(self, value: float, gradient: FloatArray) -> bool:
        """Tell whether `dual_bound` holds without ifs; see `skgrad.gaps`."""
        return gaps.dual_bound_is_proof(self.model, self.loss, value, gradient)

    def raw(self, w: FloatArray) -> FloatArray:
        """Compute the raw predictions of all rows, shape (n_samples, n_outputs)."""
        return np.concatenate([self.model.forward(w, block.A) for block in self.rows.blocks])

    def curvature_weights(self, raw: FloatArray) -> FloatArray:
        """Compute rows' weights times the loss's curvature, of raw's shape."""
        data = self.rows.data
        return data.weigh(self.loss.curvature(data.y, raw))

    def value_and_gradient(self, raw: FloatArray) -> tuple[float, FloatArray]:
        """Compute the loss and its gradient in the parameters where raw predictions are known."""
        data = self.rows.data
        values, slopes = self.loss.value_and_gradient(data.y, raw)
        weighted = RowSum(data._replace(weight=data.weigh(slopes)), self.rows.slices)
        gradient: FloatArray = weighted.reduce(self._pull)
        return data.sum(values), gradient.astype(raw.dtype, copy=False)

    def _pull(self, block: Batch) -> FloatArray:
        assert block.weight is not None
        return self.model.backward(block.A, block.weight)

    def walk(self, columns: IntArray) -> ColumnWalk:
        """Gather some columns for coordinate descent."""
        scaling = self.penalty.standardization.select(columns)
        return ColumnWalk(sparse_columns(self.X, columns), scaling, self.model.select(columns))

    def select(self, columns: IntArray) -> RowSum:
        """Restrict the data: to a copy of columns where they are few enough, else to a view."""
        data, intercept = self.rows.data, self.model.fit_intercept
        few = len(columns) <= LARGEST_COPY * self.X.shape[1]
        # A view of sparse data pads coefficients with zeros, in each block for each output.
        if is_small(self.X) or (few if isinstance(self.X, np.ndarray) else self.loss.coupled):
            X = take_columns(self.X, columns)
            scaling = self.penalty.standardization.select(columns)
            A = StandardizedMatrix.build(X, scaling, intercept=intercept)
            return RowSum.of(X, data._replace(A=A))
        dense = isinstance(self.X, np.ndarray)
        view = partial(
            Selected, columns=columns, n_features=self.model.n_features, intercept=intercept,
            threaded_gram=not dense,
        )  # fmt: skip
        if dense:
            # Blocks of the columns' size: a Gram product of few rows would mostly add up matrices.
            n_bytes = self.X.shape[0] * len(columns) * self.X.dtype.itemsize
            slices = list(cut_rows(self.X.shape[0], n_bytes))
            return RowSum(data._replace(A=view(data.A)), slices)
        whole, *blocks = (rows._replace(A=view(rows.A)) for rows in (data, *self.rows.blocks))
        return RowSum(whole, self.rows.slices, blocks)


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
    ) -> tuple[FloatArray, FloatArray, int]:  # fmt: skip
        """Minimise the quadratic model at w, with curvature ``weights`` for each row and output.

        Until the decrease of a pass falls below a fraction of the first one's, or below an
        accuracy. Returns the minimiser, the change of the raw predictions, and the number of
        passes.
        """
        from skgrad._kernels.coordinate_descent import descend_columns

        p, m, most = self.model.n_features, self.model.row_length, 0
        z, raw_change, work = w.astype(np.float64), np.empty(weights.shape), np.zeros((2, p))
        for k in range(self.model.n_outputs):
            row = slice(k * m, (k + 1) * m)
            bends = np.column_stack([weights[:, k], np.zeros(len(weights))])
            shift, n_passes = descend_columns(
                self.columns.data, self.columns.rows, self.columns.starts, self.scaling.center,
                self.scaling.scale, bends, work[0], work[1], gradient[row], z[row],
                terms.l1[row], terms.l2[row], terms.lower[row], forcing, accuracy, max_epochs,
            )  # fmt: skip
            raw_change[:, k] = bends[:, 1] + shift
            most = max(most, n_passes)
        return z.astype(w.dtype, copy=False), raw_change.astype(w.dtype, copy=False), most
