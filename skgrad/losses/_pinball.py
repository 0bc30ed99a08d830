"""What the losses of quantiles share: they differ in which columns have which quantile."""

from abc import abstractmethod
from math import inf
from typing import ClassVar

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance
from skgrad.losses._statistics import weighted_quantile


class Pinball(Loss):
    """Pinball loss of each column: quantile max(y - z, 0) + (1 - quantile) max(z - y, 0)."""

    smooth: ClassVar[bool] = False
    target: ClassVar[Target] = "continuous"
    equivariant: ClassVar[bool] = True
    has_prox: ClassVar[bool] = True
    piecewise_linear: ClassVar[bool] = True

    @abstractmethod
    def _quantile(self, like: Array) -> float | FloatArray:
        """Quantile of all columns, or one for each, in the dtype of `like`."""

    @property
    def max_curvature(self) -> float:
        return inf

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        quantile, residual = self._quantile(raw), y - raw
        below = quantile * residual
        residual *= quantile - 1.0
        np.maximum(residual, below, out=residual)
        return residual

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        side = raw - y
        np.sign(side, out=side)
        # max(side, 0) - quantile |side|: 1 - quantile above y, -quantile below, 0 at y.
        gradient = np.maximum(side, 0.0)
        np.abs(side, out=side)
        side *= self._quantile(raw)
        gradient -= side
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.zeros_like(raw)

    def hinges(self, y: Array) -> tuple[FloatArray, FloatArray, FloatArray]:
        quantile = np.reshape(self._quantile(y), (1, -1))
        sign = np.array([1.0, -1.0], dtype=y.dtype)[:, None, None]
        cost = np.stack([1.0 - quantile, quantile]).astype(y.dtype, copy=False)
        return sign, sign * y, cost

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        quantile = self._quantile(dual)
        clipped: FloatArray = dual.clip(-quantile, 1.0 - quantile)
        return clipped

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        quantile, tolerance = self._quantile(dual), border_tolerance(dual)
        inside = (dual >= -quantile - tolerance) & (dual <= 1.0 - quantile + tolerance)
        return np.where(inside, dual * y, inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        quantile = self._quantile(raw)
        return raw - (raw - y).clip(-quantile * step_size, (1.0 - quantile) * step_size)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_quantile(y, self._quantile(y.astype(np.float64, copy=False)), weights)
