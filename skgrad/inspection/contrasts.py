"""Effects of categories: what changes when a column takes each of its levels in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain import SEVERAL, Walk
from skgrad.inspection.chain.columns import is_frame, take_columns

# A forward pass for each level: more than these are texts or identifiers.
MAX_LEVELS = 200


@dataclass(frozen=True)
class Levels:
    """The levels of a discrete column, and how frequent they are.

    Parameters
    ----------
    column : int
        Its position.
    values : sequence
        The distinct entries, a missing one as well.
    shares : ndarray
        Their shares of the weight.
    """

    column: int
    values: Any
    shares: FloatArray

    def spread(self, X: Any, response: Callable[[Any], FloatArray]) -> FloatArray:
        r"""Compute how far the response spreads over the levels, for each row.

        .. math:: \sqrt{\sum_c \pi_c (f_c - \bar f)^2}, \qquad \bar f = \sum_c \pi_c f_c

        with :math:`f_c` the response of the row if its entry were c. For a linear model and a
        column of 0 and 1 this is the coefficient's size times the standard deviation, so that
        categories and numbers share one scale, whatever the number of levels.
        """
        reference = response(X)
        mean, square = np.zeros_like(reference), np.zeros_like(reference)
        for value, share in zip(self.values, self.shares, strict=True):
            # Differences from the row's own response: nothing cancels.
            change = response(with_level(X, self.column, value)) - reference
            mean += share * change
            square += share * change**2
        spread: FloatArray = np.sqrt(np.maximum(square - mean**2, 0.0))
        return spread


def discrete_columns(walk: Walk) -> IntArray:
    """Find the columns whose entries are categories to the pipeline."""
    owners = [leaf.owners for leaf in walk.leaves.values()]
    found = np.unique(np.concatenate(owners)) if owners else np.empty(0, dtype=np.intp)
    if SEVERAL in found:
        for trail, leaf in walk.leaves.items():
            if SEVERAL in leaf.owners:
                walk.into("/".join(trail)).refuse(leaf.step, "sees mixtures of several columns")
    return np.asarray(found, dtype=np.intp)


def levels_of(question: Question, X: Any, column: int, weight: FloatArray | None) -> Levels:
    """Count the levels of a column."""
    import pandas as pd

    entries = pd.Series(take_columns(X, column)).reset_index(drop=True)
    weights = pd.Series(np.ones(len(entries)) if weight is None else weight)
    total = weights.groupby(entries, dropna=False, observed=True, sort=False).sum()
    total = total[total > 0.0]
    if len(total) > MAX_LEVELS:
        raise ValueError(
            f"Column {question.names[column]!r} has {len(total)} levels: too many to try each."
            ' Use method="integrated" or "expected", which need no contrasts, or at_step=-1 for'
            " the encoded columns."
        )
    return Levels(column, list(total.index), (total / total.sum()).to_numpy())


def with_level(X: Any, column: int, value: Any) -> Any:
    """Set a column to one of its levels in every row."""
    if not is_frame(X):
        moved = X.copy()
        moved[:, column] = value
        return moved
    import pandas as pd

    name, dtype = X.columns[column], X.dtypes.iloc[column]
    return X.assign(**{name: pd.Series([value] * len(X), index=X.index, dtype=dtype)})
