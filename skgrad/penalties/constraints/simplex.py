"""The simplex."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Constraint
from skgrad.penalties.constraints._thresholds import as_metric, simplex_threshold


class Simplex(Constraint):
    r"""Coefficients that are not negative and sum to a radius: weights of a mixture.

    .. math:: C = \{ coef : coef_j \ge 0, \; \sum_j coef_j = radius \}

    The sum is over all coefficients, those of several outputs or classes together.

    Parameters
    ----------
    radius : float, default=1.0
        Sum of the coefficients, positive.

    References
    ----------
    M. Held, P. Wolfe and H. P. Crowder (1974). Validation of subgradient optimization. Mathematical
    Programming 6, 62-88: the projection.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties.constraints import Simplex
    >>> Simplex().project(np.array([[0.75, 1.0, -2.0]])).tolist()
    [[0.375, 0.625, 0.0]]
    >>> Simplex().lmo(np.array([[1.0, -3.0, 2.0]])).tolist()
    [[0.0, 1.0, 0.0]]
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
        excess = abs(float(coef.sum(dtype=np.float64)) - float(self.radius))
        return max(excess, -float(coef.min(initial=0.0))) / float(self.radius)

    def project(self, coef: FloatArray, metric: float | FloatArray = 1.0) -> FloatArray:
        if not coef.size:
            return coef.copy()
        weights = as_metric(metric, coef)
        values = coef.ravel().astype(np.float64, copy=False)
        threshold = simplex_threshold(values, weights, float(self.radius))
        kept = np.maximum(values - threshold * weights, 0.0)
        # Large values cancel against the threshold: what is left sums to the radius up to that.
        kept *= float(self.radius) / kept.sum()
        return kept.reshape(coef.shape).astype(coef.dtype, copy=False)

    def lmo(self, gradient: FloatArray) -> FloatArray:
        vertex = np.zeros_like(gradient)
        if gradient.size:
            vertex.flat[int(np.argmin(gradient))] = float(self.radius)
        return vertex

    def conjugate(self, dual: FloatArray) -> float:
        return float(self.radius) * float(dual.max()) if dual.size else 0.0
