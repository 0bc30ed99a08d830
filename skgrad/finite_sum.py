"""The loss as a sum of functions of single rows, or of small blocks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.coordinates import largest_eigenvalue
from skgrad.linalg import worth_compiling
from skgrad.losses import Loss
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
