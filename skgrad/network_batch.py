"""Some rows of a network's data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgrad._typing import Array, FloatArray, Matrix


class NetworkBatch(NamedTuple):
    """Some rows; ``weight`` as in `skgrad.rows.Batch`, ``rng`` for what training adds at random."""

    X: Matrix
    y: Array
    weight: FloatArray | None
    rng: np.random.Generator | None


def column_scale(X: Matrix) -> FloatArray:
    """Compute the standard deviation of each column."""
    if isinstance(X, np.ndarray):
        return X.std(axis=0, dtype=np.float64)
    mean = np.asarray(X.mean(axis=0)).ravel()
    square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
    return np.sqrt(np.maximum(square - mean * mean, 0.0))
