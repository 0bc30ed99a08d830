"""The L1 ball."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Constraint
from skgrad.penalties._sums import largest_abs, sum_of_abs
from skgrad.penalties.constraints._thresholds import as_metric, simplex_threshold


class L1Ball(Constraint):
    r"""Coefficients whose absolute values sum to a radius at most.

    .. math:: C = \{ coef : \sum_j |coef_j| \le radius \}

    The sum is over all coefficients, those of several outputs or classes together. It is the lasso
    in the form in which it was published: for each penalty `L1` there is a radius with the same
    answer.

    Parameters
    ----------
    radius : float, default=1.0
        Size of the ball, positive.

    References
    ----------
    J. Duchi, S. Shalev-Shwartz, Y. Singer and T. Chandra (2008). Efficient projections onto the
    l1-ball for learning in high dimensions. ICML 2008, figure 1.

    R. Tibshirani (1996). Regression shrinkage and selection via the lasso. Journal of the Royal
    Statistical Society B 58, 267-288, eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties.constraints import L1Ball
    >>> ball = L1Ball(radius=2.0)
    >>> ball.project(np.array([[3.0, -2.0, 0.5]])).tolist()
    [[1.5, -0.5, 0.0]]
    >>> ball.lmo(np.array([[1.0, -3.0, 2.0]])).tolist()
    [[0.0, 2.0, 0.0]]
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
        return sum_of_abs(coef) / float(self.radius) - 1.0

    def project(self, coef: FloatArray, metric: float | FloatArray = 1.0) -> FloatArray:
        if self.violation(coef) <= 0.0:
            return coef.copy()
        weights = as_metric(metric, coef)
        sizes = np.abs(coef).ravel().astype(np.float64, copy=False)
        threshold = simplex_threshold(sizes, weights, float(self.radius))
        kept = np.maximum(sizes - threshold * weights, 0.0).reshape(coef.shape)
        signed = np.where(kept > 0.0, np.copysign(kept, coef), 0.0)
        return signed.astype(coef.dtype, copy=False)

    def lmo(self, gradient: FloatArray) -> FloatArray:
        vertex = np.zeros_like(gradient)
        if gradient.size:
            steepest = int(np.argmax(np.abs(gradient)))
            vertex.flat[steepest] = -np.copysign(float(self.radius), gradient.flat[steepest])
        return vertex

    def conjugate(self, dual: FloatArray) -> float:
        return float(self.radius) * largest_abs(dual)
