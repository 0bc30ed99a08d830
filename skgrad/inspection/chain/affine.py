"""Affine steps, found by trying them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import dense, like, numeric_columns, width

# A probe needs a row per column; beyond this it would cost more than the data themselves.
MAX_COLUMNS = 2000
# Probes reach far beyond the data, where a step that only looks affine in between bends or clips.
REACHES = (0.3, 1.0, 10.0, 100.0)
# Of steps in double and in single precision.
ACCURACY, SINGLE_ACCURACY = 1e-8, 1e-5


@dataclass(frozen=True)
class AffineMap:
    """A transformer that is affine as far as it has been tried.

    Parameters
    ----------
    origin : ndarray of shape (n_in,)
        Where the trial started.
    value : ndarray of shape (n_out,)
        Output there.
    jacobian : ndarray of shape (n_out, n_in)
        Derivative.
    """

    origin: FloatArray
    value: FloatArray
    jacobian: FloatArray

    def fits(self, points: FloatArray, values: FloatArray, accuracy: float = ACCURACY) -> bool:
        """Tell whether outputs at some points are those of this map."""
        moves = points - self.origin
        error = np.abs(values - self.value - moves @ self.jacobian.T)
        return self._is_small(error, moves, values, accuracy)

    def fits_data(self, step: Any, X: Any, value: Any) -> bool:
        """Tell whether it is the transformer at these rows, some of whose entries may be missing.

        Where they are, moving the others must move the output as the map says.
        """
        data, values = dense(X), dense(value)
        accuracy = ACCURACY if _is_double(X) and _is_double(value) else SINGLE_ACCURACY
        whole = ~np.isnan(data).any(axis=1)
        if whole.any() and not self.fits(data[whole], values[whole], accuracy):
            return False
        if whole.all():
            return True
        broken = np.flatnonzero(~whole)
        moves = np.where(np.isnan(data[broken]), 0.0, 1.0 + np.arange(data.shape[1]) / 7.0)
        moved = _transformed(step, X, data[broken] + moves)
        if moved is None:
            return False
        before = values[broken]
        error = np.abs(moved - before - moves @ self.jacobian.T)
        # An output that is missing, too, is for the step behind to impute.
        error = np.where(np.isnan(before), 0.0, error)
        return self._is_small(error, moves, np.nan_to_num(before), accuracy)

    def _is_small(
        self, error: FloatArray, moves: FloatArray, values: FloatArray, accuracy: float
    ) -> bool:
        size = np.abs(moves) @ np.abs(self.jacobian.T) + np.abs(self.value)
        bound = accuracy * (size + np.abs(values).max(axis=0, initial=0.0))
        return bool((error <= bound).all())


def _is_double(X: Any) -> bool:
    dtype = X.dtype if sparse.issparse(X) else np.asarray(X).dtype
    return bool(dtype.kind != "f" or dtype.itemsize >= 8)


def probed(step: Any, X: Any) -> AffineMap | None:
    """Find the map of a transformer that is affine; None if it is not, or can't be tried.

    :math:`T(x_0 + h_j e_j) - T(x_0)` gives the columns. The map is accepted if it reproduces T at
    points up to a hundred standard deviations away; whether it does at all the data is left to
    `AffineMap.fits_data`, chunk by chunk.
    """
    n_in = width(X)
    if sparse.issparse(X) or n_in > MAX_COLUMNS or len(numeric_columns(X)) < n_in:
        return None
    data = dense(X)
    there = np.isfinite(data)
    count = np.maximum(there.sum(axis=0), 1)
    origin = np.where(there, data, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(there, data - origin, 0.0) ** 2).sum(axis=0) / count)
    scale[scale == 0.0] = 1.0
    points = np.vstack([origin, origin + np.diag(scale), _elsewhere(origin, scale)])
    values = _transformed(step, X, points)
    if values is None or not np.isfinite(values).all():
        return None
    jacobian = np.ascontiguousarray((values[1 : n_in + 1] - values[0]).T / scale)
    found = AffineMap(origin, values[0], jacobian)
    return found if found.fits(points, values) else None


def _elsewhere(origin: FloatArray, scale: FloatArray) -> FloatArray:
    """Take fixed random points to try around the data."""
    rng = np.random.default_rng(0)
    return np.vstack(
        [origin + reach * scale * rng.normal(size=(4, len(origin))) for reach in REACHES]
    )


def _transformed(step: Any, X: Any, points: FloatArray) -> FloatArray | None:
    """Transform points; None if the step refuses them or gives something else than numbers."""
    try:
        with np.errstate(all="ignore"):
            values = dense(step.transform(like(X, points)))
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
        return None
    # Rows that are left out, say, or a vector.
    return values if values.ndim == 2 and len(values) == len(points) else None
