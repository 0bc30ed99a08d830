"""Squared error."""

from math import inf
from typing import ClassVar

import numpy as np

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target
from skgrad.losses._statistics import weighted_mean


class SquaredError(Loss):
    """Squared error, with the half that makes its curvature 1.

    ::

        value(y, z) = (z - y)^2 / 2

    It estimates the conditional mean.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import SquaredError
    >>> SquaredError().value(np.array([[1.0], [2.0]]), np.array([[1.0], [5.0]])).tolist()
    [[0.0], [4.5]]
    """

    name: ClassVar[str] = "squared_error"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "continuous"
    equivariant: ClassVar[bool] = True
    quadratic: ClassVar[bool] = True
    has_prox: ClassVar[bool] = True

    @property
    def formula(self) -> CompiledLoss:
        # Huber's loss that never turns linear.
        return CompiledLoss(LossFormula.HUBER, inf)

    @property
    def max_curvature(self) -> float:
        return 1.0

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = raw - y
        value *= value
        value *= 0.5
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        return raw - y

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        gradient = raw - y
        value = gradient * gradient
        value *= 0.5
        return value, gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.ones_like(raw)

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        return dual * (y + 0.5 * dual)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        return (raw + step_size * y) / (1.0 + step_size)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_mean(y, weights)
