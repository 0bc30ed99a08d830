"""Swarms of points, and what their colours say."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.chain.columns import dense, numeric_columns, take_columns

# Points of a swarm are stacked where they fall into the same one of so many strips.
STRIPS = 120
HALF_HEIGHT = 0.4


def swarm_heights(values: FloatArray) -> FloatArray:
    """Stack points that would cover each other: distances from the line, at most `HALF_HEIGHT`."""
    low, high = float(values.min()), float(values.max())
    strips = np.zeros(len(values), dtype=np.intp)
    if high > low:
        strips = np.minimum((STRIPS * ((values - low) / (high - low))).astype(np.intp), STRIPS - 1)
    order = np.argsort(strips, kind="stable")
    counts = np.bincount(strips)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    level = np.empty(len(values), dtype=np.intp)
    level[order] = np.arange(len(values)) - starts
    # 0, 1, -1, 2, -2, ...: both sides of the line in turn.
    offset = (level + 1) // 2 * np.where(level % 2 == 1, 1.0, -1.0)
    reach = max(float(counts.max()) / 2.0, 6.0)
    return HALF_HEIGHT * offset / reach


def shades(X: Any, rows: IntArray, column: int) -> FloatArray:
    """Place the entries of a column between 0, its lowest, and 1, its highest, by their ranks.

    NaN for missing entries and for categories, which have no order. Ranks, because one outlier
    would leave all others in one colour.
    """
    if column not in numeric_columns(X):
        return np.full(len(rows), np.nan)
    entries = dense(take_columns(X, [column])).ravel()[rows]
    known = np.unique(entries[~np.isnan(entries)])
    ranks = np.searchsorted(known, entries) / max(1, len(known) - 1)
    return np.where(np.isnan(entries), np.nan, ranks)
