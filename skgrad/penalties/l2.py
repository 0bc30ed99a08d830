"""The L2 penalty."""

from numbers import Real
from typing import Any, ClassVar

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
    alpha : float, default=1.0
        Strength, non-negative.

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
        "alpha": [Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def smooth(self) -> bool:
        return True

    @property
    def strong_convexity(self) -> float:
        return float(self.alpha)

    @property
    def l1_strength(self) -> float:
        return 0.0

    def value(self, coef: FloatArray) -> float:
        return 0.5 * float(self.alpha) * sum_of_squares(coef)

    def gradient(self, coef: FloatArray) -> FloatArray:
        return float(self.alpha) * coef

    def curvature(self, coef: FloatArray) -> float:
        return float(self.alpha)

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        return coef / (1.0 + float(self.alpha) * step_size)

    def conjugate(self, dual: FloatArray) -> float:
        if self.alpha == 0:
            return interval_conjugate(dual, 0.0)
        return 0.5 * sum_of_squares(dual) / float(self.alpha)

    def dual_scaling(self, dual: FloatArray) -> float:
        return interval_scaling(dual, 0.0) if self.alpha == 0 else 1.0

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        return gradient + float(self.alpha) * coef
