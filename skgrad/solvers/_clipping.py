"""Limits to the size of a stochastic gradient."""

from __future__ import annotations

from math import inf
from numbers import Real

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models.network import Group, Role
from skgrad.solvers._base import norm

# A unit whose weights are (nearly) zero may still move.
SMALLEST_UNIT = 1e-3


def limits(clip: float | tuple[str, float] | None) -> tuple[float, float]:
    """Read a solver's parameter: the largest norm and the largest entry, inf for none."""
    if clip is None:
        return inf, inf
    kind, limit = _parse(clip)
    if kind == "adaptive":
        return inf, inf
    return (limit, inf) if kind == "norm" else (inf, limit)


def adaptive_limit(clip: float | tuple[str, float] | None) -> float:
    """Read the largest norm of a unit's gradient relative to its weights', inf for none."""
    kind, limit = ("norm", inf) if clip is None else _parse(clip)
    return limit if kind == "adaptive" else inf


def _parse(clip: float | tuple[str, float]) -> tuple[str, float]:
    kind, limit = clip if isinstance(clip, tuple) and len(clip) == 2 else ("norm", clip)
    valid = isinstance(limit, Real) and float(limit) > 0
    if kind not in ("norm", "value", "adaptive") or not valid:
        raise ValueError(
            f"clip={clip!r} is not understood. Use a positive number (largest norm of the "
            "gradient), ('norm', number), ('value', number), ('adaptive', number) or None."
        )
    return kind, float(limit)


def clipped(gradient: FloatArray, largest_norm: float, largest_entry: float) -> FloatArray:
    """Limit a gradient."""
    if largest_entry < inf:
        gradient = np.clip(gradient, -largest_entry, largest_entry)
    if largest_norm < inf and (length := norm(gradient)) > largest_norm:
        gradient = gradient * (largest_norm / length)
    return gradient


def clip_units(groups: list[Group], w: FloatArray, gradient: FloatArray, limit: float) -> None:
    """Limit the norm of each unit's gradient relative to that of its weights, in place.

    The last layer is left alone, and weights near zero count as `SMALLEST_UNIT` (Brock et al. 2021,
    section 4.1).
    """
    last = max(group.layer for group in groups)
    for group in groups:
        if group.role is not Role.WEIGHTS or group.layer == last:
            continue
        weights, slopes = group.view(w), group.view(gradient)
        size = np.maximum(_row_norms(weights), SMALLEST_UNIT)
        tiny = float(np.finfo(gradient.dtype).tiny)
        slopes *= np.minimum(limit * size / np.maximum(_row_norms(slopes), tiny), 1.0)[:, None]


def _row_norms(rows: FloatArray) -> FloatArray:
    return np.sqrt(np.einsum("ij,ij->i", rows, rows))
