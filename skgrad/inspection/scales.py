"""Sizes of typical changes of numeric columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain.columns import dense, take_columns, take_rows, width
from skgrad.inspection.points import numbers_of
from skgrad.inspection.running import RunningMoments

SCALES = ("std", "iqr", "input", None)


def column_scales(
    question: Question, X: Any, scale: str | None, weight: FloatArray | None
) -> FloatArray:
    """Compute a typical change of each column: its standard deviation, or interquartile range.

    Missing entries don't count. Columns without numbers have a scale of 1, and so has every column
    without ``scale``.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {scale!r}.")
    scales = np.ones(width(X))
    if scale == "std":
        scales[question.numeric] = _deviations(question, X, weight)
    elif scale == "iqr":
        if sparse.issparse(X):
            raise ValueError('scale="iqr" needs a dense X. Use scale="std".')
        for j in question.numeric:
            column = numbers_of(take_columns(X, [j]), np.zeros(1, dtype=np.intp))
            low, high = np.nanquantile(column, [0.25, 0.75])
            scales[j] = high - low
    return scales


def _deviations(question: Question, X: Any, weight: FloatArray | None) -> FloatArray:
    moments = RunningMoments(len(question.numeric))
    for rows in question.chunks(X):
        numbers = dense(numbers_of(take_rows(X, rows), question.numeric))
        moments.add(numbers, None if weight is None else weight[rows])
    return np.sqrt(moments.variance)
