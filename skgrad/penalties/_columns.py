"""Columns by name or by position."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any


def positions(
    columns: Sequence[Any], names: Sequence[str] | None, n_features: int, where: str
) -> list[int]:
    """Find the positions of columns that are given by name or by position.

    Parameters
    ----------
    columns : sequence of str or int
        The columns wanted.
    names : sequence of str, or None
        Names of all columns, None if they have none.
    n_features : int
        Number of all columns.
    where : str
        What names the columns, for the message.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        If a column is not there; the message says which.

    Examples
    --------
    >>> from skgrad.penalties._columns import positions
    >>> positions(["b", 0], ["a", "b"], 2, "Box")
    [1, 0]
    """
    known = {} if names is None else {name: place for place, name in enumerate(names)}
    found = []
    for column in columns:
        if column in known:
            found.append(known[column])
        elif isinstance(column, Integral) and 0 <= int(column) < n_features:
            found.append(int(column))
        else:
            raise ValueError(_unknown(column, list(known), n_features, where))
    return found


def _unknown(column: Any, known: list[str], n_features: int, where: str) -> str:
    """Say that there is no such column, and which one may be meant."""
    if isinstance(column, Integral):
        return f"{where} names column {column}, but X has {n_features} columns, from 0 on."
    if not known:
        return f"{where} names column {column!r}, but X is no DataFrame with names of columns."
    close = get_close_matches(str(column), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{where} names column {column!r}, which X does not have.{hint}"
