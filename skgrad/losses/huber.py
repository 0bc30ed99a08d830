"""Huber's loss."""

from math import inf
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance
from skgrad.losses._statistics import weighted_median


class Huber(Loss):
    """Huber's loss: squared error near the target, absolute error far from it.

    ::

        value(y, z) = r^2 / 2                     if |r| <= delta,   r = z - y
                      delta |r| - delta^2 / 2     otherwise

    Parameters
    ----------
    delta : float, default=1.35
        Residual from which the loss grows linearly, in the unit of the target. For Gaussian
        noise of variance 1 the default keeps 95 % of the efficiency of least squares.

    Notes
    -----
    `constant` gives the median: a start near the minimiser, which has no closed form.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", The Annals of Mathematical
    Statistics 35(1), 1964.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Huber
    >>> Huber(delta=1.0).value(np.zeros((2, 1)), np.array([[0.5], [3.0]])).tolist()
    [[0.125], [2.5]]
    """

    name: ClassVar[str] = "huber"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "continuous"
    has_prox: ClassVar[bool] = True
    continuous_curvature: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "delta": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, delta: float = 1.35) -> None:
        self.delta = delta

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.HUBER, self.delta)

    @property
    def max_curvature(self) -> float:
        return 1.0

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = raw - y
        np.abs(value, out=value)
        # With m = min(|r|, delta), both branches are m (|r| - m / 2).
        near = np.minimum(value, float(self.delta))
        value -= 0.5 * near
        value *= near
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        delta, gradient = float(self.delta), raw - y
        gradient.clip(-delta, delta, out=gradient)
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return (np.abs(raw - y) <= float(self.delta)).astype(raw.dtype)

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        clipped: FloatArray = dual.clip(-float(self.delta), float(self.delta))
        return clipped

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        inside = np.abs(dual) <= float(self.delta) * (1.0 + border_tolerance(dual))
        return np.where(inside, dual * (y + 0.5 * dual), inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        delta = float(self.delta)
        gradient_there = ((raw - y) / (1.0 + step_size)).clip(-delta, delta)
        return raw - step_size * gradient_there

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_median(y, weights)
