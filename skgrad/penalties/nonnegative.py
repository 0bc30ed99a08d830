"""Non-negative coefficients."""

from math import inf
from typing import Any, ClassVar

import numpy as np

from skgrad._typing import FloatArray
from skgrad.penalties._base import Penalty
from skgrad.penalties.none import NoPenalty


class NonNegative(Penalty):
    """A separable penalty together with the constraint that no coefficient is negative.

    ::

        penalty(coef) = penalty(coef)   if all coef_j >= 0
                        inf             otherwise

    Parameters
    ----------
    penalty : Penalty, optional
        A separable penalty, such as `L1`, `L2` or `ElasticNet`. By default there is the
        constraint only.

    Notes
    -----
    Per coordinate, a convex function that is least at v on the whole line is least at
    max(v, 0) on the half line. Hence prox = max(penalty.prox, 0), for any convex separable
    penalty. As the penalty is also least at 0, negative dual coordinates gain nothing, and
    conjugate(dual) = penalty.conjugate(max(dual, 0)).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import L1, NonNegative
    >>> penalty = NonNegative(L1(alpha=1.0))
    >>> penalty.prox(np.array([[-3.0, 0.5, 3.0]]), step_size=1.0).tolist()
    [[0.0, 0.0, 2.0]]
    >>> penalty.value(np.array([[-3.0, 0.5, 3.0]]))
    inf
    """

    separable: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"penalty": [Penalty, None]}

    def __init__(self, penalty: Penalty | None = None) -> None:
        self.penalty = penalty

    @property
    def _inner(self) -> Penalty:
        if self.penalty is None:
            return NoPenalty()
        if not self.penalty.separable:
            raise ValueError(
                f"NonNegative needs a separable penalty, and {self.penalty!r} is not: "
                "its prox on the half line is not the prox cut off at 0."
            )
        return self.penalty

    @property
    def smooth(self) -> bool:
        return False

    @property
    def strong_convexity(self) -> float:
        return self._inner.strong_convexity

    @property
    def output_convexity(self) -> float | FloatArray:
        return self._inner.output_convexity

    @property
    def l1_strength(self) -> float | None:
        return self._inner.l1_strength

    @property
    def nonnegative(self) -> bool:
        return True

    def value(self, coef: FloatArray) -> float:
        return inf if (coef < 0).any() else self._inner.value(coef)

    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return self._inner.gradient(coef)

    def curvature(self, coef: FloatArray) -> float | FloatArray:
        self._require_smooth("curvature")
        return self._inner.curvature(coef)

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        step = self._inner.prox(coef, step_size)
        np.maximum(step, 0.0, out=step)
        return step

    def conjugate(self, dual: FloatArray) -> float:
        return self._inner.conjugate(np.maximum(dual, 0.0))

    def dual_scaling(self, dual: FloatArray) -> float:
        return self._inner.dual_scaling(np.maximum(dual, 0.0))

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        """See the base class; defined where the constraint holds.

        At 0 the constraint adds (-inf, 0] to the subdifferential, which cancels any positive
        slope.
        """
        slope = self._inner.minimum_norm_subgradient(coef, gradient)
        np.minimum(slope, 0.0, out=slope, where=coef <= 0.0)
        return slope
