"""Duals of losses with one kink or two: quadratic programs whose constraints are a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.linalg import row_storage
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.moments import squared_row_norms
from skgrad.penalties import Penalty
from skgrad.rows import Batch


@dataclass(slots=True)
class DualPoint:
    """Dual variables of one output, and what they make of the rows.

    ``direction`` is -sum_i alpha_i x_i, and ``total`` is sum_i alpha_i, which vanishes at the
    optimum of a model with intercept.
    """

    alpha: FloatArray
    direction: FloatArray
    total: float
    intercept: float

    def copy(self) -> DualPoint:
        """Copy the arrays."""
        return DualPoint(self.alpha.copy(), self.direction.copy(), self.total, self.intercept)


class DualForm:
    r"""The dual of one output's objective: a quadratic program over a box.

    A loss of at most two opposite hinges is :math:`\max_\alpha \alpha z - t \alpha - e |\alpha|`
    over :math:`lower \le \alpha \le upper`. With the penalty :math:`\mu |coef|^2 / 2` the objective
    divided by :math:`\mu` has the dual

    .. math:: \min_\alpha \; \tfrac12 \Bigl|\sum_i \alpha_i (x_i - c)\Bigr|^2
              + \sum_i (t_i \alpha_i + e_i |\alpha_i|) \quad \text{subject to} \quad
              lower \le \alpha \le upper, \; \sum_i \alpha_i = 0

    with :math:`coef = -\sum_i \alpha_i (x_i - c)` (Hsieh et al. 2008; Ho and Lin 2012). The
    equality belongs to the intercept, which is its multiplier; coordinate steps would be stuck on
    it. So it becomes the augmented Lagrangian's :math:`-b_0 \sum \alpha + \sigma (\sum \alpha)^2 /
    2`: the intercept follows as :math:`b = b_0 - \sigma \sum \alpha`, and :math:`b_0` moves there
    from time to time. Rows are centred without being touched. All of it in float64.

    Parameters
    ----------
    data : Batch
        All rows.
    X : array or CSR matrix
        The user's data.
    output : int
        Which output.
    """

    def __init__(
        self, data: Batch, X: Matrix, model: LinearModel, loss: Loss, penalty: Penalty,
        standardization: Standardization, output: int,
    ) -> None:  # fmt: skip
        self._rows = row_storage(X)
        self.ridge, self.n_samples = penalty.strong_convexity, X.shape[0]
        self._has_intercept = model.fit_intercept
        self.box = _box(data, loss, output)
        self.box[:, :2] /= self.ridge
        self._center = standardization.center.astype(np.float64)
        self.curvature = squared_row_norms(X, self._center, np.ones(len(self._center)))
        self._tilt: FloatArray = np.zeros(self.n_samples)
        self._everything = np.arange(self.n_samples)
        if self._has_intercept:
            self._tilt = self._predict(self._everything, self._center)
        # As stiff as a feature of the rows' own size: stiffer is slower for single coordinates, and
        # softer takes more moves of b_0.
        self.stiffness = float(self.curvature.mean()) or 1.0 if self._has_intercept else 0.0
        self.curvature += self.stiffness

    def start(self, intercept: float) -> DualPoint:
        """Begin with all variables zero."""
        return DualPoint(np.zeros(self.n_samples), np.zeros(len(self._center)), 0.0, intercept)

    def ascend(self, point: DualPoint, rows: IntArray) -> None:
        """Minimise over the variables of these rows, one after the other, in place."""
        from skgrad._kernels.dual import ascend

        squared = float(self._center @ self._center) if self._has_intercept else 0.0
        shift = self._shift(point.direction, point.total, point.intercept)
        total = ascend(
            *self._rows, rows, self.box, self.curvature, self._tilt, self.stiffness + squared,
            point.alpha, point.direction, point.total, shift,
        )  # fmt: skip
        point.intercept -= self.stiffness * (total - point.total)
        point.total = total

    def move_multiplier(self, point: DualPoint) -> None:
        """Make the intercept the multiplier b_0 of the augmented Lagrangian, in place."""
        point.intercept -= self.stiffness * point.total

    def move(self, point: DualPoint, rows: IntArray, change: FloatArray) -> None:
        """Add a change to the variables of these rows, in place."""
        from skgrad._kernels.dual import sum_rows

        point.alpha[rows] += change
        sum_rows(*self._rows, rows, -change, point.direction)
        total = float(change.sum())
        point.total += total
        point.intercept -= self.stiffness * total

    def free_rows(self, point: DualPoint) -> IntArray:
        """Find the variables at which the function is smooth and the box leaves room."""
        lower, upper, _, tube = self.box.T
        smooth = (point.alpha != 0.0) | (tube == 0.0)
        return np.flatnonzero((point.alpha > lower) & (point.alpha < upper) & smooth)

    def violation(self, point: DualPoint, raw: FloatArray) -> FloatArray:
        """Compute the steepest descent along each variable; negative where it is held at a value.

        The absolute derivative at a free variable, minus the ascent in the easier direction else.
        """
        return violations(self.box, point.alpha, raw)

    def response(self, rows: IntArray, change: FloatArray) -> FloatArray:
        """Compute how the raw predictions of these rows move with their variables."""
        from skgrad._kernels.dual import sum_rows

        direction, total = np.zeros(len(self._center)), float(change.sum())
        sum_rows(*self._rows, rows, -change, direction)
        raw = self._predict(rows, direction)
        if self._has_intercept:
            raw += total * self._tilt[rows]
            raw += self._shift(direction, total, -self.stiffness * total)
        return raw

    def raw(self, point: DualPoint) -> FloatArray:
        """Compute the raw predictions of all rows."""
        raw = self._predict(self._everything, point.direction)
        raw += point.total * self._tilt
        raw += self._shift(point.direction, point.total, point.intercept)
        return raw

    def coef(self, point: DualPoint) -> FloatArray:
        """Compute the user's coefficients."""
        return point.direction + (point.total * self._center if self._has_intercept else 0.0)

    def value(self, point: DualPoint, raw: FloatArray) -> float:
        """Compute the objective."""
        coef = self.coef(point)
        return self.ridge * (float(self._losses(raw).sum()) + 0.5 * float(coef @ coef))

    def gap(self, point: DualPoint, raw: FloatArray) -> float:
        r"""Compute the duality gap, as a sum of non-negative terms (Fenchel and Young).

        What :math:`\sum \alpha \ne 0` adds is its effect if the intercept is as far from the
        optimum as it is from :math:`b_0`, to first order.
        """
        tube = self.box[:, 3] * np.abs(point.alpha)
        terms = self._losses(raw) + point.alpha * (self.box[:, 2] - raw) + tube
        return self.ridge * (float(terms.sum()) + self.stiffness * point.total**2)

    def _losses(self, raw: FloatArray) -> FloatArray:
        lower, upper, target, tube = self.box.T
        excess = raw - target
        above, below = np.maximum(excess - tube, 0.0), np.minimum(excess + tube, 0.0)
        return np.asarray(upper * above + lower * below)

    def _predict(self, rows: IntArray, direction: FloatArray) -> FloatArray:
        from skgrad._kernels.dual import predict_rows

        raw = np.empty(len(rows))
        predict_rows(*self._rows, rows, direction, raw)
        return raw

    def _shift(self, direction: FloatArray, total: float, intercept: float) -> float:
        """Compute the part of raw predictions that all rows share."""
        if not self._has_intercept:
            return 0.0
        center = self._center
        return intercept - float(center @ direction) - total * float(center @ center)


def pack_primal(
    points: Sequence[tuple[DualForm, DualPoint]], model: LinearModel, scaling: Standardization
) -> FloatArray:
    """Compute a solver's parameters from the dual points of all outputs, in float64."""
    coef = np.stack([form.coef(point) for form, point in points])
    intercept = np.array([point.intercept for _, point in points])
    return model.pack(coef * scaling.inverse_scale, intercept)


def has_box_dual(loss: Loss, penalty: Penalty, y: Array) -> bool:
    """Tell whether a loss is one hinge or two opposite ones with a tube, under an L2 penalty."""
    if not loss.piecewise_linear or not penalty.smooth or not penalty.strong_convexity > 0.0:
        return False
    sign, offset, _ = loss.hinges(y[:1])
    opposite = len(sign) == 2 and bool(np.all(sign[0] == -sign[1]))
    return len(sign) == 1 or (opposite and bool(np.all(offset[0] + offset[1] >= 0.0)))


def _box(data: Batch, loss: Loss, output: int) -> FloatArray:
    """Take `box_of` of an output, with the rows' weights in the bounds."""
    weight: Any = data.share
    if data.weight is not None:
        weight = data.weight[:, min(output, data.weight.shape[1] - 1)].astype(np.float64)
    return box_of(loss, data.y[:, output : output + 1].astype(np.float64), weight)


def box_of(loss: Loss, y: FloatArray, weight: Any = 1.0) -> FloatArray:
    """Lower and upper bound, target and half width of the tube of each row, as columns."""
    sign, offset, cost = (part[:, :, 0] for part in loss.hinges(y))
    box = np.empty((len(y), 4))
    bounds = sign * cost * weight
    box[:, 0], box[:, 1] = np.minimum(bounds, 0.0).min(axis=0), np.maximum(bounds, 0.0).max(axis=0)
    box[:, 2] = (sign * offset).mean(axis=0)
    box[:, 3] = offset.mean(axis=0) if len(sign) == 2 else 0.0
    return box


def violations(box: FloatArray, alpha: FloatArray, raw: FloatArray) -> FloatArray:
    """Compute the steepest descent along each variable; negative where it is held at a value."""
    lower, upper, target, tube = box.T
    slope = target - raw
    down = np.where(alpha > 0.0, slope + tube, slope - tube)
    up = np.where(alpha < 0.0, tube - slope, -slope - tube)
    down[alpha <= lower] = -np.inf
    up[alpha >= upper] = -np.inf
    return np.maximum(down, up)
