"""Second moments of dense data and of their targets, to the digits of float32, in one pass."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from skgrad._threads import map_in_order, single_threaded_blas
from skgrad._typing import FloatArray, Matrix
from skgrad.linalg import is_compiled, row_blocks
from skgrad.models import Standardization
from skgrad.rows import Batch

# Up to this order the products take less time than the passes over the data that they save.
MOST_COLUMNS = 500
# Rows that tell where columns lie and whether they are correlated.
PILOT_ROWS = 1000
PILOT_ROWS_PER_COLUMN = 10
FEWEST_ROWS_PER_COLUMN = 20
# Targets are columns of the product; more of them would cost more than a pass.
MOST_TARGETS = 8
# Least eigenvalue, or nearly, of a correlation matrix that is known to 1e-6: solutions are then
# good to two digits at least, and every refinement adds as many.
LEAST_EIGENVALUE = 1e-4
# Second moment about the pilot's mean relative to the variance: so many digits are lost when the
# one is computed from the other.
FARTHEST_PILOT = 30.0
# Squares below this may have underflowed.
TINY = 1e-30
TASK_BYTES = 16 << 20
BLOCK_BYTES = 2 << 20
# Rows of so many numbers, some of them zeros, start where vector registers like them to.
PADDING = 8


class SecondMoments(NamedTuple):
    r"""Moments about the means, weighted, to about seven digits.

    .. math:: C = \frac{1}{S} \sum_i s_i (x_i - \bar x)(x_i - \bar x)', \qquad
              c = \frac{1}{S} \sum_i s_i (x_i - \bar x)(y_i - \bar y)'

    Single precision doubles the speed of products. Least squares from these moments are right to
    seven digits less those of the condition number, and iterative refinement, with gradients in the
    precision of the data, brings the others back at the cost of a pass for each step.

    Attributes
    ----------
    mean : array of shape (n_features,)
        Means; zeros for a model without intercept, the moments are then about zero.
    scale : array of shape (n_features,)
        Factors that the columns were multiplied with before the products.
    products : array of shape (n_features, n_features)
        C of the columns multiplied by ``scale``.
    targets : Targets, optional
        Means and sizes of the targets; None where there are many.
    cross : array of shape (n_features, n_outputs)
        c of the same columns; no outputs without targets.
    deviation : array of shape (n_features,), optional
        Standard deviations of the columns; None where, about zero, they would lose digits.

    References
    ----------
    N. J. Higham (2002). Accuracy and Stability of Numerical Algorithms, 2nd edition, chapter 12.
    """

    mean: FloatArray
    scale: FloatArray
    products: FloatArray
    targets: Targets | None
    cross: FloatArray
    deviation: FloatArray | None

    @staticmethod
    def of(
        X: Matrix, y: FloatArray, weight: FloatArray | None, *, centered: bool, ridge: float
    ) -> SecondMoments | None:
        """Compute the moments, or None where single precision does not do.

        That is so for columns that depend linearly on others, or nearly, unless the penalty's
        curvature ``ridge`` makes up for it, and where it takes float64 to tell. None also where
        they save no time, and for outputs with weights of their own.
        """
        if not is_compiled(X) or not isinstance(X, np.ndarray) or X.shape[1] > MOST_COLUMNS:
            return None
        shared = weight is None or weight.shape[1] == 1
        if len(X) < FEWEST_ROWS_PER_COLUMN * X.shape[1] or not shared:
            return None
        with np.errstate(all="ignore"), single_threaded_blas(X):
            pilot = _Pilot.of(X, centered=centered)
            if not pilot.is_regular(ridge):
                return None
            return _moments(X, y, weight, pilot, centered=centered, ridge=ridge)

    def standardization(self, ridge: float, dtype: np.dtype[Any]) -> Standardization:
        """Build the coordinates of `skgrad.coordinates.standardize`."""
        variance = self.products.diagonal()
        with np.errstate(divide="ignore"):
            scale = self.scale / np.sqrt(variance + ridge * self.scale**2)
        scale[variance == 0.0] = 0.0
        return Standardization(
            self.mean.astype(dtype), scale.astype(dtype), deviation=self.deviation
        )

    def expand(self, data: Batch, rows: FloatArray, scaling: Standardization) -> Expansion:
        """Expand the mean squared error about parameters ``rows``, one row per output."""
        p, factor = len(self.scale), scaling.scale / self.scale
        total = float(data.share * len(data.y) if data.weight is None else data.weight.sum())
        hessian = np.zeros((1, rows.shape[1], rows.shape[1]))
        hessian[0, :p, :p] = total * factor * factor[:, None] * self.products
        hessian[0, p:, p:] = total
        if self.targets is None or rows[:, :p].any():
            return Expansion(hessian, math.nan, None)
        distance = rows[:, p:] - self.targets.mean[:, None]
        gradient = np.empty_like(rows)
        gradient[:, :p] = -total * factor * self.cross.T
        gradient[:, p:] = total * distance
        squares = float(np.sum(self.targets.size**2) + np.sum(distance**2))
        return Expansion(hessian, 0.5 * total * squares, gradient)


class Expansion(NamedTuple):
    """Hessian of the mean squared error, (1, row_length, row_length), and what else is known.

    The exact value and the gradient, in the shape of the parameters, where coefficients are zero.
    """

    hessian: FloatArray
    value: float
    gradient: FloatArray | None


class Targets(NamedTuple):
    """Targets, their weighted means (zeros for a model without intercept) and sizes about them."""

    y: FloatArray
    mean: FloatArray
    size: FloatArray

    @staticmethod
    def of(y: FloatArray, weight: FloatArray | None, *, centered: bool) -> Targets | None:
        """Return None for many targets, and for constant ones."""
        if y.shape[1] > MOST_TARGETS:
            return None
        share = None if weight is None else weight[:, 0]
        mean = np.average(y, axis=0, weights=share) if centered else np.zeros(y.shape[1])
        deviation = y - mean
        if share is None:
            squares = np.einsum("ij,ij->j", deviation, deviation) / len(y)
        else:
            squares = np.einsum("i,ij,ij->j", share, deviation, deviation) / share.sum()
        size = np.sqrt(squares)
        return Targets(y, mean, size) if (size > 0.0).all() else None

    def scaled(self, rows: slice) -> FloatArray:
        """Shift and scale to a mean square of one."""
        return (self.y[rows] - self.mean) / self.size


class _Pilot(NamedTuple):
    """What some rows say about all: where columns lie, their size, and their correlations."""

    shift: FloatArray
    scale: FloatArray
    products: FloatArray  # of the shifted and scaled columns

    @staticmethod
    def of(X: FloatArray, *, centered: bool) -> _Pilot:
        """Look at rows at equal distances."""
        n_rows = PILOT_ROWS + PILOT_ROWS_PER_COLUMN * X.shape[1]
        rows = X[:: max(1, len(X) // n_rows)].astype(np.float64)
        shift = np.zeros(X.shape[1])
        for _ in range(2 if centered else 0):  # a sum of equal numbers may be far off, once
            offset = rows.mean(axis=0)
            rows -= offset
            shift += offset
        size = np.sqrt(np.mean(np.square(rows), axis=0))
        # A column that looks constant may have other values elsewhere, of about the same size.
        size = np.where(size > _rounding(X) * np.abs(shift), size, np.abs(shift))
        scale = 1.0 / np.where(size > 0.0, size, 1.0)
        rows *= scale
        return _Pilot(shift, scale, rows.T @ rows / len(rows))

    def is_regular(self, ridge: float) -> bool:
        """Tell whether the columns that vary among these rows are independent."""
        varies = np.flatnonzero(self.products.diagonal() > 0.5)
        penalty = np.diag(ridge * self.scale[varies] ** 2)
        finite = bool(np.isfinite(self.products).all())
        return finite and _is_regular(self.products[np.ix_(varies, varies)] + penalty)


def _moments(
    X: FloatArray, y: FloatArray, weight: FloatArray | None, pilot: _Pilot, *,
    centered: bool, ridge: float,
) -> SecondMoments | None:  # fmt: skip
    p = X.shape[1]
    root = np.empty(0) if weight is None else np.sqrt(weight[:, 0] / weight.mean(dtype=np.float64))
    targets = Targets.of(y, weight, centered=centered)
    products = _products(X, root, targets, pilot)
    if not np.isfinite(products).all():
        return None
    products /= products[p, p]
    raw, offset = products.diagonal()[:p].copy(), products[p].copy()
    if centered:
        products -= np.outer(offset, offset)
    variance = products.diagonal()[:p].copy()
    mean = pilot.shift + offset[:p] / pilot.scale if centered else pilot.shift
    constant = variance <= (_rounding(X) * mean * pilot.scale) ** 2
    if _underflowed(X, variance, pilot) or (raw > FARTHEST_PILOT * variance)[~constant].any():
        return None
    products[:p][constant], products[:, :p][:, constant] = 0.0, 0.0
    inner, varies = products[:p, :p], np.flatnonzero(~constant)
    penalty = np.diag(ridge * pilot.scale[varies] ** 2)
    if not _is_regular(inner[np.ix_(varies, varies)] + penalty):
        return None
    cross = products[:p, p + 1 :] * (1.0 if targets is None else targets.size)
    spread = variance if centered else raw - offset[:p] ** 2
    known = bool((raw <= FARTHEST_PILOT * spread)[~constant].all())
    deviation = np.where(constant, 0.0, np.sqrt(np.maximum(spread, 0.0))) / pilot.scale
    return SecondMoments(mean, pilot.scale, inner, targets, cross, deviation if known else None)


def _products(
    X: FloatArray, root: FloatArray, targets: Targets | None, pilot: _Pilot
) -> FloatArray:
    """Multiply the columns [x, 1, y], shifted and scaled, with each other, in single precision.

    Each block's products are added up in float64: the error of a sum of all rows in float32 would
    be a hundred times that of rounding the entries.
    """
    from skgrad._kernels.mixed import shift_and_scale

    p = X.shape[1]
    size = -(-(p + 1 + (0 if targets is None else len(targets.mean))) // PADDING) * PADDING
    n_rows = max(1, BLOCK_BYTES // (4 * size))

    def products(task: slice) -> FloatArray:
        total, buffer = np.zeros((size, size)), np.zeros((n_rows, size), dtype=np.float32)
        for start in range(task.start, task.stop, n_rows):
            rows = slice(start, min(start + n_rows, task.stop))
            Z, part = buffer[: rows.stop - start], root[rows]
            shift_and_scale(X[rows], pilot.shift, pilot.scale, part, Z)
            if targets is not None:
                y = targets.scaled(rows)
                Z[:, p + 1 : p + 1 + y.shape[1]] = y * part[:, None] if len(part) else y
            total += Z.T @ Z
        return total

    total: FloatArray = np.zeros((size, size))
    for part in map_in_order(products, list(row_blocks(X, TASK_BYTES))):
        total += part
    used = p + 1 + (0 if targets is None else len(targets.mean))
    return total[:used, :used]


def _underflowed(X: FloatArray, variance: FloatArray, pilot: _Pilot) -> bool:
    """Tell whether a column is not zero but looks so: nothing was known of its size."""
    unknown = (variance < TINY) & (pilot.products.diagonal() == 0.0) & (pilot.shift == 0.0)
    return any(X[:, j].any() for j in np.flatnonzero(unknown))


def _is_regular(matrix: FloatArray) -> bool:
    """Bound the least eigenvalue of a correlation matrix, here of any scale, from below."""
    size = np.sqrt(matrix.diagonal())
    factor, failed = lapack.dpotrf(matrix / np.outer(size, size), lower=1)
    if failed:
        return False
    inverse_norm, _ = lapack.dpocon(factor, 1.0, uplo="L")
    return bool(inverse_norm > LEAST_EIGENVALUE)


def _rounding(X: FloatArray) -> float:
    """Deviations from the mean, relative to it, that are rounding: of a constant column."""
    return 10.0 * float(np.finfo(X.dtype).eps)
