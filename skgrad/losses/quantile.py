"""The quantile (pinball) loss."""

from math import inf
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance, two_sided
from skgrad.losses._statistics import weighted_quantile


class Quantile(Loss):
    """Quantile loss, also called pinball or check loss.

    ::

        value(y, z) = quantile max(y - z, 0) + (1 - quantile) max(z - y, 0)

    It estimates the conditional quantile.

    Parameters
    ----------
    quantile : float, default=0.5
        Probability, in (0, 1), that the target lies below the prediction.

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Quantile
    >>> Quantile(0.75).value(np.zeros((2, 1)), np.array([[-1.0], [1.0]])).tolist()
    [[0.75], [0.25]]
    """

    name: ClassVar[str] = "quantile"
    smooth: ClassVar[bool] = False
    target: ClassVar[Target] = "continuous"
    equivariant: ClassVar[bool] = True
    has_prox: ClassVar[bool] = True
    piecewise_linear: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "quantile": [Interval(Real, 0, 1, closed="neither")]
    }

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.QUANTILE, self.quantile)

    @property
    def max_curvature(self) -> float:
        return inf

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        quantile, residual = float(self.quantile), y - raw
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
        side *= float(self.quantile)
        gradient -= side
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.zeros_like(raw)

    def hinges(self, y: Array) -> tuple[FloatArray, FloatArray, FloatArray]:
        return two_sided(y, 0.0, 1.0 - float(self.quantile), float(self.quantile))

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        clipped: FloatArray = dual.clip(-self.quantile, 1.0 - self.quantile)
        return clipped

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        quantile, tolerance = float(self.quantile), border_tolerance(dual)
        inside = (dual >= -quantile - tolerance) & (dual <= 1.0 - quantile + tolerance)
        return np.where(inside, dual * y, inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        quantile = float(self.quantile)
        return raw - (raw - y).clip(-quantile * step_size, (1.0 - quantile) * step_size)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_quantile(y, float(self.quantile), weights)
