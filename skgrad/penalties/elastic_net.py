"""The elastic net penalty."""

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
    sum_of_squares,
)


class ElasticNet(Penalty):
    """Elastic net penalty: a mix of L1, which selects, and L2, which shrinks.

    ::

        penalty(coef) = alpha (l1_ratio sum_j |coef_j| + (1 - l1_ratio) / 2 sum_j coef_j^2)

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, non-negative.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, from 0 to 1. The penalty is smooth only with a share of 0.

    References
    ----------
    H. Zou and T. Hastie, "Regularization and variable selection via the elastic net", Journal
    of the Royal Statistical Society B 67(2), 2005. The weights are those of scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import ElasticNet
    >>> ElasticNet(alpha=2.0, l1_ratio=0.25).value(np.array([[1.0, -3.0]]))
    9.5
    """

    separable: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, alpha: float = 1.0, l1_ratio: float = 0.5) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    @property
    def _l1(self) -> float:
        return float(self.alpha * self.l1_ratio)

    @property
    def _l2(self) -> float:
        return float(self.alpha * (1.0 - self.l1_ratio))

    @property
    def smooth(self) -> bool:
        return self._l1 == 0

    @property
    def strong_convexity(self) -> float:
        return self._l2

    @property
    def l1_strength(self) -> float:
        return self._l1

    def value(self, coef: FloatArray) -> float:
        return self._l1 * sum_of_abs(coef) + 0.5 * self._l2 * sum_of_squares(coef)

    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return self._l2 * coef

    def curvature(self, coef: FloatArray) -> float:
        self._require_smooth("curvature")
        return self._l2

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        threshold = self._l1 * step_size
        shrunk = coef - coef.clip(-threshold, threshold)
        shrunk /= 1.0 + self._l2 * step_size
        return shrunk

    def conjugate(self, dual: FloatArray) -> float:
        if self._l2 == 0:
            return interval_conjugate(dual, self._l1)
        excess = np.maximum(np.abs(dual) - self._l1, 0.0)
        return 0.5 * sum_of_squares(excess) / self._l2

    def dual_scaling(self, dual: FloatArray) -> float:
        return interval_scaling(dual, self._l1) if self._l2 == 0 else 1.0

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        return nearest_to_zero(coef, gradient + self._l2 * coef, self._l1)
