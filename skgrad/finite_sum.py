"""The loss as a sum of functions of single rows, or of small blocks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from skgrad._kernels.arguments import Losses
from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.coordinates import largest_eigenvalue
from skgrad.linalg import has_contiguous_rows, row_storage, worth_compiling
from skgrad.losses import Loss
from skgrad.models import Standardization
from skgrad.penalties import Penalty
from skgrad.rows import Batch

# Without a compiler an update costs as much as a product with some hundred rows: blocks, not rows.
N_BLOCKS = 32
# The largest eigenvalue of a block is estimated from below by power iteration.
SPECTRUM_MARGIN = 1.1
# Above this ratio of the largest to the mean curvature rows are drawn by their curvature: drawing
# takes longer, and steps gain at most half the ratio.
UNEVEN = 4.0


class Estimator(NamedTuple):
    """How an update estimates the gradient.

    Attributes
    ----------
    biased : bool
        Whether the change of a part's gradient counts as one part's, as in SAG.
    refresh : bool
        Whether the gradient of a part that was visited is remembered; else that of the last pass.
    """

    biased: bool
    refresh: bool


class Memory(NamedTuple):
    """Weighted derivatives of the losses, (n_samples, n_outputs), and the gradient they make.

    The gradient has shape (n_outputs, row_length), is in a solver's coordinates and in float64.
    """

    slopes: FloatArray
    gradient: FloatArray


class FiniteSum(ABC):
    r"""A sum of parts, :math:`\sum_k f_k(w)`, and the penalty.

    Part k is drawn with a probability of p_k. Where parts differ much, by weight or by length, that
    is half uniform and half in proportion to their curvature L_k: a heavy row is then met often
    instead of making all steps short (Schmidt et al. 2015). ``smoothness`` is the largest
    L_k / p_k, which takes the place of the largest curvature of a row.

    Parameters
    ----------
    X : array or CSR matrix
        The user's data.
    data : Batch
        The same rows as the objective sees them.
    loss : Loss
        Per-row loss.
    penalty : CoordinatePenalty
        Behind the change of variables.
    curvature, penalty_curvature : float
        Bounds of the loss's curvature (or a typical value) and of a smooth penalty's.

    References
    ----------
    M. Schmidt, R. Babanezhad, M. O. Ahmed, A. Defazio, A. Clifton and A. Sarkar (2015). Non-uniform
    stochastic average gradient method for training conditional random fields. AISTATS 2015.
    """

    # Whether a pass over all rows takes longer than the interpreter's overhead.
    is_large: bool
    # Whether a smooth penalty, too, enters by its proximal operator.
    penalty_by_prox: ClassVar[bool] = False

    def __init__(
        self, X: Matrix, data: Batch, loss: Loss, penalty: CoordinatePenalty, curvature: float,
        penalty_curvature: float,
    ) -> None:  # fmt: skip
        self._X, self._data, self._loss, self._penalty = X, data, loss, penalty
        self._model, self.is_large = penalty.model, worth_compiling(X)
        self._prepare()
        curvatures = curvature * self._sizes()
        self.n_parts, mean = len(curvatures), float(curvatures.mean())
        self._chances: FloatArray | None = None
        self.smoothness = self.n_parts * float(curvatures.max())
        if self.smoothness > UNEVEN * self.n_parts * mean:
            self._chances = 0.5 / self.n_parts * (1.0 + curvatures / mean)
            self.smoothness = float((curvatures / self._chances).max())
        if not self.penalty_by_prox:
            self.smoothness += penalty_curvature

    @abstractmethod
    def _prepare(self) -> None:
        """Set up what the other methods need."""

    @abstractmethod
    def _sizes(self) -> FloatArray:
        """Bound the largest eigenvalue of each part's second moments, times the rows' weights."""

    @abstractmethod
    def _walk(
        self, w: FloatArray, memory: Memory, order: IntArray, how: Estimator, step_size: float
    ) -> tuple[FloatArray, Memory, float]:
        """Make the updates; all arrays are copies that may change."""

    def remember(self, w: FloatArray) -> tuple[float, Memory]:
        """Pass over the data for the loss at w and the derivatives in all rows."""
        data = self._data
        values, slopes = self._loss.value_and_gradient(data.y, self._model.forward(w, data.A))
        weighted = data.weigh(slopes)
        gradient = self._model.rows(self._model.backward(data.A, weighted))
        return data.sum(values), Memory(weighted, gradient.astype(np.float64))

    def walk(
        self, w: FloatArray, memory: Memory, how: Estimator, step_size: float, n_updates: int,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, Memory, float]:  # fmt: skip
        """Draw parts with replacement and update after each; also return the mean loss met."""
        if self._chances is None:
            order = rng.integers(self.n_parts, size=n_updates)
        else:
            order = rng.choice(self.n_parts, size=n_updates, p=self._chances / self._chances.sum())
        copies = Memory(memory.slopes.copy(), memory.gradient.copy())
        return self._walk(w.astype(np.float64), copies, order, how, step_size)


class Blocks(FiniteSum):
    """Parts are blocks of rows, so that an update is some products in numpy.

    SAGA on blocks is SAGA: each block has one slot of the table, and its curvature is that of its
    mean gradient, which is less than that of its rows.
    """

    def _prepare(self) -> None:
        n = self._data.A.n_samples
        n_blocks = min(n, N_BLOCKS)
        # Rows far apart: neighbours may be alike.
        self._rows = [np.arange(k, n, n_blocks) for k in range(n_blocks)]

    def _sizes(self) -> FloatArray:
        sizes = []
        for rows in self._rows:
            block = self._data.take(rows)
            weight = block.row_weights()
            total = len(rows) * block.share if weight is None else float(weight.sum())
            # Rows without weight have no second moment to average.
            eigenvalue = largest_eigenvalue(block, self._model.row_length) if total > 0.0 else 0.0
            sizes.append(SPECTRUM_MARGIN * total * eigenvalue)
        return np.array(sizes)

    def _walk(
        self, w: FloatArray, memory: Memory, order: IntArray, how: Estimator, step_size: float
    ) -> tuple[FloatArray, Memory, float]:
        dtype, penalty, loss = self._data.A.dtype, self._penalty, 0.0
        slopes, mean = memory.slopes, memory.gradient.ravel()
        smooth = penalty.penalty.smooth
        for k in order:
            rows = self._rows[k]
            block = self._data.take(rows)
            raw = self._model.forward(w.astype(dtype, copy=False), block.A)
            values, fresh = self._loss.value_and_gradient(block.y, raw)
            fresh = block.weigh(fresh)
            change = self._model.backward(block.A, fresh - slopes[rows])
            gain = self.n_parts if self._chances is None else 1.0 / self._chances[k]
            loss += gain * block.sum(values)
            direction = mean + (change if how.biased else gain * change)
            if smooth:
                penalty.add_to(w, direction)
                w = w - step_size * direction
            else:
                w = penalty.prox(w - step_size * direction, step_size)
            if how.refresh:
                slopes[rows] = fresh
                mean += change
        return w.astype(dtype, copy=False), memory, loss / len(order)


class SingleRows(FiniteSum):
    """Parts are rows, walked over by compiled loops, each output on its own.

    Rows of a CSR matrix change the coefficients of their non-zeros only. The dense terms, mean
    gradient and penalty, are left out for the others, and made up for by longer steps, 1 / p_j for
    a feature that the row drawn has with a probability of p_j: their mean is right, and nothing
    has to be remembered or made good later (Pedregosa et al. 2017, equation 5).

    References
    ----------
    F. Pedregosa, R. Leblond and S. Lacoste-Julien (2017). Breaking the nonsmooth barrier: a
    scalable parallel method for composite optimization. NeurIPS 30, algorithm 1.
    """

    penalty_by_prox: ClassVar[bool] = True

    def _sizes(self) -> FloatArray:
        data, weight = self._data, self._data.row_weights()
        return data.A.unrotated_norms() * (data.share if weight is None else weight)

    def _walk(
        self, w: FloatArray, memory: Memory, order: IntArray, how: Estimator, step_size: float
    ) -> tuple[FloatArray, Memory, float]:
        model, scaling = self._model, self._penalty.standardization
        coef = model.coef(w) * scaling.scale
        mean = memory.gradient[:, : model.n_features] * scaling.inverse_scale
        stride = step_size * scaling.scale.astype(np.float64) ** 2
        gain = np.empty(0) if self._chances is None else 1.0 / (self.n_parts * self._chances)
        loss, intercept = 0.0, model.intercept(w)
        for c in range(model.n_outputs):
            ends, slopes = np.zeros(2), memory.slopes[:, c].copy()
            if model.fit_intercept:
                ends[:] = intercept[c], memory.gradient[c, -1]
            walk = self._walk_array if isinstance(self._X, np.ndarray) else self._walk_csr
            loss += walk(c, order, gain, how, stride, step_size, slopes, mean[c], coef[c], ends)
            memory.slopes[:, c] = slopes
            memory.gradient[c, : model.n_features] = mean[c] * scaling.scale
            if model.fit_intercept:
                intercept[c], memory.gradient[c, -1] = ends
        moved = model.pack(coef * scaling.inverse_scale, intercept)
        return moved.astype(self._data.A.dtype, copy=False), memory, loss

    def _walk_array(
        self, c: int, order: IntArray, gain: FloatArray, how: Estimator, stride: FloatArray,
        step_size: float, slopes: FloatArray, mean: FloatArray, coef: FloatArray, ends: FloatArray,
    ) -> float:  # fmt: skip
        from skgrad._kernels.variance_reduction import walk_dense

        step = step_size if self._model.fit_intercept else 0.0
        return float(walk_dense(
            self._X, self._penalty.standardization.center, self._losses(c), order, gain, *how,
            self._shrinkage(), stride, step, slopes, mean, coef, ends,
        ))  # fmt: skip

    def _walk_csr(
        self, c: int, order: IntArray, gain: FloatArray, how: Estimator, stride: FloatArray,
        step_size: float, slopes: FloatArray, mean: FloatArray, coef: FloatArray, ends: FloatArray,
    ) -> float:  # fmt: skip
        from skgrad._kernels.variance_reduction import walk_sparse

        data, indices, indptr, n_columns = row_storage(self._X)
        presence, shrinkage = self._presence(), self._shrinkage()
        absent = presence == 0.0
        if shrinkage[0] > 0.0 or shrinkage[1] > 0.0:
            coef[absent] = 0.0  # no row will come along
        table = np.empty((n_columns, 4))
        table[:, 0], table[:, 1], table[:, 2] = coef, mean, stride
        table[:, 3] = stride / np.where(absent, 1.0, presence)
        step = step_size if self._model.fit_intercept else 0.0
        loss = walk_sparse(
            data, indices, indptr, self._losses(c), order, gain, *how, shrinkage, step, slopes,
            table, ends,
        )  # fmt: skip
        coef[:], mean[:] = table[:, 0], table[:, 1]
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
        y = np.ascontiguousarray(data.y[:, c], dtype=data.A.dtype)
        return tuple(Losses(int(known.formula), float(known.parameter), y, weight, data.share))

    def _shrinkage(self) -> tuple[float, float, bool]:
        penalty = self._penalty.penalty
        return float(penalty.l1_strength or 0.0), penalty.strong_convexity, penalty.nonnegative


def walks_rows(X: Matrix, loss: Loss, penalty: Penalty) -> bool:
    """Tell whether single rows of large data are worth a compiled walk, and loops know the rest."""
    known = loss.formula is not None and not loss.coupled and penalty.l1_strength is not None
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
