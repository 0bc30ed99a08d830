"""Some columns of a standardised matrix that is too large to copy them."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.models.standardized import Explicit, StandardizedMatrix


class Selected(StandardizedMatrix):
    """Some columns of another matrix, and its column of ones.

    Products with a vector go through the whole matrix, at the cost of the whole matrix: for a dense
    one that is faster than gathering more than a few per cent of the columns. Gram products, which
    gain more, gather them for the rows at hand only; they are meant for blocks of rows.

    Parameters
    ----------
    whole : StandardizedMatrix
        The other matrix.
    columns : array of shape (n_selected,)
        Ascending column numbers.
    n_features : int
        Number of columns to choose from, not counting the ones.
    intercept : bool
        Whether there is a column of ones.
    threaded_gram : bool
        Whether the products of `gram` are those of sparse rows, shared out to threads: large Gram
        matrices of one block after the other would take longer to add up than to compute.
    """

    def __init__(
        self, whole: StandardizedMatrix, columns: IntArray, *, n_features: int, intercept: bool,
        threaded_gram: bool = False,
    ) -> None:  # fmt: skip
        self.threaded_gram = threaded_gram
        self.whole, self.columns = whole, columns
        self.n_features, self.intercept = n_features, intercept
        self.n_samples, self.dtype = whole.n_samples, whole.dtype
        self._places = np.append(columns, n_features) if intercept else columns

    def matmul(self, rows: FloatArray) -> FloatArray:
        padded = np.zeros((len(rows), self.n_features + self.intercept), dtype=rows.dtype)
        padded[:, self._places] = rows
        return self.whole.matmul(padded)

    def rmatmul(self, R: FloatArray) -> FloatArray:
        return self.whole.rmatmul(R)[:, self._places]

    def gram(self, weights: FloatArray | None) -> FloatArray:
        return self.whole.selected_gram(self.columns, weights)

    def selected_gram(self, columns: IntArray, weights: FloatArray | None) -> FloatArray:
        return self.whole.selected_gram(self.columns[columns], weights)

    def weighted_squares(self, weights: FloatArray) -> FloatArray:
        return self.whole.weighted_squares(weights)[self._places]

    def explicit(self) -> Explicit:
        return self.whole.select(self.columns).explicit()

    def unrotated_norms(self) -> FloatArray:
        return self.whole.select(self.columns).unrotated_norms()

    def squared_row_norms(self) -> FloatArray:
        return self.whole.select(self.columns).squared_row_norms()

    def take(self, rows: Any) -> Selected:
        whole = self.whole.take(rows)
        return Selected(whole, self.columns, n_features=self.n_features, intercept=self.intercept)

    def select(self, columns: IntArray) -> StandardizedMatrix:
        return self.whole.select(self.columns[columns])
