"""The losses of support vector classification: free of cost beyond a margin of 1."""

from math import inf
from typing import ClassVar

import numpy as np

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance
from skgrad.losses._statistics import weighted_mean


def _shortfall(y: Array, raw: FloatArray) -> FloatArray:
    """How much the margin y raw falls short of 1, or 0."""
    shortfall = y * raw
    np.subtract(1.0, shortfall, out=shortfall)
    np.maximum(shortfall, 0.0, out=shortfall)
    return shortfall


class Hinge(Loss):
    """Hinge loss, for labels of -1 and +1.

    ::

        value(y, z) = max(1 - y z, 0)

    References
    ----------
    C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20(3), 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Hinge
    >>> Hinge().value(np.array([[1.0], [-1.0]]), np.array([[0.5], [2.0]])).tolist()
    [[0.5], [3.0]]
    """

    name: ClassVar[str] = "hinge"
    smooth: ClassVar[bool] = False
    target: ClassVar[Target] = "sign"
    has_prox: ClassVar[bool] = True
    piecewise_linear: ClassVar[bool] = True

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.HINGE)

    @property
    def max_curvature(self) -> float:
        return inf

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        return _shortfall(y, raw)

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = np.sign(_shortfall(y, raw))
        gradient *= y
        np.negative(gradient, out=gradient)
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.zeros_like(raw)

    def hinges(self, y: Array) -> tuple[FloatArray, FloatArray, FloatArray]:
        return -y[None], np.full((1, 1, 1), -1.0, y.dtype), np.ones((1, 1, 1), y.dtype)

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        clipped: FloatArray = y * np.clip(y * dual, -1.0, 0.0)
        return clipped

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        signed, tolerance = dual * y, border_tolerance(dual)
        inside = (signed >= -1.0 - tolerance) & (signed <= tolerance)
        return np.where(inside, signed, inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        move = np.minimum(_shortfall(y, raw), step_size)
        return raw + y * move

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        balance = weighted_mean(y, weights)
        # On a tie all of [-1, 1] is optimal; rounding must not make it a majority.
        balance[np.abs(balance) <= len(y) * np.finfo(np.float64).eps] = 0.0
        return np.sign(balance)


class SquaredHinge(Loss):
    """Squared hinge loss, for labels of -1 and +1, without a half.

    ::

        value(y, z) = max(1 - y z, 0)^2

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import SquaredHinge
    >>> SquaredHinge().value(np.array([[1.0], [-1.0]]), np.array([[0.5], [2.0]])).tolist()
    [[0.25], [9.0]]
    """

    name: ClassVar[str] = "squared_hinge"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "sign"
    has_prox: ClassVar[bool] = True
    continuous_curvature: ClassVar[bool] = False

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.SQUARED_HINGE)

    @property
    def max_curvature(self) -> float:
        return 2.0

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = _shortfall(y, raw)
        value *= value
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = _shortfall(y, raw)
        gradient *= y
        gradient *= -2.0
        return gradient

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        value = _shortfall(y, raw)
        gradient = value * y
        gradient *= -2.0
        value *= value
        return value, gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        curvature = (y * raw < 1.0).astype(raw.dtype)
        curvature *= 2.0
        return curvature

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        signed = dual * y
        inside = signed <= border_tolerance(dual)
        return np.where(inside, signed * (1.0 + 0.25 * signed), inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        share = 2.0 * step_size / (1.0 + 2.0 * step_size)
        return raw + y * _shortfall(y, raw) * share

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        # With a share p of +1, p (1 - c)^2 + (1 - p) (1 + c)^2 is least at c = 2 p - 1.
        return weighted_mean(y, weights)
