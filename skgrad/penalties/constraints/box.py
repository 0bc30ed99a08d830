"""Bounds for each coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from numbers import Real
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skgrad._typing import FloatArray
from skgrad.penalties._base import Constraint
from skgrad.penalties._columns import positions
from skgrad.penalties._sums import interval_scaling, largest_abs

Bounds: TypeAlias = Any  # a pair (lower, upper) of numbers, None for no bound


class Box(Constraint):
    r"""Coefficients between a lower and an upper bound each.

    .. math:: C = \{ coef : lower_j \le coef_j \le upper_j \}

    Bounds may be infinite: signs of single columns are bounds at zero.

    Parameters
    ----------
    lower, upper : float or array-like, default=-inf and inf
        Bounds. An array has an entry for each column, shape (n_features,), or for each coefficient,
        shape (n_outputs, n_features).
    columns : dict, optional
        Bounds of single columns, (lower, upper) with None for no bound, by the column's name in a
        DataFrame or by its position. They replace those above.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.penalties.constraints import Box
    >>> Box(0, 1).project(np.array([[-3.0, 0.5, 3.0]])).tolist()
    [[0.0, 0.5, 1.0]]

    A demand that falls with the price, and rises with the income by a quarter at most:

    >>> import pandas as pd
    >>> from skgrad import LinearRegression
    >>> X = pd.DataFrame({"price": [1.0, 2.0, 3.0, 4.0], "income": [2.0, 1.0, 4.0, 3.0]})
    >>> signs = Box(columns={"price": (None, 0), "income": (0, 0.25)})
    >>> LinearRegression(constraint=signs).fit(X, [5.0, 6.0, 7.0, 4.0]).coef_.round(6)
    array([-0.35,  0.25])
    """

    separable: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "lower": [Real, "array-like"],
        "upper": [Real, "array-like"],
        "columns": [Mapping, None],
    }

    def __init__(
        self,
        lower: float | ArrayLike = -inf,
        upper: float | ArrayLike = inf,
        *,
        columns: Mapping[Any, Bounds] | None = None,
    ) -> None:
        self.lower = lower
        self.upper = upper
        self.columns = columns

    def bind(self, names: Sequence[str] | None, n_features: int) -> Box:
        """See the base class."""
        lower, upper = (
            _per_column(bound, name, n_features)
            for bound, name in ((self.lower, "lower"), (self.upper, "upper"))
        )
        columns = {} if self.columns is None else self.columns
        places = positions(list(columns), names, n_features, f"{type(self).__name__}(columns=...)")
        for place, bounds in zip(places, columns.values(), strict=True):
            lower[..., place], upper[..., place] = _pair(bounds)
        bound = Box(lower, upper)
        bound.validate()
        return bound

    def _check_values(self) -> None:
        bounds = (np.asarray(bound, dtype=np.float64) for bound in (self.lower, self.upper))
        lower, upper = np.broadcast_arrays(*bounds)
        for place in np.argwhere(~(lower <= upper)):
            where = f"column {int(place[-1])}" if len(place) else "all columns"
            self._refuse(float(lower[tuple(place)]), float(upper[tuple(place)]), where)
        for column, bounds in ({} if self.columns is None else self.columns).items():
            if not (isinstance(bounds, tuple | list) and len(bounds) == 2):
                raise ValueError(
                    f"Box needs a pair of bounds (lower, upper) for column {column!r}, with None "
                    f"for no bound. Got {bounds!r}."
                )
            low, high = _pair(bounds)
            if not low <= high:
                self._refuse(low, high, f"column {column!r}")

    @staticmethod
    def _refuse(lower: float, upper: float, where: str) -> None:
        raise ValueError(
            f"Box has the lower bound {lower:g} and the upper bound {upper:g} for {where}; the "
            "lower one must not be above the upper one."
        )

    def _bounds(self, dtype: Any) -> tuple[FloatArray, FloatArray]:
        if self.columns is not None:
            raise ValueError(
                "Box(columns=...) does not know where its columns are. An estimator finds them; "
                "elsewhere call bind(names, n_features) first."
            )
        return np.asarray(self.lower, dtype=dtype), np.asarray(self.upper, dtype=dtype)

    @property
    def bounded(self) -> bool:
        lower, upper = self._bounds(np.float64)
        return bool(np.isfinite(lower).all() and np.isfinite(upper).all())

    def violation(self, coef: FloatArray) -> float:
        lower, upper = self._bounds(coef.dtype)
        finite = [largest_abs(bound[np.isfinite(bound)]) for bound in (lower, upper)]
        size = max(*finite, largest_abs(coef)) or 1.0
        outside = np.maximum(lower - coef, coef - upper)
        return float(outside.max(initial=-inf)) / size

    def project(self, coef: FloatArray, metric: float | FloatArray = 1.0) -> FloatArray:
        lower, upper = self._bounds(coef.dtype)
        return np.minimum(np.maximum(coef, lower), upper)

    def lmo(self, gradient: FloatArray) -> FloatArray:
        if not self.bounded:
            raise ValueError(f"{self!r} is not bounded: linear functions have no minimum on it.")
        lower, upper = self._bounds(gradient.dtype)
        return np.where(gradient < 0.0, upper, lower)

    def conjugate(self, dual: FloatArray) -> float:
        lower, upper = self._bounds(np.float64)
        best = np.where(dual > 0.0, upper, lower)
        terms = np.where(dual == 0.0, 0.0, dual) * np.where(dual == 0.0, 0.0, best)
        return float(terms.sum())

    def dual_scaling(self, dual: FloatArray) -> float:
        """See the base class: nothing may push towards where there is no bound."""
        lower, upper = self._bounds(np.float64)
        free = np.where(dual > 0.0, np.isinf(upper), np.isinf(lower)) & (dual != 0.0)
        return interval_scaling(dual[free], 0.0)


def _pair(bounds: Bounds) -> tuple[float, float]:
    """Replace None by infinity."""
    low, high = bounds
    return -inf if low is None else float(low), inf if high is None else float(high)


def _per_column(bound: float | ArrayLike, name: str, n_features: int) -> FloatArray:
    """Repeat a bound for each column."""
    given = np.asarray(bound, dtype=np.float64)
    if given.ndim and given.shape[-1] not in (1, n_features):
        raise ValueError(
            f"{name} of Box has {given.shape[-1]} entries, but X has {n_features} columns."
        )
    return np.broadcast_to(given, (*given.shape[:-1], n_features)).copy()
