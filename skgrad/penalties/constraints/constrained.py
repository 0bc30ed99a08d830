"""A penalty together with a constraint."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar

import numpy as np

from skgrad._typing import FloatArray
from skgrad.penalties._base import Constraint, Penalty, short_step
from skgrad.penalties._sums import interval_scaling


class Constrained(Penalty):
    r"""A penalty where a constraint holds, and infinite elsewhere.

    ::

        penalty(coef) = penalty(coef)   if coef is in the constraint's set
                        inf             otherwise

    Parameters
    ----------
    penalty : Penalty
        `NoPenalty` or `L2` with any constraint; `L1` or `ElasticNet` with a separable one, `Box`.
    constraint : Constraint
        Such as `L1Ball`.

    Notes
    -----
    A proximal step of an L2 penalty of strength m is a projection of shrunken coefficients,

    .. math:: prox(c) = P\left(\frac{c}{1 + m \eta}\right), \qquad
              penalty^*(d) = d'v - \tfrac{m}{2} |v|^2, \quad v = P(d / m).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import L2
    >>> from skgrad.penalties.constraints import Constrained, L1Ball
    >>> penalty = Constrained(L2(alpha=1.0), L1Ball(radius=1.0))
    >>> penalty.prox(np.array([[3.0, -2.0]]), step_size=1.0).tolist()
    [[0.75, -0.25]]
    """

    separable: ClassVar[bool] = False  # not in general
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [Penalty],
        "constraint": [Constraint],
    }

    def __init__(self, penalty: Penalty, constraint: Constraint) -> None:
        self.penalty = penalty
        self.constraint = constraint

    def _check_values(self) -> None:
        quadratic = self.penalty.smooth and self.penalty.l1_strength == 0.0
        elementary = self.penalty.l1_strength is not None and not self.penalty.nonnegative
        if not (quadratic or (elementary and self.constraint.separable)):
            raise ValueError(
                f"No proximal operator of {self.penalty!r} together with {self.constraint!r} is "
                "known. Combine the constraint with an L2 penalty or none (l1_ratio=0), or an L1 "
                "or elastic-net penalty with a Box."
            )

    @property
    def per_coordinate(self) -> bool:  # type: ignore[override]
        """Whether `prox` takes a step size for each coordinate: as the constraint's."""
        return self.constraint.per_coordinate

    @property
    def smooth(self) -> bool:
        return False

    @property
    def strong_convexity(self) -> float:
        return self.penalty.strong_convexity

    @property
    def region(self) -> Constraint:
        return self.constraint

    @property
    def finite_part(self) -> Penalty:
        return self.penalty

    def bind(self, names: Sequence[str] | None, n_features: int) -> Constrained:
        """See the base class."""
        constraint = self.constraint.bind(names, n_features)
        assert isinstance(constraint, Constraint)
        return Constrained(self.penalty.bind(names, n_features), constraint)

    def value(self, coef: FloatArray) -> float:
        return self.penalty.value(coef) + self.constraint.value(coef)

    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return self.penalty.gradient(coef)

    def curvature(self, coef: FloatArray) -> float | FloatArray:
        self._require_smooth("curvature")
        return self.penalty.curvature(coef)

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """See the base class; for a separable constraint the unconstrained step is cut off."""
        shrinkage = 1.0 + step_size * self.penalty.strong_convexity
        return self.constraint.project(self.penalty.prox(coef, step_size), step_size / shrinkage)

    def conjugate(self, dual: FloatArray) -> float:
        if self._linear:
            return self.constraint.conjugate(dual)
        peak = self._peak(dual)
        if not np.isfinite(peak).all():
            return inf
        inner = float(np.vdot(dual.astype(np.float64, copy=False), peak))
        return inner - self.penalty.value(peak)

    def dual_scaling(self, dual: FloatArray) -> float:
        if self._linear:
            return self.constraint.dual_scaling(dual)
        unbounded = ~np.isfinite(self._peak(dual))
        return interval_scaling(dual[unbounded], float(self.penalty.l1_strength or 0.0))

    @property
    def _linear(self) -> bool:
        """Whether the conjugate is that of the constraint."""
        return self.penalty.l1_strength == 0.0 and self.penalty.strong_convexity == 0.0

    def _peak(self, dual: FloatArray) -> FloatArray:
        """Maximise <dual, v> - penalty(v) over the set; infinite where there is no maximum."""
        threshold = float(self.penalty.l1_strength or 0.0)
        threshold *= 1.0 + 8.0 * float(np.finfo(dual.dtype).eps)
        beyond = dual - dual.clip(-threshold, threshold)
        if self.penalty.strong_convexity > 0.0:
            return self.constraint.project(beyond / self.penalty.strong_convexity)
        far = np.where(beyond == 0.0, 0.0, np.copysign(inf, beyond))
        return self.constraint.project(far.astype(dual.dtype, copy=False))

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        """See the base class: the move of a short proximal step, to a third of the digits."""
        return short_step(self, coef, gradient)
