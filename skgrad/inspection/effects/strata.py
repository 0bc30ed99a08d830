"""Over which rows, and with which columns set to what, effects are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain.columns import is_frame, take_columns, take_rows, width
from skgrad.inspection.effects.slopes import numbers
from skgrad.inspection.effects.terms import find_columns, with_value, without_derivative

POINTS = ("overall", "mean", "median", "zero")


@dataclass(frozen=True)
class Stratum:
    """Rows to average over.

    Parameters
    ----------
    label : str
        What they have in common, "" for all rows.
    X : DataFrame, array or sparse matrix
        All data, or the one row that stands for them.
    weight : ndarray
        Weights of its rows.
    rows : ndarray of int or None
        The rows that belong to it; None for all.
    settings : tuple of (column, value)
        What these columns are set to.
    is_point : bool
        Whether one row stands for the data, which then are no sample.
    """

    label: str
    X: Any
    weight: FloatArray
    rows: IntArray | None = None
    settings: tuple[tuple[int, Any], ...] = ()
    is_point: bool = False

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float((self.weight if self.rows is None else self.weight[self.rows]).sum())

    def chunks(self, size: int) -> Iterator[tuple[IntArray | slice, Any, FloatArray]]:
        """Yield numbers of rows, the rows, and their weights."""
        n_rows = self.X.shape[0] if self.rows is None else len(self.rows)
        for start in range(0, n_rows, size):
            part = slice(start, min(start + size, n_rows))
            yield self._taken(part if self.rows is None else self.rows[part])

    def between(self, rows: slice) -> tuple[IntArray, Any, FloatArray]:
        """Take those of its rows that lie between two others."""
        if self.rows is None:
            _, X, weight = self._taken(rows)
            return np.arange(rows.start, rows.stop), X, weight
        first, end = np.searchsorted(self.rows, (rows.start, rows.stop))
        numbered = self.rows[first:end]
        _, X, weight = self._taken(numbered)
        return numbered, X, weight

    def _taken(self, chosen: Any) -> tuple[Any, Any, FloatArray]:
        X = take_rows(self.X, chosen)
        for column, value in self.settings:
            X = with_value(X, column, value)
        return chosen, X, self.weight[chosen]


def stratify(question: Question, X: Any, weight: FloatArray, *, at: Any, by: Any) -> list[Stratum]:
    """Cut the rows into groups, and each of these into the settings that are asked for."""
    groups = _groups(question, X, weight, by)
    if is_frame(at):
        profiles = _profiles(question, at)
        return [
            replace(group, label=_joined(group.label, label), settings=settings)
            for group in groups for label, settings in profiles
        ]  # fmt: skip
    if not (isinstance(at, str) and at in POINTS):
        raise ValueError(f"at must be one of {POINTS}, or a DataFrame, got {at!r}.")
    if at == "overall":
        return groups
    coded = without_derivative(question, X)
    return [_point(group, at, coded) for group in groups]


def _joined(*labels: str) -> str:
    return ", ".join(label for label in labels if label)


def _groups(question: Question, X: Any, weight: FloatArray, by: Any) -> list[Stratum]:
    everything = Stratum("", X, weight)
    if by is None:
        return [everything]
    import pandas as pd

    n = X.shape[0]
    if len(by) == n and not isinstance(by, str):
        named = pd.DataFrame({"group": np.asarray(by)})
    else:
        columns = find_columns(question, by, "by")
        kept = {
            str(question.names[j]): numbers(X, j) if sparse.issparse(X) else
            np.asarray(take_columns(X, j)) for j in columns
        }  # fmt: skip
        named = pd.DataFrame(kept)
    grouped = named.groupby(list(named.columns), sort=True, dropna=False).indices
    return [
        replace(everything, label=_label(named.columns, key), rows=np.sort(rows))
        for key, rows in grouped.items()
    ]


def _label(names: Any, values: Any) -> str:
    values = values if isinstance(values, tuple) else (values,)
    return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _profiles(question: Question, at: Any) -> list[tuple[str, tuple[tuple[int, Any], ...]]]:
    """Read settings of columns from the rows of a data frame."""
    if len(at) == 0:
        raise ValueError("at is a DataFrame without rows.")
    columns = find_columns(question, list(at.columns), "at")
    values = [at.iloc[:, place].tolist() for place in range(len(columns))]
    return [
        (_label(at.columns, row), tuple(zip(columns, row, strict=True)))
        for row in zip(*values, strict=True)
    ]


def _point(group: Stratum, at: str, coded: set[int]) -> Stratum:
    """Put one row in the place of a group: its means, and its most frequent categories."""
    X = group.X if group.rows is None else take_rows(group.X, group.rows)
    weight = group.weight if group.rows is None else group.weight[group.rows]
    row = take_rows(X, slice(0, 1))
    for j in range(width(X)):
        value = _mode(X, j, weight) if j in coded else _centre(numbers(X, j), weight, at)
        row = with_value(row, j, value)
    return Stratum(group.label, row, np.array([weight.sum()]), is_point=True)


def _centre(values: FloatArray, weight: FloatArray, at: str) -> float:
    known = ~np.isnan(values) & (weight > 0.0)
    if at == "zero" or not known.any():
        return 0.0 if at == "zero" else np.nan
    if at == "mean":
        return float(np.average(values[known], weights=weight[known]))
    order = np.argsort(values[known])
    ordered, reached = values[known][order], np.cumsum(weight[known][order])
    # The mean of the two in the middle, if half of the weight is reached exactly between them.
    low, high = (
        min(int(np.searchsorted(reached, 0.5 * reached[-1], side=side)), len(order) - 1)
        for side in ("left", "right")
    )
    return float(0.5 * (ordered[low] + ordered[high]))


def _mode(X: Any, column: int, weight: FloatArray) -> Any:
    import pandas as pd

    values = pd.Series(np.asarray(take_columns(X, column)), dtype=object)
    return pd.Series(weight).groupby(values.to_numpy()).sum().idxmax()
