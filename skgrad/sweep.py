"""One pass over all rows: predict, apply a function to each block of predictions, and pull back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from skgrad._typing import Array, FloatArray, Matrix
from skgrad.linalg import many_sparse_products
from skgrad.models import LinearModel, Standardization
from skgrad.rows import Batch, RowSum

# Predictions of a block, with the temporaries of the loss, stay in a core's second-level cache.
PREDICTION_BYTES = 1 << 19
# Always as many, so that the same numbers are added in the same order with any number of threads.
N_PARTS = 2

PerRow = Callable[[Batch, FloatArray], FloatArray]
Total = Callable[[Batch, FloatArray], float]
Pulled = Callable[[Batch, FloatArray], tuple[float, FloatArray]]


class Sweep(ABC):
    """Passes over the rows of a data set, for a model's parameter vectors.

    A kernel takes a block of rows (its targets and weights) and their raw predictions.
    """

    @staticmethod
    def over(X: Matrix, rows: RowSum, model: LinearModel, scaling: Standardization) -> Sweep:
        """Choose how to sweep."""
        if scaling.rotation is None and many_sparse_products(X, model.n_outputs):
            return SparseOutputsSweep(X, rows.data, model, scaling)
        return BlockSweep(rows, model)

    @abstractmethod
    def value(self, kernel: Total, w: FloatArray) -> float:
        """Add up kernel(block, raw)."""

    @abstractmethod
    def pull(self, kernel: Pulled, w: FloatArray) -> tuple[float, FloatArray]:
        """Add up the numbers that kernel(block, raw) returns, and pull its slopes back."""

    @abstractmethod
    def map(self, kernel: PerRow, w: FloatArray) -> FloatArray:
        """Compute kernel(block, raw), an array of raw's shape, for all rows."""

    @abstractmethod
    def with_targets(self, y: Array) -> Sweep:
        """Exchange the targets."""


class BlockSweep(Sweep):
    """Sweep over the cache-sized blocks of a `RowSum`."""

    def __init__(self, rows: RowSum, model: LinearModel) -> None:
        self.rows, self.model = rows, model

    def value(self, kernel: Total, w: FloatArray) -> float:
        def total(block: Batch) -> float:
            return kernel(block, self.model.forward(w, block.A))

        return float(self.rows.reduce(total))

    def pull(self, kernel: Pulled, w: FloatArray) -> tuple[float, FloatArray]:
        def total(block: Batch) -> tuple[float, FloatArray]:
            value, slopes = kernel(block, self.model.forward(w, block.A))
            return value, self.model.backward(block.A, slopes)

        value, pulled = self.rows.reduce(total)
        return value, pulled

    def map(self, kernel: PerRow, w: FloatArray) -> FloatArray:
        parts = [kernel(block, self.model.forward(w, block.A)).T for block in self.rows.blocks]
        return np.concatenate(parts, axis=1).T

    def with_targets(self, y: Array) -> BlockSweep:
        return BlockSweep(self.rows.with_targets(y), self.model)


class SparseOutputsSweep(Sweep):
    """Sweep over a CSR matrix for many outputs.

    Block by block, an array of the size of the parameters would be copied, scaled, transposed and
    added for each, which costs more than the products. Here they are copied once a pass; each of
    two halves of the data adds up its own gradient, in a thread of its own.
    """

    def __init__(
        self, X: Matrix, data: Batch, model: LinearModel, scaling: Standardization
    ) -> None:
        self.X, self.data, self.model, self.scaling = X, data, model, scaling
        bounds = np.searchsorted(X.indptr, np.linspace(0, X.indptr[-1], N_PARTS + 1)[1:-1])
        self.bounds = [0, *bounds.tolist(), X.shape[0]]

    def value(self, kernel: Total, w: FloatArray) -> float:
        coef, shift = self._unscaled(w)

        def total(part: int) -> float:
            return sum(kernel(self._block(rows), self._predict(rows, coef, shift))
                       for rows in self._blocks(part))  # fmt: skip

        return sum(in_parallel(total, N_PARTS))

    def pull(self, kernel: Pulled, w: FloatArray) -> tuple[float, FloatArray]:
        from skgrad._kernels.csr_outputs import backward

        X, (coef, shift) = self.X, self._unscaled(w)

        def total(part: int) -> tuple[float, FloatArray, FloatArray]:
            value, pulled = 0.0, np.zeros(coef.shape)  # sums in float64
            totals, row = np.zeros(len(shift)), np.empty(len(shift), dtype=w.dtype)
            for rows in self._blocks(part):
                term, slopes = kernel(self._block(rows), self._predict(rows, coef, shift))
                columns = np.ascontiguousarray(slopes.T)
                backward(X.data, X.indices, X.indptr, rows.start, columns, row, pulled)
                value += term
                totals += columns.sum(axis=1, dtype=np.float64)
            return value, pulled, totals

        values, pulls, totals = zip(*in_parallel(total, N_PARTS), strict=True)
        return sum(values), self._scaled(sum(pulls[1:], pulls[0]), sum(totals), w.dtype)

    def map(self, kernel: PerRow, w: FloatArray) -> FloatArray:
        coef, shift = self._unscaled(w)
        result = np.empty((len(shift), self.X.shape[0]), dtype=w.dtype).T

        def fill(part: int) -> None:
            for rows in self._blocks(part):
                result[rows] = kernel(self._block(rows), self._predict(rows, coef, shift))

        in_parallel(fill, N_PARTS)
        return result

    def with_targets(self, y: Array) -> SparseOutputsSweep:
        return SparseOutputsSweep(self.X, self.data._replace(y=y), self.model, self.scaling)

    def _blocks(self, part: int) -> Iterator[slice]:
        n_rows = max(1, PREDICTION_BYTES // (self.model.n_outputs * self.X.dtype.itemsize))
        stop = self.bounds[part + 1]
        for start in range(self.bounds[part], stop, n_rows):
            yield slice(start, min(start + n_rows, stop))

    def _block(self, rows: slice) -> Batch:
        """Targets and weights of some rows. Kernels have no use for A, and cutting it takes time."""
        weight = self.data.weight
        return self.data._replace(
            y=self.data.y[rows], weight=None if weight is None else weight[rows]
        )

    def _predict(self, rows: slice, coef: FloatArray, shift: FloatArray) -> FloatArray:
        from skgrad._kernels.csr_outputs import forward

        X, row = self.X, np.empty(len(shift), dtype=coef.dtype)
        out = np.empty((len(shift), rows.stop - rows.start), dtype=coef.dtype)
        forward(X.data, X.indices, X.indptr, rows.start, coef, shift, row, out)
        return out.T

    def _unscaled(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The user's coefficients, feature by feature, and intercepts."""
        coef = np.empty((self.model.n_features, self.model.n_outputs), dtype=w.dtype)
        np.multiply(self.model.coef(w), self.scaling.scale, out=coef.T)
        shift = np.zeros(self.model.n_outputs, dtype=w.dtype)
        if self.model.fit_intercept:
            shift += self.model.intercept(w) - self.scaling.center @ coef
        return coef, shift

    def _scaled(self, pulled: FloatArray, totals: FloatArray, dtype: Any) -> FloatArray:
        """Undo `_unscaled` for a gradient."""
        if self.model.fit_intercept:
            pulled -= self.scaling.center[:, None] * totals
        gradient = np.empty(self.model.n_params, dtype=dtype)
        np.multiply(
            pulled.T, self.scaling.scale, out=self.model.coef(gradient), casting="same_kind"
        )
        if self.model.fit_intercept:
            self.model.rows(gradient)[:, self.model.n_features] = totals
        return gradient


def in_parallel(task: Callable[[int], Any], n_parts: int) -> list[Any]:
    """Compute task(0), task(1), ... in threads, as many as OpenMP may use."""
    if min(_openmp_effective_n_threads(), n_parts) == 1:
        return [task(part) for part in range(n_parts)]
    with ThreadPoolExecutor(n_parts) as pool:
        # numpy keeps what to do on overflow in the context, which a thread does not inherit.
        futures = [pool.submit(copy_context().run, task, part) for part in range(n_parts)]
        return [future.result() for future in futures]
