"""Products of a data matrix with many vectors at once, block by block and without temporaries.

Coefficients and gradients are kept in the layout that the products want, so that an array of the
size of the parameters is copied and scaled once a pass instead of once a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy.sparse import csr_array, csr_matrix

from skgrad import linalg
from skgrad._typing import FloatArray, Matrix

# Multiplications from which compiled loops pay for the second that importing and compiling takes.
COMPILED_PRODUCT = 1_000_000
# Predictions of a block, with the temporaries of a loss, stay in a core's second-level cache.
PREDICTION_BYTES = 1 << 19


class Products(ABC):
    """Products of X, or of its transpose, with `n_outputs` vectors."""

    n_rows: int

    @staticmethod
    def of(X: Matrix, n_outputs: int) -> Products | None:
        """Choose by the kind of the matrix; None where a plain product is as good."""
        if n_outputs == 1 or linalg.is_small(X):
            return None
        if isinstance(X, np.ndarray):
            return DenseProducts(X, n_outputs)
        return SparseProducts(X, n_outputs) if X.nnz * n_outputs >= COMPILED_PRODUCT else None

    @abstractmethod
    def halfway(self) -> int:
        """Find the row that halves the work."""

    @abstractmethod
    def arrange(self, coef: FloatArray) -> FloatArray:
        """Copy coefficients, (n_outputs, n_features), to the layout that `predict` wants."""

    @abstractmethod
    def predict(self, rows: slice, coef: FloatArray) -> FloatArray:
        """Compute coef X' for some rows, shape (n_outputs, n_rows), from arranged coefficients."""

    @abstractmethod
    def zeros(self) -> FloatArray:
        """Make the array that `add` adds to, in float64."""

    @abstractmethod
    def add(self, rows: slice, slopes: FloatArray, total: FloatArray) -> None:
        """Add slopes X, slopes of shape (n_outputs, n_rows) for some rows, to a total."""

    @abstractmethod
    def collect(self, total: FloatArray) -> FloatArray:
        """View a total as an array of shape (n_outputs, n_features)."""


class DenseProducts(Products):
    """Products with an array."""

    def __init__(self, X: FloatArray, n_outputs: int) -> None:
        self.X, self.n_outputs = X, n_outputs
        self.n_rows = max(1, linalg.BLOCK_BYTES // max(X[:1].nbytes, 1))

    def halfway(self) -> int:
        return len(self.X) // 2

    def arrange(self, coef: FloatArray) -> FloatArray:
        return np.ascontiguousarray(coef)

    def predict(self, rows: slice, coef: FloatArray) -> FloatArray:
        # OpenBLAS takes half the time of X @ coef.T, the same product with few columns.
        return coef @ self.X[rows].T

    def zeros(self) -> FloatArray:
        return np.zeros((self.n_outputs, self.X.shape[1]))

    def add(self, rows: slice, slopes: FloatArray, total: FloatArray) -> None:
        total += slopes @ self.X[rows]

    def collect(self, total: FloatArray) -> FloatArray:
        return total


class SparseProducts(Products):
    """Products with a CSR matrix, by compiled loops: a stored number meets neighbours in memory."""

    def __init__(self, X: csr_array | csr_matrix, n_outputs: int) -> None:
        self.X, self.n_outputs = X, n_outputs
        self.n_rows = max(1, PREDICTION_BYTES // (n_outputs * X.dtype.itemsize))

    def halfway(self) -> int:
        return int(np.searchsorted(self.X.indptr, self.X.nnz // 2))

    def arrange(self, coef: FloatArray) -> FloatArray:
        return np.ascontiguousarray(coef.T)

    def predict(self, rows: slice, coef: FloatArray) -> FloatArray:
        from skgrad._kernels.csr_multi import forward

        X, row = self.X, np.empty(self.n_outputs, dtype=coef.dtype)
        out = np.empty((self.n_outputs, rows.stop - rows.start), dtype=coef.dtype)
        forward(X.data, X.indices, X.indptr, rows.start, coef, row, out)
        return out

    def zeros(self) -> FloatArray:
        return np.zeros((self.X.shape[1], self.n_outputs))

    def add(self, rows: slice, slopes: FloatArray, total: FloatArray) -> None:
        from skgrad._kernels.csr_multi import backward

        X, row = self.X, np.empty(self.n_outputs, dtype=slopes.dtype)
        backward(X.data, X.indices, X.indptr, rows.start, slopes, row, total)

    def collect(self, total: FloatArray) -> FloatArray:
        return total.T
