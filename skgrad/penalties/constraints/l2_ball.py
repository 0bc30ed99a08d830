"""The Euclidean ball."""

from __future__ import annotations

from math import sqrt
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Constraint
from skgrad.penalties._sums import sum_of_squares
from skgrad.penalties.constraints._thresholds import as_metric, ball_multiplier


class L2Ball(Constraint):
    r"""Coefficients of a Euclidean norm of a radius at most.

    .. math:: C = \{ coef : \sqrt{\textstyle\sum_j coef_j^2} \le radius \}

    The sum is over all coefficients, those of several outputs or classes together. For each penalty
    `L2` there is a radius with the same answer.

    Parameters
    ----------
    radius : float, default=1.0
        Size of the ball, positive.

    References
    ----------
    J. J. More and D. C. Sorensen (1983). Computing a trust region step. SIAM Journal on Scientific
    and Statistical Computing 4, 553-572, eq. 3.7: the projection where coordinates have step sizes
    of their own.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties.constraints import L2Ball
    >>> L2Ball(radius=1.0).project(np.array([[3.0, -4.0]])).round(12).tolist()
    [[0.6, -0.8]]
    >>> L2Ball(radius=2.5).lmo(np.array([[3.0, -4.0]])).tolist()
    [[-1.5, 2.0]]
    """

    separable: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "radius": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, radius: float = 1.0) -> None:
        self.radius = radius

    @property
    def bounded(self) -> bool:
        return True

    def violation(self, coef: FloatArray) -> float:
        return sqrt(sum_of_squares(coef)) / float(self.radius) - 1.0

    def project(self, coef: FloatArray, metric: float | FloatArray = 1.0) -> FloatArray:
        if self.violation(coef) <= 0.0:
            return coef.copy()
        moved = coef.astype(np.float64)
        if isinstance(metric, np.ndarray):
            weights = as_metric(metric, coef)
            multiplier = ball_multiplier(moved.ravel(), weights, float(self.radius))
            moved /= 1.0 + multiplier * weights.reshape(coef.shape)
        moved *= float(self.radius) / sqrt(sum_of_squares(moved))
        return moved.astype(coef.dtype, copy=False)

    def lmo(self, gradient: FloatArray) -> FloatArray:
        length = sqrt(sum_of_squares(gradient))
        if length == 0.0:
            return np.zeros_like(gradient)
        return gradient * (-float(self.radius) / length)

    def conjugate(self, dual: FloatArray) -> float:
        return float(self.radius) * sqrt(sum_of_squares(dual))
