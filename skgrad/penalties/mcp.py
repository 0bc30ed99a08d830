"""The minimax concave penalty."""

from __future__ import annotations

from math import inf
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.penalties._base import Penalty
from skgrad.penalties._sums import nearest_to_zero


class MCP(Penalty):
    r"""Minimax concave penalty: selects as L1 does, and leaves large coefficients alone.

    .. math:: penalty(coef) = \sum_j \begin{cases}
              \alpha |coef_j| - coef_j^2 / (2 \gamma) & |coef_j| \le \gamma \alpha \\
              \gamma \alpha^2 / 2 & \text{otherwise} \end{cases}

    It is not convex: a fit ends at a local minimum, which may depend on where it starts and on the
    solver, and nothing bounds the distance to the best one. Where the loss curves by more than
    :math:`1 / \gamma` in all directions, the sum is convex and the minimum is the only one.

    Parameters
    ----------
    alpha : float, default=1.0
        Slope at zero, positive.
    gamma : float, default=3.0
        Coefficients beyond ``gamma * alpha`` are not shrunk; positive. As it grows the penalty
        becomes `L1`.

    References
    ----------
    C.-H. Zhang (2010). Nearly unbiased variable selection under minimax concave penalty. Annals of
    Statistics 38, 894-942, eq. 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import MCP
    >>> MCP(alpha=1.0, gamma=2.0).prox(np.array([[0.5, -1.5, 5.0]]), step_size=1.0).tolist()
    [[0.0, -1.0, 5.0]]
    """

    separable: ClassVar[bool] = True
    convex: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, alpha: float = 1.0, gamma: float = 3.0) -> None:
        self.alpha = alpha
        self.gamma = gamma

    @property
    def smooth(self) -> bool:
        return False

    @property
    def strong_convexity(self) -> float:
        """See the base class: below zero, as the penalty curves down."""
        return -1.0 / float(self.gamma)

    def value(self, coef: FloatArray) -> float:
        alpha, gamma = float(self.alpha), float(self.gamma)
        sizes = np.minimum(np.abs(coef.astype(np.float64, copy=False)), gamma * alpha)
        return float((sizes * (alpha - sizes / (2.0 * gamma))).sum())

    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return np.zeros_like(coef)

    def curvature(self, coef: FloatArray) -> float:
        self._require_smooth("curvature")
        return 0.0

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """See the base class.

        Steps below gamma threshold firmly; with longer ones the function is concave between zero
        and the flat part, and the better end is the minimiser.
        """
        alpha, gamma = float(self.alpha), float(self.gamma)
        steps = np.broadcast_to(np.asarray(step_size, dtype=coef.dtype), coef.shape)
        threshold = alpha * steps
        shrunk = coef - coef.clip(-threshold, threshold)
        short = steps < gamma
        shrunk /= 1.0 - np.where(short, steps, 0.0) / gamma
        flat = np.abs(coef) > np.where(short, gamma * alpha, alpha * np.sqrt(steps * gamma))
        return np.where(flat, coef, np.where(short, shrunk, 0.0)).astype(coef.dtype, copy=False)

    def conjugate(self, dual: FloatArray) -> float:
        """See the base class: a bounded function lies below no linear one but zero."""
        return inf if dual.any() else 0.0

    def dual_scaling(self, dual: FloatArray) -> float:
        return 0.0 if dual.any() else 1.0

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        """See the base class; zero at all stationary points."""
        alpha, reach = float(self.alpha), float(self.gamma) * float(self.alpha)
        bent = gradient - coef.clip(-reach, reach) / float(self.gamma)
        flat = np.abs(coef) > reach
        return np.where(flat, gradient, nearest_to_zero(coef, bent, alpha)).astype(coef.dtype)
