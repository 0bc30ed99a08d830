"""Points on paths between two inputs: values of the variables that move along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.inspection._question import Question
from skgrad.inspection.chain import SEVERAL, Local, Walk
from skgrad.inspection.chain.columns import dense, is_frame, take_columns, take_rows

Trail: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """Rows of an input as the variables that a path between inputs moves.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        The rows themselves, for what does not move: texts and categories.
    numeric : ndarray of int
        The columns of X that hold numbers.
    numbers : array or CSR of shape (n_samples, n_numeric)
        Their entries. Missing ones stay missing: a leaf stands for them.
    leaves : dict
        Outputs of the leaves, such as indicators of categories and imputed numbers, by trail.
    """

    X: Any
    numeric: IntArray
    numbers: Matrix
    leaves: Mapping[Trail, Matrix]

    @classmethod
    def of(cls, question: Question, X: Any) -> tuple[Point, Local]:
        """Find the variables of some rows, and the response at them."""
        local, walk = question.walk(X, pins={})
        leaves = {trail: as_numbers(leaf.value) for trail, leaf in walk.leaves.items()}
        return cls(X, question.numeric, numbers_of(X, question.numeric), leaves), local

    @classmethod
    def mean(cls, question: Question, X: Any) -> Point:
        """Average the variables over all rows of X, chunk by chunk, into one row."""
        numbers: FloatArray = np.zeros((1, len(question.numeric)))
        leaves: dict[Trail, FloatArray] = {}
        first: Point | None = None
        for rows in question.chunks(X):
            part, _ = cls.of(question, take_rows(X, rows))
            first = first or part
            numbers = numbers + _column_sums(part.numbers)
            for trail, leaf in part.leaves.items():
                sums = _column_sums(leaf)
                leaves[trail] = leaves[trail] + sums if trail in leaves else sums
        assert first is not None
        means = {trail: total / X.shape[0] for trail, total in leaves.items()}
        row = take_rows(first.X, slice(0, 1))
        return cls(row, first.numeric, numbers / X.shape[0], means)

    def zero(self) -> Point:
        """Set all variables to zero."""
        leaves = {trail: leaf * 0.0 for trail, leaf in self.leaves.items()}
        return Point(self.X, self.numeric, self.numbers * 0.0, leaves)

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self.numbers.shape[0])

    def take(self, rows: Any) -> Point:
        """Select rows."""
        leaves = {trail: leaf[rows] for trail, leaf in self.leaves.items()}
        return Point(take_rows(self.X, rows), self.numeric, self.numbers[rows], leaves)

    def towards(self, end: Point, t: FloatArray) -> Point:
        """Go the share t, shape (n_samples, 1), of the way to another point."""
        numbers = _between(self.numbers, end.numbers, t)
        leaves = {
            trail: _between(start, end.leaves[trail], t) for trail, start in self.leaves.items()
        }
        return Point(end.X, self.numeric, numbers, leaves)

    def evaluate(self, question: Question) -> tuple[Local, Walk]:
        """Evaluate the response, and keep the way back."""
        return question.walk(with_numbers(self.X, self.numeric, self.numbers), self.leaves)

    def contributions(self, end: Point, pulled: FloatArray, walk: Walk) -> FloatArray:
        """Multiply the way to another point by what was pulled back, for each original column.

        What belongs to one column, all indicators of its categories, adds up with its sign.
        """
        total = np.zeros(pulled.shape)
        total[:, self.numeric] = _product(end.numbers - self.numbers, pulled[:, self.numeric])
        for trail, start in self.leaves.items():
            leaf = walk.leaves[trail]
            if SEVERAL in leaf.owners:
                walk.into("/".join(trail)).refuse(leaf.step, "sees mixtures of several columns")
            assert leaf.cotangent is not None
            product = _product(end.leaves[trail] - start, leaf.cotangent)
            for owner in np.unique(leaf.owners):
                total[:, owner] += product[:, leaf.owners == owner].sum(axis=1)
        return total


def numbers_of(X: Any, numeric: IntArray) -> Matrix:
    """Extract columns of numbers as float64; missing ones are NaN."""
    if sparse.issparse(X):
        columns = X if len(numeric) == X.shape[1] else X[:, numeric]
        return sparse.csr_array(columns, dtype=np.float64)
    columns = take_columns(X, numeric)
    if is_frame(columns):
        return np.asarray(columns.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(columns, dtype=np.float64)


def as_numbers(value: Any) -> Matrix:
    """Bring a leaf's output into a form that can be added and multiplied."""
    if sparse.issparse(value):
        return sparse.csr_array(value, dtype=np.float64)
    return np.asarray(value, dtype=np.float64)


def _column_sums(values: Matrix) -> FloatArray:
    return np.asarray(values.sum(axis=0)).reshape(1, -1)


def _between(start: Matrix, end: Matrix, t: FloatArray) -> Matrix:
    if sparse.issparse(start) or sparse.issparse(end):
        moved = start + sparse.diags_array(t[:, 0]) @ (end - start)
        return sparse.csr_array(moved)
    return start + t * (end - start)


def _product(change: Matrix, pulled: FloatArray) -> FloatArray:
    change = dense(change)
    # A number that is missing at one end does not move: the leaf behind it does.
    return np.where(np.isnan(change), 0.0, change * pulled)


def with_numbers(X: Any, numeric: IntArray, numbers: Matrix) -> Any:
    """Put numbers in the place of the numeric columns of X."""
    if not is_frame(X):
        if len(numeric) == X.shape[1]:
            return numbers
        moved = X.copy()
        moved[:, numeric] = numbers
        return moved
    import pandas as pd

    columns = {column: numbers[:, k] for k, column in enumerate(X.columns[numeric])}
    others = {column: X[column].to_numpy() for column in X.columns if column not in columns}
    return pd.DataFrame(columns | others)[list(X.columns)]
