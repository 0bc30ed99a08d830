"""The contracts of a penalty and of a constraint."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self, final

import numpy as np

from skgrad._parameters import Parameterized
from skgrad._typing import FloatArray

# Units of rounding that a point which was projected, and mapped to other coordinates and back, may
# lie outside.
CONSTRAINT_ROUNDING = 64.0
# Length of a short step as a power of the unit of rounding: 5e-7, and 2e-10 is lost by rounding.
SHORT = 0.4


class Penalty(Parameterized, ABC):
    """A function of the coefficients, least at 0, where it is 0; convex as a rule.

    A penalty is a value: it holds hyper-parameters, stored as given, and no data. `coef` has
    shape (n_outputs, n_features), but any shape works; intercepts are never penalised and never
    passed. Arrays keep their dtype, and inputs are never modified.

    Attributes
    ----------
    separable : bool
        Whether the penalty is a sum over coefficients.
    convex : bool
        Whether it is convex. If not, there are no bounds of the distance to the minimum.
    per_coordinate : bool
        Whether `prox` takes a step size for each coordinate.
    """

    separable: ClassVar[bool]
    convex: ClassVar[bool] = True
    per_coordinate: ClassVar[bool] = True

    @property
    @abstractmethod
    def smooth(self) -> bool:
        """Whether the gradient is continuous; it can depend on the hyper-parameters."""

    @property
    @abstractmethod
    def strong_convexity(self) -> float:
        """Largest m such that ``penalty(coef) - m |coef|^2 / 2`` is convex."""

    @property
    def output_convexity(self) -> float | FloatArray:
        """`strong_convexity` of each output, a column, where outputs differ in it."""
        return self.strong_convexity

    @property
    def l1_strength(self) -> float | None:
        """Factor of ``|coef|_1``; None if there is more to the penalty than that and an L2 part."""
        return None

    @property
    def nonnegative(self) -> bool:
        """Whether the penalty is infinite for negative coefficients."""
        return False

    @property
    def region(self) -> Constraint | None:
        """The constraint that is part of the penalty, which is then infinite outside of it."""
        return None

    @property
    def finite_part(self) -> Penalty | None:
        """What the penalty is worth where its constraint holds; None for nothing."""
        return self

    def bind(self, names: Sequence[str] | None, n_features: int) -> Penalty:
        """Translate names of columns into positions; by default there are none in a penalty.

        Parameters
        ----------
        names : sequence of str, or None
            Names of the columns, None if they have none.
        n_features : int
            Number of columns.

        Returns
        -------
        Penalty
            One that holds positions only.

        Raises
        ------
        ValueError
            If a column is unknown; the message says which.
        """
        return self

    @abstractmethod
    def value(self, coef: FloatArray) -> float:
        """Penalty, summed in float64."""

    @abstractmethod
    def gradient(self, coef: FloatArray) -> FloatArray:
        """Gradient; NotImplementedError unless `smooth`."""

    @abstractmethod
    def curvature(self, coef: FloatArray) -> float | FloatArray:
        """Diagonal of the Hessian, a float if constant; NotImplementedError unless `smooth`."""

    @abstractmethod
    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Proximal step, ``argmin_v step_size penalty(v) + |v - coef|^2 / 2``, as a new array.

        Parameters
        ----------
        coef : ndarray
        step_size : float or ndarray broadcastable with coef
            Non-negative. With one step size per coordinate it is the step in the metric that
            diag(1 / step_size) defines, argmin_v penalty(v) + sum_j (v_j - coef_j)^2 /
            (2 step_size_j).

        Returns
        -------
        ndarray of coef's shape
        """

    @abstractmethod
    def conjugate(self, dual: FloatArray) -> float:
        """Convex conjugate, sup_v <dual, v> - penalty(v), summed in float64.

        It is inf outside its domain. A few rounding errors beyond the border count as inside:
        a dual point is computed, and often lies on the border.
        """

    @abstractmethod
    def dual_scaling(self, dual: FloatArray) -> float:
        """Largest c in [0, 1] for which conjugate(c dual) is finite."""

    @abstractmethod
    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        """Element of least norm of gradient + the subdifferential of the penalty at coef.

        With the gradient of the smooth rest of an objective, it is 0 exactly at the minimum.
        """

    @final
    def _require_smooth(self, derivative: str) -> None:
        if not self.smooth:
            raise NotImplementedError(
                f"The penalty {self!r} is not smooth, so it has no {derivative}; "
                "use its prox or its minimum_norm_subgradient."
            )


class Constraint(Penalty):
    r"""A closed convex set C of coefficients, as the penalty that is 0 in it and infinite outside.

    A constraint has a projection and, where it is bounded, a linear minimisation oracle. Its
    conjugate is the support function of the set.
    """

    @property
    def smooth(self) -> bool:
        return False

    @property
    def strong_convexity(self) -> float:
        return 0.0

    @property
    @final
    def region(self) -> Self:
        return self

    @property
    @final
    def finite_part(self) -> None:
        return None

    @property
    @abstractmethod
    def bounded(self) -> bool:
        """Whether the set is bounded, so that linear functions have a minimum on it."""

    @abstractmethod
    def violation(self, coef: FloatArray) -> float:
        """How far outside of the set coef is, relative to the set's size; at most 0 inside."""

    @abstractmethod
    def project(self, coef: FloatArray, metric: float | FloatArray = 1.0) -> FloatArray:
        """Nearest point of the set, argmin_v sum_j (v_j - coef_j)^2 / metric_j, as a new array.

        Parameters
        ----------
        coef : ndarray
        metric : float or ndarray broadcastable with coef
            Positive; a number gives the Euclidean projection. Arrays need ``per_coordinate``.

        Returns
        -------
        ndarray of coef's shape
        """

    @abstractmethod
    def lmo(self, gradient: FloatArray) -> FloatArray:
        """Linear minimisation oracle: a vertex v that minimises <gradient, v> over the set.

        ValueError unless the set is `bounded`.
        """

    @final
    def gap(self, coef: FloatArray, gradient: FloatArray) -> float:
        r"""Compute the Frank-Wolfe gap, :math:`\max_v <gradient, coef - v>` over the set.

        For a convex function with this gradient at coef, a point of the set, it bounds the distance
        of its value to the minimum on the set.
        """
        inner = np.vdot(gradient.astype(np.float64, copy=False), coef)
        return float(inner) + self.conjugate(-gradient)

    @final
    def value(self, coef: FloatArray) -> float:
        """0 in the set, up to some roundings of its size; else inf."""
        tolerance = CONSTRAINT_ROUNDING * float(np.finfo(coef.dtype).eps)
        return 0.0 if self.violation(coef) <= tolerance else math.inf

    @final
    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """See the base class: the projection, for any step size."""
        return self.project(coef, step_size)

    @final
    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return np.zeros_like(coef)

    @final
    def curvature(self, coef: FloatArray) -> float:
        self._require_smooth("curvature")
        return 0.0

    def dual_scaling(self, dual: FloatArray) -> float:
        """See the base class: the support function of a bounded set is finite."""
        return 1.0

    @final
    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        """See the base class: the move of a short projected step, to a third of the digits.

        In the limit that is the projection of -gradient on the tangent cone, with the sign changed.
        """
        return short_step(self, coef, gradient)


def short_step(penalty: Penalty, coef: FloatArray, gradient: FloatArray) -> FloatArray:
    """Compute (coef - prox(coef - t gradient, t)) / t for a short step t.

    The limit is the element of least norm of gradient + the subdifferential (Moreau). As a
    difference it has a third of the digits; where the penalty is polyhedral, only rounding is lost.
    """
    size = float(np.abs(gradient).max(initial=0.0))
    scale = float(np.abs(coef).max(initial=0.0)) or 1.0
    step = float(np.finfo(coef.dtype).eps) ** SHORT * scale / (size or 1.0)
    return (coef - penalty.prox(coef - step * gradient, step)) / step
