"""The matrix that linear models see: centred and scaled columns, and a column of ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.linalg import (
    RowOrder,
    gram,
    is_compiled,
    is_small,
    matmul,
    rmatmul,
    selected_gram,
    short_rows_first,
    take_columns,
    take_rows,
    to_array,
    weighted_gram,
)
from skgrad.models.standardization import Standardization
from skgrad.moments import squared_row_norms, weighted_squares


class StandardizedMatrix(ABC):
    r"""The matrix :math:`A = [((X - c) \odot s)\, T, 1]`, the ones only for models with intercept.

    `Explicit` holds A itself, where it fits in cache; `Implicit` holds X and applies the change of
    variables to the vectors, so that X is neither copied nor densified.
    """

    n_samples: int
    dtype: np.dtype[Any]
    # Whether `gram` is best computed of all rows at once, as it shares them out to threads.
    threaded_gram = False

    @staticmethod
    def build(
        X: Matrix, standardization: Standardization, *, intercept: bool
    ) -> StandardizedMatrix:
        """Choose the representation by size."""
        if is_small(X):
            return Explicit.build(X, standardization, intercept=intercept)
        return Implicit(X, standardization, intercept=intercept, compiled=is_compiled(X))

    @abstractmethod
    def matmul(self, rows: FloatArray) -> FloatArray:
        """Compute A rows', shape (n_samples, n_outputs)."""

    @abstractmethod
    def rmatmul(self, R: FloatArray) -> FloatArray:
        """Compute R' A, shape (n_outputs, row_length)."""

    @abstractmethod
    def gram(self, weights: FloatArray | None) -> FloatArray:
        """Compute A' diag(weights) A."""

    @abstractmethod
    def weighted_squares(self, weights: FloatArray) -> FloatArray:
        """Compute the diagonal of `gram`; without a rotation."""

    @abstractmethod
    def squared_row_norms(self) -> FloatArray:
        """Compute the squared norm of each row."""

    @abstractmethod
    def unrotated_norms(self) -> FloatArray:
        """Compute the squared norm of each row before a rotation, which takes p^2 for each."""

    @abstractmethod
    def explicit(self) -> Explicit:
        """Hold A itself; for few rows."""

    @abstractmethod
    def take(self, rows: Any) -> StandardizedMatrix:
        """Select rows by a slice (a view) or by indices."""

    @abstractmethod
    def selected_gram(self, columns: IntArray, weights: FloatArray | None) -> FloatArray:
        """Compute `gram` of some columns and the column of ones."""

    @abstractmethod
    def select(self, columns: IntArray) -> StandardizedMatrix:
        """Copy some columns, in ascending order, and the column of ones."""

    def grams(self, weights: FloatArray) -> FloatArray:
        """Compute `gram` for each column of weights, shape (n_columns, row_length, row_length)."""
        if weights.shape[1] == 1:
            return self.gram(np.ascontiguousarray(weights[:, 0]))[None]
        return np.stack([self.gram(np.ascontiguousarray(column)) for column in weights.T])


class Explicit(StandardizedMatrix):
    """A as an array."""

    # Up to this many numbers one batched product beats one product a column, each of which can
    # leave rows of weight zero out (iris, three columns: 6 against 18 microseconds), and up to as
    # many the products of all pairs of columns are worth keeping (another 6 against 2).
    LARGEST_BATCH = 1 << 14

    def __init__(self, A: FloatArray, *, intercept: bool) -> None:
        self.A, self.n_samples, self.dtype = A, len(A), A.dtype
        self.intercept = intercept
        # Products of all pairs of columns, (row_length^2, n_samples), if they are worth it.
        self.products: FloatArray | None = None

    @classmethod
    def build(cls, X: Matrix, standardization: Standardization, *, intercept: bool) -> Explicit:
        """Centre and scale a copy of X."""
        n_samples, n_features = X.shape
        # In Fortran order: products with few columns are twice as fast, and so is this (5000 x 10:
        # product 9 -> 4, weighted Gram 58 -> 28, build 100 -> 46 microseconds).
        A = np.empty((n_samples, n_features + intercept), dtype=X.dtype, order="F")
        Z = A[:, :n_features]
        np.subtract(to_array(X), standardization.center, out=Z)
        if standardization.rotation is None:
            Z *= standardization.scale
        else:
            Z[...] = standardization.pull(Z)
        A[:, n_features:] = 1.0
        built = cls(A, intercept=intercept)
        if A.shape[1] * A.size <= cls.LARGEST_BATCH:
            built.products = (A.T[:, None, :] * A.T).reshape(-1, n_samples)
        return built

    def matmul(self, rows: FloatArray) -> FloatArray:
        return self.A @ rows.T

    def rmatmul(self, R: FloatArray) -> FloatArray:
        return R.T @ self.A

    def gram(self, weights: FloatArray | None) -> FloatArray:
        return weighted_gram(self.A, weights)

    def grams(self, weights: FloatArray) -> FloatArray:
        m, n_columns = self.A.shape[1], weights.shape[1]
        if self.products is not None:
            return (weights.T @ self.products.T).reshape(n_columns, m, m)
        if n_columns * self.A.size > self.LARGEST_BATCH:
            return super().grams(weights)
        return (self.A.T * weights.T[:, None, :]) @ self.A

    def weighted_squares(self, weights: FloatArray) -> FloatArray:
        return weights @ np.square(self.A)

    def squared_row_norms(self) -> FloatArray:
        return np.einsum("ij,ij->i", self.A, self.A)

    def unrotated_norms(self) -> FloatArray:
        return self.squared_row_norms()  # rotated already

    def explicit(self) -> Explicit:
        return self

    def take(self, rows: Any) -> Explicit:
        return Explicit(self.A[rows], intercept=self.intercept)

    def selected_gram(self, columns: IntArray, weights: FloatArray | None) -> FloatArray:
        return self.select(columns).gram(weights)

    def select(self, columns: IntArray) -> Explicit:
        ones = np.arange(self.A.shape[1] - self.intercept, self.A.shape[1])
        A = self.A.take(np.concatenate([columns, ones]), axis=1)
        return Explicit(A, intercept=self.intercept)


class Implicit(StandardizedMatrix):
    """A as a product of X with the change of variables."""

    def __init__(
        self, X: Matrix, standardization: Standardization, *, intercept: bool, compiled: bool
    ) -> None:
        self.X, self.standardization, self.intercept = X, standardization, intercept
        self.n_samples, self.dtype, self.compiled = X.shape[0], X.dtype, compiled
        self._order: RowOrder | None = None

    def matmul(self, rows: FloatArray) -> FloatArray:
        p = self.X.shape[1]
        if not rows[:, :p].any():  # every fit starts there
            return np.zeros((self.n_samples, len(rows)), rows.dtype) + rows[:, p:].sum(axis=1)
        user = self.standardization.to_user(rows)
        raw = matmul(self.X, user[:, :p], compiled=self.compiled, order=self._row_order())
        if self.intercept:
            raw += user[:, p]
        return raw

    def rmatmul(self, R: FloatArray) -> FloatArray:
        product = rmatmul(self.X, R, compiled=self.compiled, order=self._row_order())
        if not self.intercept:
            return self.standardization.pull(product)
        totals = R.sum(axis=0)[:, None]
        product -= totals * self.standardization.center
        return np.hstack([self.standardization.pull(product), totals])

    def _row_order(self) -> RowOrder | None:
        """Find, once, the order in which compiled products walk over sparse rows."""
        if self._order is None and self.compiled and not isinstance(self.X, np.ndarray):
            self._order = short_rows_first(self.X)
        return self._order

    def gram(self, weights: FloatArray | None) -> FloatArray:
        p = self.X.shape[1]
        block = np.empty((p + self.intercept,) * 2, dtype=self.X.dtype)
        inner = gram(self.X, weights, self.standardization.center)
        block[:p, :p] = self.standardization.pull(self.standardization.pull(inner).T)
        if self.intercept:
            weights = np.ones(self.n_samples, self.X.dtype) if weights is None else weights
            border = self.rmatmul(weights[:, None])
            block[p, :] = block[:, p] = border[0]
        return block

    def weighted_squares(self, weights: FloatArray) -> FloatArray:
        squares = weighted_squares(self.X, weights, self.standardization.center)
        squares = squares * self.standardization.scale**2
        return np.append(squares, weights.sum()) if self.intercept else squares

    def squared_row_norms(self) -> FloatArray:
        if self.standardization.rotation is not None:
            chunks = [slice(k, k + 4000) for k in range(0, self.n_samples, 4000)]
            parts = map_in_order(
                lambda rows: self.take(rows).explicit().squared_row_norms(), chunks
            )
            return np.concatenate(list(parts))
        return self.unrotated_norms()

    def unrotated_norms(self) -> FloatArray:
        center, scale = self.standardization.center, self.standardization.scale
        return squared_row_norms(self.X, center, scale) + self.intercept

    def explicit(self) -> Explicit:
        return Explicit.build(self.X, self.standardization, intercept=self.intercept)

    def take(self, rows: Any) -> Implicit:
        return Implicit(
            take_rows(self.X, rows), self.standardization,
            intercept=self.intercept, compiled=self.compiled,
        )  # fmt: skip

    def selected_gram(self, columns: IntArray, weights: FloatArray | None) -> FloatArray:
        part, m = self.standardization.select(columns), len(columns)
        inner, sums = selected_gram(self.X, columns, weights, part.center)
        # In place: copies of a large matrix would take as long as the products.
        inner *= part.scale[:, None]
        inner *= part.scale
        if not self.intercept:
            return inner.astype(self.X.dtype, copy=False)
        block = np.empty((m + 1, m + 1), dtype=self.X.dtype)
        block[:m, :m] = inner
        block[m, :m] = block[:m, m] = part.pull(sums)
        block[m, m] = self.n_samples if weights is None else weights.sum()
        return block

    def select(self, columns: IntArray) -> Implicit:
        X = take_columns(self.X, columns)
        return Implicit(
            X, self.standardization.select(columns),
            intercept=self.intercept, compiled=self.compiled,
        )  # fmt: skip
