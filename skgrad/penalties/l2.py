"""The L2 penalty."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Penalty
from skgrad.penalties._sums import interval_conjugate, interval_scaling, sum_of_squares


class L2(Penalty):
    """Squared L2 penalty (ridge, weight decay): shrinks coefficients.

    ::

        penalty(coef) = alpha / 2 sum_j coef_j^2

    Parameters
    ----------
    alpha : float or ndarray of shape (n_outputs, 1), default=1.0
        Strength, non-negative; an array has one for each output.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import L2
    >>> L2(alpha=0.5).value(np.array([[1.0, -3.0]]))
    2.5
    >>> L2(alpha=0.5).prox(np.array([[1.0, -3.0]]), step_size=2.0).tolist()
    [[0.5, -1.5]]
    """

    separable: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), np.ndarray]
    }

    def __init__(self, alpha: float | FloatArray = 1.0) -> None:
        self.alpha = alpha

    @property
    def smooth(self) -> bool:
        return True

    @property
    def strong_convexity(self) -> float:
        return float(self.alpha.min() if isinstance(self.alpha, np.ndarray) else self.alpha)

    @property
    def output_convexity(self) -> float | FloatArray:
        return self.alpha if isinstance(self.alpha, np.ndarray) else float(self.alpha)

    @property
    def l1_strength(self) -> float | None:
        return None if isinstance(self.alpha, np.ndarray) else 0.0

    def value(self, coef: FloatArray) -> float:
        if isinstance(self.alpha, np.ndarray):
            return 0.5 * float((self.alpha * np.square(coef, dtype=np.float64)).sum())
        return 0.5 * float(self.alpha) * sum_of_squares(coef)

    def gradient(self, coef: FloatArray) -> FloatArray:
        return self._strength(coef) * coef

    def curvature(self, coef: FloatArray) -> float | FloatArray:
        strength = self._strength(coef)
        return strength if isinstance(strength, float) else strength * np.ones_like(coef)

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        return coef / (1.0 + self._strength(coef) * step_size)

    def conjugate(self, dual: FloatArray) -> float:
        strength = np.broadcast_to(self.alpha, dual.shape)
        free = strength == 0
        squares = np.square(dual, dtype=np.float64)
        np.divide(squares, strength, out=squares, where=~free)
        return 0.5 * float(squares[~free].sum()) + interval_conjugate(dual[free], 0.0)

    def dual_scaling(self, dual: FloatArray) -> float:
        free = np.broadcast_to(self.alpha, dual.shape) == 0
        return interval_scaling(dual[free], 0.0)

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        return gradient + self._strength(coef) * coef

    def _strength(self, coef: FloatArray) -> float | FloatArray:
        """Alpha, in coef's precision: float32 stays float32."""
        if isinstance(self.alpha, np.ndarray):
            return self.alpha.astype(coef.dtype, copy=False)
        return float(self.alpha)
