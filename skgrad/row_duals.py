"""The dual of a loss with or without kinks under an elastic net, one variable for each row."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.duals import box_of, violations
from skgrad.linalg import is_small, row_storage, take_rows, to_array, worth_compiling
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.moments import mean_squared_norm
from skgrad.penalties import Penalty
from skgrad.rows import Batch
from skgrad.smooth_duals import SMALL_FEATURE, coprime

# Rows whose dual variables move at the same time in numpy: where an update costs as much as a
# product with some hundred rows, fewer would not be faster, and more take shorter steps.
BLOCK_ROWS = 32
FEWEST_BLOCKS = 64
# As in `skgrad._kernels.losses`: up to twice the cautious step decreases the dual.
BOLDEST = 1.5
# Coefficients that follow the intercept leave less of its curvature: four times Newton's decrement.
INTERCEPT_MARGIN = 2.0


class RowDualPoint(NamedTuple):
    """Dual variables (n_samples, n_outputs) and what they make: all in float64.

    ``pulled`` is -sum_i s_i theta_i x_i, of shape (n_outputs, n_features), and ``total`` is
    sum_i s_i theta_i of each output, which vanishes at the optimum of a model with intercept.
    ``active`` are the rows of each output whose variables may still move.
    """

    theta: FloatArray
    pulled: FloatArray
    intercept: FloatArray
    total: FloatArray
    active: tuple[IntArray, ...]


class RowDual(ABC):
    r"""The dual with one variable for each row and output.

    .. math:: \max_\theta \; - \sum_i s_i \, loss_i^*(\theta_i)
              - \frac{1}{2 \mu} \bigl| S_{l_1}(u) \bigr|^2, \qquad
              u = -\sum_i s_i \theta_i (x_i - c), \qquad coef = S_{l_1}(u) / \mu

    S is the soft threshold: the penalty is :math:`l_1 |coef|_1 + \mu |coef|^2 / 2`. Along one
    variable the penalty's conjugate curves by :math:`s_i |x_i|^2 / \mu` at most, which is what a
    step reckons with (Shalev-Shwartz and Zhang 2014).

    An intercept is the coefficient of a constant feature, small for the rows' size, whose penalty
    is centred at the last intercept (the proximal point algorithm).

    Parameters
    ----------
    X : array or CSR matrix
        The user's data.
    data : Batch
        The same rows as the objective sees them.
    """

    def __init__(
        self, X: Matrix, data: Batch, model: LinearModel, loss: Loss, penalty: Penalty,
        scaling: Standardization,
    ) -> None:  # fmt: skip
        self._X, self._data, self._model, self._loss = X, data, model, loss
        self._penalty, self._scaling = penalty, scaling
        self._l1, self._ridge = float(penalty.l1_strength or 0.0), penalty.strong_convexity
        self._center = np.zeros(X.shape[1])
        self._stiffness = 0.0
        if model.fit_intercept:
            size = mean_squared_norm(X)
            if isinstance(X, np.ndarray):
                self._center = scaling.center.astype(np.float64)
                size -= float(self._center @ self._center)
            self._stiffness = SMALL_FEATURE * (max(size, 0.0) or 1.0)
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Set up what `_ascend` needs."""

    @abstractmethod
    def _ascend(self, point: RowDualPoint, c: int, rng: np.random.Generator) -> float:
        """Improve each variable of an output once, in place; return the change of the total."""

    @abstractmethod
    def _active(self, point: RowDualPoint, raw: FloatArray) -> tuple[IntArray, ...]:
        """Tell, from all raw predictions, which variables of each output may still move."""

    def start(self, w: FloatArray) -> RowDualPoint:
        """Begin with variables zero and the intercepts of w."""
        model = self._model
        user = self._scaling.to_user(model.rows(w)).ravel()
        intercept = np.zeros(model.n_outputs)
        if model.fit_intercept:
            intercept += model.intercept(user)
        theta = np.zeros((self._X.shape[0], model.n_outputs))
        pulled = np.zeros((model.n_outputs, model.n_features))
        everything = np.arange(len(theta))
        active = (everything,) * model.n_outputs
        return RowDualPoint(theta, pulled, intercept, np.zeros(model.n_outputs), active)

    def ascend(self, point: RowDualPoint, n_epochs: int, rng: np.random.Generator) -> RowDualPoint:
        """Improve each variable n_epochs times."""
        point = point._replace(
            theta=point.theta.copy(), pulled=point.pulled.copy(), intercept=point.intercept.copy(),
            total=point.total.copy(),
        )  # fmt: skip
        lever = self._stiffness / self._ridge
        for _ in range(n_epochs):
            for c in range(self._model.n_outputs):
                point.intercept[c] -= lever * point.total[c]
                change = self._ascend(point, c, rng)
                point.total[c] += change
                point.intercept[c] -= lever * change
        return point

    def primal(self, point: RowDualPoint) -> FloatArray:
        """Compute a solver's parameters."""
        model, coef = self._model, self._coef(point)
        intercept = point.intercept - coef @ self._center
        rows = self._scaling.from_user(model.rows(model.pack(coef, intercept)))
        return rows.ravel().astype(self._X.dtype, copy=False)

    def look(self, point: RowDualPoint, w: FloatArray) -> tuple[float, float, RowDualPoint]:
        r"""Compute the objective and the duality gap, a sum of non-negative terms, in one pass.

        .. math:: \sum_i s_i \left(loss_i(raw_i) + loss_i^*(\theta_i) - \theta_i raw_i\right)
                  + \frac{\sigma}{\mu} \Bigl(\sum_i s_i \theta_i\Bigr)^2

        (Fenchel and Young; for the penalty there is equality.) The last term belongs to the
        intercept: its effect if it is as far from the optimum as it moved in the last epoch. It is
        no less than what the curvature along the intercept makes of the slope, and for losses with
        kinks than the effect of a move by the spread of the predictions.
        Without intercept the gap is a proof. The point is returned with the rows that are active.
        """
        data = self._data
        raw = self._model.forward(w, data.A).astype(np.float64, copy=False)
        y = data.y.astype(np.float64) if data.y.dtype.kind == "f" else data.y
        values, theta = self._loss.value(y, raw), self._loss.clip_dual(y, point.theta)
        terms = values + self._loss.conjugate(y, theta) - theta * raw
        gap = data.sum(terms) + self._intercept_gap(point, y, raw)
        value = data.sum(values) + self._penalty.value(self._coef(point))
        return value, max(gap, 0.0), point._replace(active=self._active(point, raw))

    def _intercept_gap(self, point: RowDualPoint, y: FloatArray, raw: FloatArray) -> float:
        """Estimate what is left to gain by the intercepts; zero without."""
        if not self._model.fit_intercept:
            return 0.0
        squares = point.total**2
        gap = self._stiffness / self._ridge * squares
        if self._loss.smooth:
            weighted = self._data.weigh(self._loss.curvature(y, raw))
            curvature = weighted.sum(axis=0, dtype=np.float64)
            decrement = np.divide(squares, curvature, out=gap.copy(), where=curvature > 0.0)
            gap = np.maximum(gap, INTERCEPT_MARGIN * decrement)
        else:
            gap = np.maximum(gap, np.abs(point.total) * raw.std(axis=0))
        return float(gap.sum())

    @property
    def gap_is_proof(self) -> bool:
        """Whether no intercept takes part."""
        return not self._model.fit_intercept

    def _coef(self, point: RowDualPoint) -> FloatArray:
        return (point.pulled - point.pulled.clip(-self._l1, self._l1)) / self._ridge

    def _weights(self, c: int) -> FloatArray | None:
        weight = self._data.weight
        if weight is None:
            return None
        return np.ascontiguousarray(weight[:, min(c, weight.shape[1] - 1)])


class BlockDual(RowDual):
    """Variables of a block of rows move at the same time, in numpy.

    A block's changes add up to at most the largest eigenvalue of its Gram matrix, which takes the
    place of a row's squared norm.

    References
    ----------
    M. Takáč, A. Bijral, P. Richtárik and N. Srebro (2013). Mini-batch primal and dual methods for
    SVMs. ICML 2013, section 4. (Blocks are drawn anew there, here they are fixed.)
    """

    def _prepare(self) -> None:
        n = self._X.shape[0]
        n_blocks = min(n, max(FEWEST_BLOCKS, -(-n // BLOCK_ROWS)))
        self._rows = [np.arange(k, n, n_blocks) for k in range(n_blocks)]
        self._sizes, self._kept = [], []
        for rows in self._rows:
            block = self._block(rows)
            if is_small(self._X):
                self._kept.append(block)
            gram = block @ block.T + self._stiffness
            self._sizes.append(float(np.linalg.eigvalsh(gram)[-1]))

    def _active(self, point: RowDualPoint, raw: FloatArray) -> tuple[IntArray, ...]:
        return point.active

    def _block(self, rows: IntArray) -> FloatArray:
        block: FloatArray = to_array(take_rows(self._X, rows)) - self._center
        return block

    def _ascend(self, point: RowDualPoint, c: int, rng: np.random.Generator) -> float:
        data, weights, sum_of_changes = self._data, self._weights(c), 0.0
        pulled, theta, lever = point.pulled[c], point.theta[:, c], self._stiffness / self._ridge
        intercept = float(point.intercept[c])
        y = data.y[:, c].astype(np.float64)
        for k in rng.permutation(len(self._rows)):
            rows = self._rows[k]
            block = self._kept[k] if self._kept else self._block(rows)
            coef = (pulled - pulled.clip(-self._l1, self._l1)) / self._ridge
            weight = np.full(len(rows), data.share) if weights is None else weights[rows]
            raw, size = block @ coef + intercept, self._sizes[k]
            new = self._best(y[rows], raw, theta[rows], weight * (size / self._ridge))
            change = weight * (new - theta[rows])
            theta[rows] = new
            pulled -= change @ block
            total = float(change.sum())
            intercept -= lever * total
            sum_of_changes += total
        return sum_of_changes

    def _best(self, y: FloatArray, raw: FloatArray, theta: FloatArray, pull: FloatArray) -> Any:
        """Maximise over each variable: exactly where the loss has a proximal operator (Moreau)."""
        loss, y, raw, old, pull = self._loss, *(a[:, None] for a in (y, raw, theta, pull))
        slope = loss.gradient(y, raw)
        if loss.has_prox:
            alone = raw + pull * old
            moved = alone - loss.prox(y, alone, pull)
            new = np.divide(moved, pull, out=slope, where=pull > 0.0)
            return loss.clip_dual(y, new)[:, 0]
        curvature = loss.curvature(y, raw)
        cautious = BOLDEST / (1.0 + pull * loss.max_curvature)
        return (old + np.minimum(1.0 / (1.0 + pull * curvature), cautious) * (slope - old))[:, 0]


class CompiledDual(RowDual):
    """Variables move one after the other, in compiled loops.

    Of a loss with kinks those that a bound holds are left out until the next look at all rows.
    """

    def _prepare(self) -> None:
        self._boxes: list[FloatArray] = []
        for c in range(self._model.n_outputs if self._loss.piecewise_linear else 0):
            self._boxes.append(box_of(self._loss, self._data.y[:, c : c + 1].astype(np.float64)))

    def _ascend(self, point: RowDualPoint, c: int, rng: np.random.Generator) -> float:
        from skgrad._kernels.sdca import ascend_rows

        data, formula = self._data, self._loss.formula
        assert formula is not None
        weights = self._weights(c)
        theta = np.ascontiguousarray(point.theta[:, c])
        total = ascend_rows(
            *row_storage(self._X), self._center, _shuffled(point.active[c], rng),
            int(formula.formula), float(formula.parameter),
            np.ascontiguousarray(data.y[:, c]),
            np.empty(0, self._X.dtype) if weights is None else weights, data.share,
            self._boxes[c] if self._boxes else np.empty((0, 4)), self._l1, self._ridge,
            self._stiffness, theta, point.pulled[c], float(point.intercept[c]),
        )  # fmt: skip
        point.theta[:, c] = theta
        return float(total)

    def _active(self, point: RowDualPoint, raw: FloatArray) -> tuple[IntArray, ...]:
        if not self._boxes:
            return point.active
        outputs = range(self._model.n_outputs)
        return tuple(_free(self._boxes[c], point.theta[:, c], raw[:, c]) for c in outputs)


def _free(box: FloatArray, theta: FloatArray, raw: FloatArray) -> IntArray:
    """Leave out variables held at a bound by more than others are from theirs (Hsieh et al.)."""
    violation = violations(box, theta, raw)
    return np.flatnonzero(violation > -max(float(violation.max()), 0.0))


def _shuffled(rows: IntArray, rng: np.random.Generator) -> IntArray:
    """Order rows as i_0 + t k modulo their number: as good as a permutation, in half the time."""
    n = len(rows)
    places = np.arange(n)
    places *= coprime(n, rng)
    places += rng.integers(max(n, 1))
    places %= max(n, 1)
    return rows[places]


def has_row_dual(loss: Loss, penalty: Penalty) -> bool:
    """Tell whether steps along single variables are known, and the penalty is an elastic net."""
    curved = loss.smooth and math.isfinite(loss.max_curvature)
    possible = not loss.coupled and (loss.has_prox or curved)
    elastic = penalty.l1_strength is not None and not penalty.nonnegative
    return possible and elastic and penalty.strong_convexity > 0.0


def row_dual(
    X: Matrix, data: Batch, model: LinearModel, loss: Loss, penalty: Penalty,
    scaling: Standardization,
) -> RowDual:  # fmt: skip
    """Choose by the size of the data, and by what compiled loops know."""
    kind = CompiledDual if loss.formula is not None and worth_compiling(X) else BlockDual
    return kind(X, data, model, loss, penalty, scaling)
