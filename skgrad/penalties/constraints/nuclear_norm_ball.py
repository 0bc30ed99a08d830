"""The nuclear norm ball."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Constraint
from skgrad.penalties.constraints._thresholds import simplex_threshold


class NuclearNormBall(Constraint):
    r"""Matrices of coefficients whose singular values sum to a radius at most.

    .. math:: C = \{ coef : \textstyle\sum_k \sigma_k(coef) \le radius \}

    It favours matrices of low rank: the outputs (targets, classes) share a few directions of the
    feature space. With one output it is the `L2Ball`.

    Parameters
    ----------
    radius : float, default=1.0
        Size of the ball, positive.

    Notes
    -----
    The projection takes a singular value decomposition, and one step size for all coefficients:
    columns are centred but not scaled one by one, so bring them to similar scales.

    References
    ----------
    M. Jaggi (2013). Revisiting Frank-Wolfe: projection-free sparse convex optimization. ICML 2013,
    section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties.constraints import NuclearNormBall
    >>> ball = NuclearNormBall(radius=2.0)
    >>> ball.project(np.diag([3.0, 2.0, 0.5])).round(12).tolist()
    [[1.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """

    separable: ClassVar[bool] = False
    per_coordinate: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "radius": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, radius: float = 1.0) -> None:
        self.radius = radius

    @property
    def bounded(self) -> bool:
        return True

    def violation(self, coef: FloatArray) -> float:
        return float(_singular_values(coef).sum()) / float(self.radius) - 1.0

    def project(self, coef: FloatArray, metric: float | FloatArray = 1.0) -> FloatArray:
        if isinstance(metric, np.ndarray):
            raise ValueError(
                "NuclearNormBall has no projection with a step size for each coefficient."
            )
        if not coef.size:
            return coef.copy()
        left, sizes, right = np.linalg.svd(np.atleast_2d(coef), full_matrices=False)
        sizes = sizes.astype(np.float64, copy=False)
        if float(sizes.sum()) <= float(self.radius):
            return coef.copy()
        threshold = simplex_threshold(sizes, np.ones_like(sizes), float(self.radius))
        kept = np.maximum(sizes - threshold, 0.0)
        projected = (left * kept) @ right
        return projected.reshape(coef.shape).astype(coef.dtype, copy=False)

    def lmo(self, gradient: FloatArray) -> FloatArray:
        if not gradient.any():
            return np.zeros_like(gradient)
        left, _, right = np.linalg.svd(np.atleast_2d(gradient), full_matrices=False)
        vertex = -float(self.radius) * np.outer(left[:, 0], right[0])
        return vertex.reshape(gradient.shape).astype(gradient.dtype, copy=False)

    def conjugate(self, dual: FloatArray) -> float:
        return float(self.radius) * float(_singular_values(dual).max(initial=0.0))


def _singular_values(matrix: FloatArray) -> FloatArray:
    if not matrix.size:
        return np.zeros(0)
    wide = np.atleast_2d(matrix).astype(np.float64, copy=False)
    return np.asarray(np.linalg.svd(wide, compute_uv=False))
