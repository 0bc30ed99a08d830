"""Limits to the size of a stochastic gradient."""

from __future__ import annotations

from math import inf
from numbers import Real

import numpy as np

from skgrad._typing import FloatArray
from skgrad.solvers._base import norm


def limits(clip: float | tuple[str, float] | None) -> tuple[float, float]:
    """Read a solver's parameter: the largest norm and the largest entry, inf for none."""
    if clip is None:
        return inf, inf
    kind, limit = clip if isinstance(clip, tuple) and len(clip) == 2 else ("norm", clip)
    valid = isinstance(limit, Real) and float(limit) > 0
    if kind not in ("norm", "value") or not valid:
        raise ValueError(
            f"clip={clip!r} is not understood. Use a positive number (largest norm of the "
            "gradient), ('norm', number), ('value', number) or None."
        )
    return (float(limit), inf) if kind == "norm" else (inf, float(limit))


def clipped(gradient: FloatArray, largest_norm: float, largest_entry: float) -> FloatArray:
    """Limit a gradient."""
    if largest_entry < inf:
        gradient = np.clip(gradient, -largest_entry, largest_entry)
    if largest_norm < inf and (length := norm(gradient)) > largest_norm:
        gradient = gradient * (largest_norm / length)
    return gradient
