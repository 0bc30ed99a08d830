"""No penalty."""

from typing import ClassVar

import numpy as np

from skgrad._typing import FloatArray
from skgrad.penalties._base import Penalty
from skgrad.penalties._sums import interval_conjugate, interval_scaling


class NoPenalty(Penalty):
    """The penalty that is 0 everywhere.

    ::

        penalty(coef) = 0

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import NoPenalty
    >>> NoPenalty().value(np.ones((1, 3)))
    0.0
    """

    separable: ClassVar[bool] = True

    @property
    def smooth(self) -> bool:
        return True

    @property
    def strong_convexity(self) -> float:
        return 0.0

    @property
    def l1_strength(self) -> float:
        return 0.0

    def value(self, coef: FloatArray) -> float:
        return 0.0

    def gradient(self, coef: FloatArray) -> FloatArray:
        return np.zeros_like(coef)

    def curvature(self, coef: FloatArray) -> float:
        return 0.0

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        return coef.copy()

    def conjugate(self, dual: FloatArray) -> float:
        return interval_conjugate(dual, 0.0)

    def dual_scaling(self, dual: FloatArray) -> float:
        return interval_scaling(dual, 0.0)

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        return gradient.copy()
