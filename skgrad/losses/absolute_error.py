"""Absolute error."""

from math import inf
from typing import ClassVar

import numpy as np

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance, two_sided
from skgrad.losses._statistics import weighted_median


class AbsoluteError(Loss):
    """Absolute error.

    ::

        value(y, z) = |z - y|

    It estimates the conditional median.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import AbsoluteError
    >>> AbsoluteError().value(np.array([[1.0], [2.0]]), np.array([[1.0], [5.0]])).tolist()
    [[0.0], [3.0]]
    """

    name: ClassVar[str] = "absolute_error"
    smooth: ClassVar[bool] = False
    target: ClassVar[Target] = "continuous"
    equivariant: ClassVar[bool] = True
    has_prox: ClassVar[bool] = True
    piecewise_linear: ClassVar[bool] = True

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.EPSILON_INSENSITIVE, 0.0)

    @property
    def max_curvature(self) -> float:
        return inf

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = raw - y
        np.abs(value, out=value)
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = raw - y
        np.sign(gradient, out=gradient)
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.zeros_like(raw)

    def hinges(self, y: Array) -> tuple[FloatArray, FloatArray, FloatArray]:
        return two_sided(y, 0.0, 1.0, 1.0)

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        clipped: FloatArray = dual.clip(-1.0, 1.0)
        return clipped

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        inside = np.abs(dual) <= 1.0 + border_tolerance(dual)
        return np.where(inside, dual * y, inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        return raw - (raw - y).clip(-step_size, step_size)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_median(y, weights)
