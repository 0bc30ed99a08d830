"""The group lasso penalty."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray, IntArray
from skgrad.penalties._base import Penalty
from skgrad.penalties._columns import positions

# Newton's iterations for the length of a group; the first is exact where its steps are equal.
MAX_ITERATIONS = 100
CONVERGED = 4.0  # units of rounding


class GroupLasso(Penalty):
    r"""Group lasso: columns that belong together come in together or not at all.

    .. math:: penalty(coef) = \alpha \sum_g \sqrt{n_g} \; |coef_g|_2

    with :math:`coef_g` the coefficients of a group's :math:`n_g` columns, for all outputs or
    classes: a categorical feature's indicators, a variable and its powers.

    Parameters
    ----------
    groups : sequence of sequences
        The columns of each group, by name in a DataFrame or by position. No column may be in two of
        them. Columns in none are not penalised.
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    M. Yuan and Y. Lin (2006). Model selection and estimation in regression with grouped variables.
    Journal of the Royal Statistical Society B 68, 49-67, eq. 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties import GroupLasso
    >>> penalty = GroupLasso([[0, 1], [2]], alpha=1.0)
    >>> penalty.value(np.array([[0.0, 0.0, 2.0]]))
    2.0
    >>> penalty.prox(np.array([[0.5, -0.5, 2.0]]), step_size=1.0).tolist()
    [[0.0, 0.0, 1.0]]
    """

    separable: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "groups": [list, tuple],
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, groups: Sequence[Sequence[Any]], alpha: float = 1.0) -> None:
        self.groups = groups
        self.alpha = alpha

    def _check_values(self) -> None:
        if not len(self.groups):
            raise ValueError("GroupLasso has no groups.")
        first: dict[Any, int] = {}
        for number, group in enumerate(self.groups):
            if isinstance(group, str) or not len(group):
                raise ValueError(
                    f"Group {number} of GroupLasso is {group!r}; it must be a list of columns, one "
                    "at least."
                )
            for column in group:
                if column in first:
                    raise ValueError(
                        f"Column {column!r} is in two groups of GroupLasso, {first[column]} and "
                        f"{number}; groups must not overlap."
                    )
                first[column] = number

    def bind(self, names: Sequence[str] | None, n_features: int) -> GroupLasso:
        """See the base class."""
        groups = [positions(group, names, n_features, "GroupLasso") for group in self.groups]
        bound = GroupLasso(groups, self.alpha)
        bound.validate()  # a column may be there by name and by position
        return bound

    @property
    def smooth(self) -> bool:
        return False

    @property
    def strong_convexity(self) -> float:
        return 0.0

    def _labels(self, n_features: int) -> IntArray:
        """Tell the number of each column's group; columns in none get one more number."""
        labels = np.full(n_features, len(self.groups))
        for number, group in enumerate(self.groups):
            labels[list(group)] = number
        return labels

    def _strengths(self) -> FloatArray:
        sizes = [float(len(group)) for group in self.groups]
        return float(self.alpha) * np.sqrt(np.array([*sizes, 0.0]))

    def _lengths(self, terms: FloatArray) -> FloatArray:
        """Add up the terms of each group, shape (n_groups + 1,), in float64."""
        labels = np.broadcast_to(self._labels(terms.shape[-1]), terms.shape).ravel()
        sums = np.bincount(labels, terms.ravel(), minlength=len(self.groups) + 1)
        return sums.astype(np.float64, copy=False)

    def value(self, coef: FloatArray) -> float:
        squares = self._lengths(np.square(coef, dtype=np.float64))
        return float(self._strengths() @ np.sqrt(squares))

    def gradient(self, coef: FloatArray) -> FloatArray:
        self._require_smooth("gradient")
        return np.zeros_like(coef)

    def curvature(self, coef: FloatArray) -> float:
        self._require_smooth("curvature")
        return 0.0

    def prox(self, coef: FloatArray, step_size: float | FloatArray) -> FloatArray:
        r"""See the base class.

        With a group's length t after the step, :math:`v_j = c_j t / (t + \eta_j \kappa)`, and
        :math:`\sum_j c_j^2 / (t + \eta_j \kappa)^2 = 1`, :math:`\kappa` the group's strength: its
        left side falls and is convex, so Newton's method from below never passes the root. The
        longest step of a group gives such a start.
        """
        if not coef.size:
            return coef.copy()
        steps = np.broadcast_to(np.asarray(step_size, dtype=np.float64), coef.shape)
        labels = self._labels(coef.shape[-1])
        strengths = self._strengths()
        longest = np.zeros(len(strengths))
        np.maximum.at(longest, np.broadcast_to(labels, coef.shape), steps)
        squares = np.square(coef, dtype=np.float64)
        lengths = np.maximum(np.sqrt(self._lengths(squares)) - longest * strengths, 0.0)
        shift = steps * strengths[labels]
        for _ in range(MAX_ITERATIONS):
            ahead = lengths[labels] + shift
            with np.errstate(divide="ignore", invalid="ignore"):
                terms = np.where(squares > 0.0, squares / ahead**2, 0.0)
                excess = self._lengths(terms) - 1.0
                slope = 2.0 * self._lengths(np.where(terms > 0.0, terms / ahead, 0.0))
            rising = excess > CONVERGED * float(np.finfo(np.float64).eps)
            if not rising.any():
                break
            lengths[rising] += excess[rising] / slope[rising]
        after = lengths[labels]
        with np.errstate(invalid="ignore"):
            factor = np.where(after > 0.0, after / (after + shift), 0.0)
        factor[np.broadcast_to(strengths[labels] == 0.0, factor.shape)] = 1.0
        return np.where(factor > 0.0, coef * factor, 0.0).astype(coef.dtype, copy=False)

    def conjugate(self, dual: FloatArray) -> float:
        tolerance = 8.0 * float(np.finfo(dual.dtype).eps)
        lengths = np.sqrt(self._lengths(np.square(dual, dtype=np.float64)))
        return 0.0 if (lengths <= self._strengths() * (1.0 + tolerance)).all() else inf

    def dual_scaling(self, dual: FloatArray) -> float:
        lengths = np.sqrt(self._lengths(np.square(dual, dtype=np.float64)))
        long = lengths > self._strengths()
        return float((self._strengths()[long] / lengths[long]).min(initial=1.0))

    def minimum_norm_subgradient(self, coef: FloatArray, gradient: FloatArray) -> FloatArray:
        labels, strengths = self._labels(coef.shape[-1]), self._strengths()
        lengths = np.sqrt(self._lengths(np.square(coef, dtype=np.float64)))
        slopes = np.sqrt(self._lengths(np.square(gradient, dtype=np.float64)))
        zero = lengths == 0.0
        outward = np.where(zero, 0.0, strengths / np.where(zero, 1.0, lengths))
        left = np.maximum(slopes - strengths, 0.0) / np.where(slopes == 0.0, 1.0, slopes)
        kept = np.where(zero, left, 1.0)
        element = gradient * kept[labels] + coef * outward[labels]
        return element.astype(coef.dtype, copy=False)
