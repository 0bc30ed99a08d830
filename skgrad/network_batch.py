"""Some rows of a network's data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgrad._typing import Array, FloatArray, Matrix
from skgrad.linalg import take_rows


class NetworkBatch(NamedTuple):
    """Some rows; ``weight`` as in `skgrad.rows.Batch`, ``rng`` for what training adds at random."""

    X: Matrix
    y: Array
    weight: FloatArray | None
    rng: np.random.Generator | None

    def take(self, rows: slice) -> NetworkBatch:
        """Select rows."""
        weight = None if self.weight is None else self.weight[rows]
        return NetworkBatch(take_rows(self.X, rows), self.y[rows], weight, self.rng)


def cut(n_rows: int, size: int, *, alone: bool) -> list[tuple[int, int]]:
    """Cut rows into parts; a single last row joins the part before it unless it may be alone."""
    ends = [*range(size, n_rows, size), n_rows]
    if not alone and len(ends) > 1 and ends[-1] - ends[-2] == 1:
        del ends[-2]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def column_scale(X: Matrix) -> FloatArray:
    """Compute the standard deviation of each column."""
    if isinstance(X, np.ndarray):
        return X.std(axis=0, dtype=np.float64)
    mean = np.asarray(X.mean(axis=0)).ravel()
    square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
    return np.sqrt(np.maximum(square - mean * mean, 0.0))
