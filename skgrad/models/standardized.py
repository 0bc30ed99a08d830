"""The matrix that linear models see: centred and scaled columns, and a column of ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.linalg import (
    gram,
    is_small,
    matmul,
    rmatmul,
    selected_gram,
    squared_row_norms,
    take_columns,
    take_rows,
    to_array,
)
from skgrad.models.standardization import Standardization


class StandardizedMatrix(ABC):
    r"""The matrix :math:`A = [((X - c) \odot s)\, T, 1]`, the ones only for models with intercept.

    `Explicit` holds A itself, where it fits in cache; `Implicit` holds X and applies the change of
    variables to the vectors, so that X is neither copied nor densified.
    """

    n_samples: int
    dtype: np.dtype[Any]

    @staticmethod
    def build(
        X: Matrix, standardization: Standardization, *, intercept: bool
    ) -> StandardizedMatrix:
        """Choose the representation by size."""
        if is_small(X):
            return Explicit.build(X, standardization, intercept=intercept)
        return Implicit(X, standardization, intercept=intercept)

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
    def squared_row_norms(self) -> FloatArray:
        """Compute the squared norm of each row."""

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
        return np.stack([self.gram(np.ascontiguousarray(column)) for column in weights.T])


class Explicit(StandardizedMatrix):
    """A as an array."""

    # Batched products pay off while their temporary stays in cache.
    LARGEST_BATCH = 1 << 17

    def __init__(self, A: FloatArray, *, intercept: bool) -> None:
        self.A, self.n_samples, self.dtype = A, len(A), A.dtype
        self.intercept = intercept

    @classmethod
    def build(
        cls, X: Matrix, standardization: Standardization, *, intercept: bool
    ) -> StandardizedMatrix:
        """Centre and scale a copy of X."""
        n_samples, n_features = X.shape
        A = np.empty((n_samples, n_features + intercept), dtype=X.dtype)
        Z = A[:, :n_features]
        np.subtract(to_array(X), standardization.center, out=Z)
        A[:, :n_features] = standardization.pull(Z)
        A[:, n_features:] = 1.0
        return cls(A, intercept=intercept)

    def matmul(self, rows: FloatArray) -> FloatArray:
        return self.A @ rows.T

    def rmatmul(self, R: FloatArray) -> FloatArray:
        return R.T @ self.A

    def gram(self, weights: FloatArray | None) -> FloatArray:
        if weights is None:
            return self.A.T @ self.A
        return (self.A.T * weights) @ self.A

    def grams(self, weights: FloatArray) -> FloatArray:
        if weights.shape[1] > 1 and weights.shape[1] * self.A.size > self.LARGEST_BATCH:
            return super().grams(weights)
        return (self.A.T * weights.T[:, None, :]) @ self.A

    def squared_row_norms(self) -> FloatArray:
        return np.einsum("ij,ij->i", self.A, self.A)

    def take(self, rows: Any) -> Explicit:
        A = self.A[rows] if isinstance(rows, slice) else self.A.take(rows, axis=0)
        return Explicit(A, intercept=self.intercept)

    def selected_gram(self, columns: IntArray, weights: FloatArray | None) -> FloatArray:
        return self.select(columns).gram(weights)

    def select(self, columns: IntArray) -> Explicit:
        ones = np.arange(self.A.shape[1] - self.intercept, self.A.shape[1])
        A = self.A.take(np.concatenate([columns, ones]), axis=1)
        return Explicit(A, intercept=self.intercept)


class Implicit(StandardizedMatrix):
    """A as a product of X with the change of variables."""

    def __init__(self, X: Matrix, standardization: Standardization, *, intercept: bool) -> None:
        self.X, self.standardization, self.intercept = X, standardization, intercept
        self.n_samples, self.dtype = X.shape[0], X.dtype

    def matmul(self, rows: FloatArray) -> FloatArray:
        p = self.X.shape[1]
        if not rows[:, :p].any():  # every fit starts there
            return np.zeros((self.n_samples, len(rows)), rows.dtype) + rows[:, p:].sum(axis=1)
        user = self.standardization.to_user(rows)
        raw = matmul(self.X, user[:, :p])
        if self.intercept:
            raw += user[:, p]
        return raw

    def rmatmul(self, R: FloatArray) -> FloatArray:
        product = rmatmul(self.X, R)
        if not self.intercept:
            return self.standardization.pull(product)
        totals = R.sum(axis=0)[:, None]
        product -= totals * self.standardization.center
        return np.hstack([self.standardization.pull(product), totals])

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

    def squared_row_norms(self) -> FloatArray:
        if self.standardization.rotation is not None:
            chunks = [slice(k, k + 1000) for k in range(0, self.n_samples, 1000)]
            return np.concatenate([self.take(rows).dense_row_norms() for rows in chunks])
        center, scale = self.standardization.center, self.standardization.scale
        return squared_row_norms(self.X, center, scale) + self.intercept

    def dense_row_norms(self) -> FloatArray:
        """Compute `squared_row_norms` through the rows as an array."""
        explicit = Explicit.build(self.X, self.standardization, intercept=self.intercept)
        return explicit.squared_row_norms()

    def take(self, rows: Any) -> Implicit:
        X = take_rows(self.X, rows)
        return Implicit(X, self.standardization, intercept=self.intercept)

    def selected_gram(self, columns: IntArray, weights: FloatArray | None) -> FloatArray:
        part, m = self.standardization.select(columns), len(columns)
        inner, sums = selected_gram(self.X, columns, weights, part.center)
        block = np.empty((m + self.intercept,) * 2, dtype=self.X.dtype)
        block[:m, :m] = part.pull(part.pull(inner).T)
        if self.intercept:
            block[m, :m] = block[:m, m] = part.pull(sums)
            block[m, m] = self.n_samples if weights is None else weights.sum()
        return block

    def select(self, columns: IntArray) -> Implicit:
        X = take_columns(self.X, columns)
        return Implicit(X, self.standardization.select(columns), intercept=self.intercept)
