"""What happens to the columns of X before the first layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from skgrad._parameters import Parameterized, unknown_name
from skgrad._typing import FloatArray

# Rows that quantiles are computed of: their standard error is then a hundredth of the spread.
QUANTILE_ROWS = 100_000


class ColumnScaler(NamedTuple):
    """Centre and scale of each column, and where to bend large values (inf: nowhere)."""

    center: FloatArray
    scale: FloatArray
    bend: float

    def __call__(self, X: FloatArray) -> FloatArray:
        r"""Map :math:`z = (x - c) \cdot s` to :math:`z / \sqrt{1 + (z / b)^2}`, as a new array."""
        scaled = (X - self.center) * self.scale
        if self.bend < np.inf:
            root = np.square(scaled / self.bend)
            root += 1.0
            scaled /= np.sqrt(root, out=root)
        return scaled

    def slope(self, X: FloatArray) -> FloatArray:
        r"""Differentiate: :math:`s / (1 + (z / b)^2)^{3/2}`, of shape (n_rows, n_features)."""
        if self.bend == np.inf:
            return np.broadcast_to(self.scale, X.shape)
        root = np.square((X - self.center) * (self.scale / self.bend))
        return np.asarray(self.scale / (1.0 + root) ** 1.5)


class InputScaling(Parameterized, ABC):
    """A way to find centre and scale of each column on training data."""

    name: ClassVar[str]
    bend: ClassVar[float] = np.inf

    @abstractmethod
    def moments(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute centre and factor of each column in float64."""

    def fit(self, X: FloatArray) -> ColumnScaler:
        """Look at training data; constant columns become zero."""
        return ColumnScaler(*self.moments(X), self.bend)


class Standard(InputScaling):
    """Mean 0 and variance 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network import Standard
    >>> Standard().fit(np.array([[1.0], [3.0]]))(np.array([[3.0]])).tolist()
    [[1.0]]
    """

    name = "standard"

    def moments(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, deviation = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
        rounding = 8.0 * float(np.finfo(X.dtype).eps) * np.abs(mean)
        return mean, _inverse(np.where(deviation > rounding, deviation, 0.0))


class Robust(InputScaling):
    r"""Median 0 and interquartile range 1, large values bent towards 3.

    .. math:: z = \frac{x - q_{50}}{q_{75} - q_{25}}, \qquad x \to \frac{z}{\sqrt{1 + (z / 3)^2}}

    Columns whose quartiles coincide are scaled to a range of 2 instead.

    References
    ----------
    D. Holzmueller, L. Grinsztajn and I. Steinwart (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS 2024, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network import Robust
    >>> scaler = Robust().fit(np.arange(5.0)[:, None])
    >>> scaler(np.array([[2.0], [4.0], [1e9]])).round(3).tolist()
    [[0.0], [0.949], [3.0]]
    """

    name = "robust"
    bend = 3.0

    def moments(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        rows = X[:: max(1, len(X) // QUANTILE_ROWS)]
        low, median, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        spread, full = high - low, (X.max(axis=0) - X.min(axis=0)).astype(np.float64)
        return median, np.where(spread > 0.0, _inverse(spread), 2.0 * _inverse(full))


def _inverse(spread: FloatArray) -> FloatArray:
    """Divide one by each spread, zero by zero."""
    return np.divide(1.0, spread, out=np.zeros_like(spread, dtype=np.float64), where=spread > 0.0)


INPUT_SCALINGS: dict[str, type[InputScaling]] = {kind.name: kind for kind in (Standard, Robust)}


def get_input_scaling(scaling: str | InputScaling | None) -> InputScaling | None:
    """Turn a name into its scaling; an object, or None, is kept.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and the closest match.
    """
    if scaling is None or isinstance(scaling, InputScaling):
        return scaling
    if isinstance(scaling, str) and scaling in INPUT_SCALINGS:
        return INPUT_SCALINGS[scaling]()
    raise unknown_name("input scaling", scaling, INPUT_SCALINGS, "None")
