"""The contract of a penalty."""

from abc import ABC, abstractmethod
from typing import ClassVar, final

from skgrad._parameters import Parameterized
from skgrad._typing import FloatArray


class Penalty(Parameterized, ABC):
    """A convex function of the coefficients, least at 0, where it is 0.

    A penalty is a value: it holds hyper-parameters, stored as given, and no data. `coef` has
    shape (n_outputs, n_features), but any shape works; intercepts are never penalised and never
    passed. Arrays keep their dtype, and inputs are never modified.

    Attributes
    ----------
    separable : bool
        Whether the penalty is a sum over coefficients.
    """

    separable: ClassVar[bool]

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
