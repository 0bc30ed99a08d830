"""The Poisson loss."""

from math import inf
from typing import ClassVar

import numpy as np
from scipy.special import xlogy

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance
from skgrad.losses._statistics import FREQUENCY_MARGIN, weighted_mean


class Poisson(Loss):
    """Half the Poisson deviance, with a log link.

    ::

        value(y, z) = exp(z) - y z + y log(y) - y

    It is 0 where exp(z) = y, and positive elsewhere. From z of about 709 on (float64) it is
    inf.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Poisson
    >>> Poisson().gradient(np.array([[3.0], [0.0]]), np.zeros((2, 1))).tolist()
    [[-2.0], [1.0]]
    """

    name: ClassVar[str] = "poisson"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "continuous"

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.POISSON)

    @property
    def max_curvature(self) -> float:
        return inf

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        return self._finish_value(y, raw, np.exp(raw))

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = np.exp(raw)
        gradient -= y
        return gradient

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = np.exp(raw)
        gradient = mean - y
        return self._finish_value(y, raw, mean), gradient

    @staticmethod
    def _finish_value(y: Array, raw: FloatArray, mean: FloatArray) -> FloatArray:
        """Turn exp(raw) into the value, in place."""
        mean -= y * raw
        mean += xlogy(y, y)
        mean -= y
        return mean

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.exp(raw)

    def inverse_link(self, raw: FloatArray) -> FloatArray:
        return np.exp(raw)

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        shifted = dual + y
        inside = shifted >= -border_tolerance(dual) * np.maximum(y, 1.0)
        np.maximum(shifted, 0.0, out=shifted)
        return np.where(inside, xlogy(shifted, shifted) - shifted - xlogy(y, y) + y, inf)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return np.log(np.maximum(weighted_mean(y, weights), FREQUENCY_MARGIN))

    def check_target(self, y: Array) -> None:
        smallest, total = y.min(), y.sum(axis=0).min()
        if smallest < 0:
            raise ValueError(f"The poisson loss needs y >= 0, but y contains {smallest}.")
        if total <= 0:
            raise ValueError(
                f"The poisson loss needs a positive sum of y in each output, but one sums to "
                f"{total}: its mean would be exp(-inf)."
            )
