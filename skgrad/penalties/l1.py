"""The L1 penalty."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Penalty
from skgrad.penalties._sums import (
    interval_conjugate,
    interval_scaling,
    nearest_to_zero,
    sum_of_abs,
)


class L1(Penalty):
    """L1 penalty (lasso): sets coefficients to exactly 0.

    ::

        penalty(coef) = alpha sum_j |coef_j|

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, non-negative. It is smooth only with an alpha of 0.

    References
    ----------
    R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal
    Statistical Society B 58(1), 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import L1
    >>> L1(alpha=2.0).value(np.array([[1.0, -3.0]]))
    8.0
    >>> L1(alpha=2.0).prox(np.array([[1.0, -3.0]]), step_size=0.75).tolist()
    [[0.0, -1.5]]
    """

    separable: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def smooth(self) -> bool:
        return self.alpha == 0

    @property
    def strong_convexity(self) -> float:
        return 0.0

    @property
    def l1_strength(self) -> float:
        return float(self.alpha)

    def value(self, coef: FloatArray) -> float:
        return float(self.alpha) * sum_of_abs(coef)

    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return np.zeros_like(coef)

    def curvature(self, coef: FloatArray) -> float:
        self._require_smooth("curvature")
        return 0.0

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        threshold = float(self.alpha) * step_size
        return coef - coef.clip(-threshold, threshold)

    def conjugate(self, dual: FloatArray) -> float:
        return interval_conjugate(dual, float(self.alpha))

    def dual_scaling(self, dual: FloatArray) -> float:
        return interval_scaling(dual, float(self.alpha))

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        return nearest_to_zero(coef, gradient, float(self.alpha))
