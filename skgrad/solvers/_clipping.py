"""Limits to the size of a stochastic gradient."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import numpy as np

from skgrad._typing import FloatArray
from skgrad.solvers._base import norm


def clipping(
    clip: float | tuple[str, float] | None,
) -> Callable[[FloatArray], FloatArray]:
    """Build the function that limits a gradient by norm or by value."""
    if clip is None:
        return lambda gradient: gradient
    kind, limit = clip if isinstance(clip, tuple) and len(clip) == 2 else ("norm", clip)
    valid = isinstance(limit, Real) and float(limit) > 0
    if kind not in ("norm", "value") or not valid:
        raise ValueError(
            f"clip={clip!r} is not understood. Use a positive number (largest norm of the "
            "gradient), ('norm', number), ('value', number) or None."
        )
    limit = float(limit)
    if kind == "value":
        return lambda gradient: np.clip(gradient, -limit, limit)

    def by_norm(gradient: FloatArray) -> FloatArray:
        length = norm(gradient)
        return gradient if length <= limit else gradient * (limit / length)

    return by_norm
