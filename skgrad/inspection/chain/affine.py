"""Affine steps, found by trying them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import dense, like, numeric_columns, width

# A probe needs a row per column; beyond this it would cost more than the data themselves.
MAX_COLUMNS = 2000
# Probes reach far beyond the data, where a step that only looks affine in between bends or clips.
REACHES = (0.3, 1.0, 10.0, 100.0)
ACCURACY = 1e-8


def probed(step: Any, X: Any) -> FloatArray | None:
    """Find the Jacobian of a transformer that is affine; None if it is not, or can't be tried.

    :math:`T(x_0 + h_j e_j) - T(x_0)` gives the columns. The map is accepted if it reproduces T at
    rows of the data and at points up to a hundred standard deviations away.
    """
    n_in = width(X)
    if sparse.issparse(X) or n_in > MAX_COLUMNS or len(numeric_columns(X)) < n_in:
        return None
    data = dense(X)
    finite = np.isfinite(data).all(axis=1)
    if not finite.any():
        return None
    origin = data[finite].mean(axis=0)
    scale = data[finite].std(axis=0)
    scale[scale == 0.0] = 1.0
    points = np.vstack([origin, origin + np.diag(scale), _elsewhere(data[finite], origin, scale)])
    values = _transformed(step, X, points)
    if values is None or not np.isfinite(values).all():
        return None
    jacobian = (values[1 : n_in + 1] - values[0]).T / scale
    expected = values[0] + (points - origin) @ jacobian.T
    size = np.abs(points - origin) @ np.abs(jacobian.T) + np.abs(values[0])
    if (np.abs(values - expected) > ACCURACY * (size + np.abs(values).max(axis=0))).any():
        return None
    return np.ascontiguousarray(jacobian)


def _elsewhere(data: FloatArray, origin: FloatArray, scale: FloatArray) -> FloatArray:
    """Take points to try: some of the data, and fixed random ones around them."""
    rng = np.random.default_rng(0)
    some = data[:: max(1, len(data) // 8)]
    around = [origin + reach * scale * rng.normal(size=(2, len(origin))) for reach in REACHES]
    return np.vstack([some, *around])


def _transformed(step: Any, X: Any, points: FloatArray) -> FloatArray | None:
    """Transform points; None if the step refuses them or gives something else than numbers."""
    try:
        with np.errstate(all="ignore"):
            return dense(step.transform(like(X, points)))
    except (TypeError, ValueError):
        return None
