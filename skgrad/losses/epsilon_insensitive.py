"""The losses of support vector regression: free of cost inside a tube around the target."""

from math import inf
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance, two_sided
from skgrad.losses._statistics import weighted_mean, weighted_median


def _excess(y: Array, raw: FloatArray, epsilon: float) -> FloatArray:
    """Signed distance of raw from the tube, 0 inside."""
    excess = raw - y
    excess -= excess.clip(-epsilon, epsilon)
    return excess


class EpsilonInsensitive(Loss):
    """Absolute error beyond a tolerance.

    ::

        value(y, z) = max(|z - y| - epsilon, 0)

    Parameters
    ----------
    epsilon : float, default=0.1
        Half width of the tube in which errors are free, in the unit of the target.

    Notes
    -----
    `constant` gives the median: a start near the minimiser, which has no closed form.

    References
    ----------
    V. N. Vapnik, "The Nature of Statistical Learning Theory", 1st edition, Springer, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import EpsilonInsensitive
    >>> EpsilonInsensitive(0.5).value(np.zeros((2, 1)), np.array([[0.25], [-2.0]])).tolist()
    [[0.0], [1.5]]
    """

    name: ClassVar[str] = "epsilon_insensitive"
    smooth: ClassVar[bool] = False
    target: ClassVar[Target] = "continuous"
    has_prox: ClassVar[bool] = True
    piecewise_linear: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "epsilon": [Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.EPSILON_INSENSITIVE, self.epsilon)

    @property
    def max_curvature(self) -> float:
        return inf

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = _excess(y, raw, float(self.epsilon))
        np.abs(value, out=value)
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = _excess(y, raw, float(self.epsilon))
        np.sign(gradient, out=gradient)
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        return np.zeros_like(raw)

    def hinges(self, y: Array) -> tuple[FloatArray, FloatArray, FloatArray]:
        return two_sided(y, float(self.epsilon), 1.0, 1.0)

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        clipped: FloatArray = dual.clip(-1.0, 1.0)
        return clipped

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        size = np.abs(dual)
        inside = size <= 1.0 + border_tolerance(dual)
        return np.where(inside, dual * y + float(self.epsilon) * size, inf)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        excess = _excess(y, raw, float(self.epsilon))
        return raw - excess.clip(-step_size, step_size)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_median(y, weights)


class SquaredEpsilonInsensitive(Loss):
    """Squared error beyond a tolerance, without the half.

    ::

        value(y, z) = max(|z - y| - epsilon, 0)^2

    Parameters
    ----------
    epsilon : float, default=0.1
        Half width of the tube in which errors are free, in the unit of the target.

    Notes
    -----
    `constant` gives the mean: a start near the minimiser, which has no closed form.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import SquaredEpsilonInsensitive
    >>> loss = SquaredEpsilonInsensitive(epsilon=0.5)
    >>> loss.value(np.zeros((2, 1)), np.array([[0.25], [-2.0]])).tolist()
    [[0.0], [2.25]]
    """

    name: ClassVar[str] = "squared_epsilon_insensitive"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "continuous"
    has_prox: ClassVar[bool] = True
    continuous_curvature: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "epsilon": [Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.SQUARED_EPSILON_INSENSITIVE, self.epsilon)

    @property
    def max_curvature(self) -> float:
        return 2.0

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = _excess(y, raw, float(self.epsilon))
        value *= value
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = _excess(y, raw, float(self.epsilon))
        gradient *= 2.0
        return gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        outside = (np.abs(raw - y) > float(self.epsilon)).astype(raw.dtype)
        outside *= 2.0
        return outside

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        return dual * (y + 0.25 * dual) + float(self.epsilon) * np.abs(dual)

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        excess = _excess(y, raw, float(self.epsilon))
        return raw - excess * (2.0 * step_size / (1.0 + 2.0 * step_size))

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return weighted_mean(y, weights)
