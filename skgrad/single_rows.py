"""The loss as a sum of functions of single rows, walked over by compiled loops."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from skgrad._kernels.arguments import Losses
from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.finite_sum import Blocks, Estimator, FiniteSum, Memory
from skgrad.linalg import has_contiguous_rows, row_storage, worth_compiling
from skgrad.losses import Loss
from skgrad.models import Standardization
from skgrad.penalties import Penalty
from skgrad.rows import Batch


class Strides(NamedTuple):
    """Steps of each coefficient, those of the dense terms, the intercept's, and the penalty."""

    stride: FloatArray
    longer: FloatArray
    intercept: float
    shrinkage: tuple[float, float, bool]


class SingleRows(FiniteSum):
    """Parts are rows, walked over by compiled loops, outputs on their own where they are separate.

    Rows of a CSR matrix change the coefficients of their non-zeros only. The dense terms, mean
    gradient and penalty, are left out for the others, and made up for by longer steps, 1 / p_j for
    a feature that the row drawn has with a probability of p_j: their mean is right, and nothing
    has to be remembered or made good later (Pedregosa et al. 2017).

    References
    ----------
    F. Pedregosa, R. Leblond and S. Lacoste-Julien (2017). Breaking the nonsmooth barrier: a
    scalable parallel method for composite optimization. NeurIPS 30, section 2.
    """

    penalty_by_prox: ClassVar[bool] = True

    def _sizes(self) -> FloatArray:
        data, weight = self._data, self._data.row_weights()
        return data.A.unrotated_norms() * (data.share if weight is None else weight)

    def _walk(
        self, w: FloatArray, memory: Memory, order: IntArray, how: Estimator, step_size: float
    ) -> tuple[FloatArray, Memory, float]:
        model, scaling = self._model, self._penalty.standardization
        p = model.n_features
        coef = model.coef(w) * scaling.scale
        mean = memory.gradient[:, :p] * scaling.inverse_scale
        ends = np.zeros((model.n_outputs, 2))
        if model.fit_intercept:
            ends[:, 0], ends[:, 1] = model.intercept(w), memory.gradient[:, p]
        strides = self._strides(step_size, coef)
        gain = np.empty(0) if self._chances is None else 1.0 / (self.n_parts * self._chances)
        if self._loss.coupled:
            loss = self._walk_classes(order, gain, how, strides, memory.slopes, mean, coef, ends)
        else:
            loss = 0.0
            for c in range(model.n_outputs):
                slopes = np.ascontiguousarray(memory.slopes[:, c])
                walk = self._walk_array if isinstance(self._X, np.ndarray) else self._walk_csr
                loss += walk(c, order, gain, how, strides, slopes, mean[c], coef[c], ends[c])
                memory.slopes[:, c] = slopes
        memory.gradient[:, :p] = mean * scaling.scale
        memory.gradient[:, p:] = ends[:, 1:][:, : model.fit_intercept]
        moved = model.pack(coef * scaling.inverse_scale, ends[:, 0])
        return moved.astype(self._data.A.dtype, copy=False), memory, loss

    def _strides(self, step_size: float, coef: FloatArray) -> Strides:
        """Compute the steps; coefficients that no row will come along for become zero here."""
        stride = step_size * self._penalty.standardization.scale.astype(np.float64) ** 2
        longer, shrinkage = stride, self._shrinkage()
        if not isinstance(self._X, np.ndarray):
            presence = self._presence()
            absent = presence == 0.0
            if shrinkage[0] > 0.0 or shrinkage[1] > 0.0:
                coef[:, absent] = 0.0
            longer = stride / np.where(absent, 1.0, presence)
        intercept = step_size if self._model.fit_intercept else 0.0
        return Strides(stride, longer, intercept, shrinkage)

    def _walk_array(
        self, c: int, order: IntArray, gain: FloatArray, how: Estimator, strides: Strides,
        slopes: FloatArray, mean: FloatArray, coef: FloatArray, ends: FloatArray,
    ) -> float:  # fmt: skip
        from skgrad._kernels.variance_reduction import walk_dense

        stride, _, intercept, shrinkage = strides
        center = self._penalty.standardization.center
        return float(walk_dense(
            self._X, center, self._losses(c), order, gain, *how, shrinkage, stride, intercept,
            slopes, mean, coef, ends,
        ))  # fmt: skip

    def _walk_csr(
        self, c: int, order: IntArray, gain: FloatArray, how: Estimator, strides: Strides,
        slopes: FloatArray, mean: FloatArray, coef: FloatArray, ends: FloatArray,
    ) -> float:  # fmt: skip
        from skgrad._kernels.variance_reduction import walk_sparse

        data, indices, indptr, _ = row_storage(self._X)
        table = np.column_stack([coef, mean, strides.stride, strides.longer])
        loss = walk_sparse(
            data, indices, indptr, self._losses(c), order, gain, *how, strides.shrinkage,
            strides.intercept, slopes, table, ends,
        )  # fmt: skip
        coef[:], mean[:] = table[:, 0], table[:, 1]
        return float(loss)

    def _walk_classes(
        self, order: IntArray, gain: FloatArray, how: Estimator, strides: Strides,
        slopes: FloatArray, mean: FloatArray, coef: FloatArray, ends: FloatArray,
    ) -> float:  # fmt: skip
        """Walk once for all outputs of a multinomial loss."""
        from skgrad._kernels.variance_reduction import walk_classes

        by_feature = np.ascontiguousarray(coef.T), np.ascontiguousarray(mean.T)
        ends_by_kind = np.ascontiguousarray(ends.T)
        data, indices, indptr, _ = row_storage(self._X)
        center = self._penalty.standardization.center
        loss = walk_classes(
            data, indices, indptr, center, self._losses(0), order, gain, *how, strides.shrinkage,
            strides.stride, strides.longer, strides.intercept, slopes, by_feature[1], by_feature[0],
            ends_by_kind, np.empty(len(coef)),
        )  # fmt: skip
        coef[...], mean[...], ends[...] = by_feature[0].T, by_feature[1].T, ends_by_kind.T
        return float(loss)

    def _prepare(self) -> None:
        self._features: FloatArray | None = None

    def _presence(self) -> FloatArray:
        """Compute, once, with which probability a row that is drawn has a feature."""
        if self._features is None:
            X: Any = self._X
            chances = None if self._chances is None else np.repeat(self._chances, np.diff(X.indptr))
            found = np.bincount(X.indices, chances, X.shape[1])
            self._features = found / (self.n_parts if chances is None else 1.0)
        return self._features

    def _losses(self, c: int) -> Any:
        """Take targets and weights of one output, for compiled loops."""
        data, known = self._data, self._loss.formula
        assert known is not None
        weight = np.empty(0, dtype=data.A.dtype)
        if data.weight is not None:
            weight = np.ascontiguousarray(data.weight[:, min(c, data.weight.shape[1] - 1)])
        targets = data.y.reshape(len(data.y), -1)[:, c]
        y = np.ascontiguousarray(targets, dtype=data.A.dtype)
        return tuple(Losses(int(known.formula), float(known.parameter), y, weight, data.share))

    def _shrinkage(self) -> tuple[float, float, bool]:
        penalty = self._penalty.penalty
        return float(penalty.l1_strength or 0.0), penalty.strong_convexity, penalty.nonnegative


def walks_rows(X: Matrix, loss: Loss, penalty: Penalty) -> bool:
    """Tell whether single rows of large data are worth a compiled walk, and loops know the rest."""
    known = loss.formula is not None and penalty.l1_strength is not None
    return known and has_contiguous_rows(X) and worth_compiling(X)


def finite_sum(
    X: Matrix, data: Batch, loss: Loss, penalty: CoordinatePenalty, curvature: float,
    penalty_curvature: float,
) -> FiniteSum:  # fmt: skip
    """Choose the parts by the size of the data, and by what compiled loops know."""
    scaling = penalty.standardization
    single = walks_rows(X, loss, penalty.penalty) and suits_rows(X, scaling)
    kind = SingleRows if single else Blocks
    return kind(X, data, loss, penalty, curvature, penalty_curvature)


def suits_rows(X: Matrix, scaling: Standardization) -> bool:
    """Tell whether rows can be walked over in these coordinates: sparse ones are not centred."""
    centred = bool(scaling.center.any())
    return scaling.rotation is None and (isinstance(X, np.ndarray) or not centred)
