"""One pass over all rows: predict, apply a function to each block of predictions, and pull back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import Array, FloatArray, Matrix
from skgrad.models import LinearModel, Standardization
from skgrad.products import Products
from skgrad.rows import THREADED_BLOCKS, Batch, RowSum

# What two threads share: gradients of many outputs are too large for more partial sums.
HALVES = (0, 1)

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
        products = Products.of(X, model.n_outputs)
        if products is None:
            return BlockSweep(rows, model)
        return OutputsSweep(products, rows.data, model, scaling)

    @abstractmethod
    def value(self, kernel: Total, w: FloatArray) -> float:
        """Add up kernel(block, raw)."""

    @abstractmethod
    def pull(self, kernel: Pulled, w: FloatArray) -> tuple[float, FloatArray]:
        """Add up the numbers that kernel(block, raw) returns; weigh its slopes, pull them back."""

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
            return value, pull_back(self.model, block, slopes)

        value, pulled = self.rows.reduce(total)
        return value, pulled

    def map(self, kernel: PerRow, w: FloatArray) -> FloatArray:
        def part(block: Batch) -> FloatArray:
            return kernel(block, self.model.forward(w, block.A)).T

        blocks = self.rows.blocks
        parts = map_in_order(part, blocks) if len(blocks) >= THREADED_BLOCKS else map(part, blocks)
        return np.concatenate(list(parts), axis=1).T

    def with_targets(self, y: Array) -> BlockSweep:
        return BlockSweep(self.rows.with_targets(y), self.model)


def pull_back(model: LinearModel, block: Batch, slopes: FloatArray) -> FloatArray:
    """Compute the gradient of a weighted sum of losses from their slopes."""
    if block.weight is not None:
        return model.backward(block.A, slopes * block.weight)
    gradient = model.backward(block.A, slopes)
    gradient *= block.share
    return gradient


class OutputsSweep(Sweep):
    """Sweep for many outputs, each half of the rows in a thread of its own.

    Block by block, coefficients and gradients would be copied and scaled for each; here it is done
    once a pass. For sparse data with many outputs it costs more than the products.
    """

    def __init__(
        self, products: Products, data: Batch, model: LinearModel, scaling: Standardization
    ) -> None:
        self.products, self.data, self.model, self.scaling = products, data, model, scaling
        self.halves = (0, products.halfway(), data.A.n_samples)

    def value(self, kernel: Total, w: FloatArray) -> float:
        def total(half: int) -> float:
            return sum(kernel(block, raw) for _, block, raw in self._predictions(half, user))

        user = self._to_user(w)
        return sum(map_in_order(total, HALVES))

    def pull(self, kernel: Pulled, w: FloatArray) -> tuple[float, FloatArray]:
        def total(half: int) -> tuple[float, FloatArray, FloatArray]:
            value, pulled, totals = 0.0, self.products.zeros(), np.zeros(self.model.n_outputs)
            for rows, block, raw in self._predictions(half, user):
                term, slopes = kernel(block, raw)
                value += term
                if block.weight is not None:
                    slopes = slopes * block.weight
                self.products.add(rows, np.ascontiguousarray(slopes.T), pulled)
                totals += slopes.sum(axis=0, dtype=np.float64)
            return value, pulled, totals

        user = self._to_user(w)
        (value, pulled, totals), (other_value, other, other_totals) = map_in_order(total, HALVES)
        pulled += other
        gradient = self._from_user(pulled, totals + other_totals, w.dtype)
        if self.data.weight is None:
            gradient *= self.data.share
        return value + other_value, gradient

    def map(self, kernel: PerRow, w: FloatArray) -> FloatArray:
        def fill(half: int) -> None:
            for rows, block, raw in self._predictions(half, user):
                result[rows] = kernel(block, raw)

        user = self._to_user(w)
        result = np.empty((self.model.n_outputs, self.data.A.n_samples), dtype=w.dtype).T
        for _ in map_in_order(fill, HALVES):
            pass
        return result

    def with_targets(self, y: Array) -> OutputsSweep:
        return OutputsSweep(self.products, self.data._replace(y=y), self.model, self.scaling)

    def _predictions(
        self, half: int, user: tuple[FloatArray, FloatArray]
    ) -> Iterator[tuple[slice, Batch, FloatArray]]:
        """Yield rows, their targets and weights, and their predictions."""
        coef, shift = user
        stop = self.halves[half + 1]
        for start in range(self.halves[half], stop, self.products.n_rows):
            rows = slice(start, min(start + self.products.n_rows, stop))
            raw = self.products.predict(rows, coef)
            if self.model.fit_intercept:
                raw += shift
            yield rows, self._block(rows), raw.T

    def _block(self, rows: slice) -> Batch:
        """Cut targets and weights. Kernels have no use for A, and cutting it takes time."""
        weight = self.data.weight
        return self.data._replace(
            y=self.data.y[rows], weight=None if weight is None else weight[rows]
        )

    def _to_user(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the user's coefficients, arranged for the products, and intercepts."""
        coef = self.scaling.coef_to_user(self.model.coef(w))
        shift = self.model.rows(w)[:, self.model.n_features :]
        return self.products.arrange(coef), shift - coef @ self.scaling.center[:, None]

    def _from_user(self, pulled: FloatArray, totals: FloatArray, dtype: Any) -> FloatArray:
        """Undo `_to_user` for a gradient."""
        gradient = np.empty(self.model.n_params, dtype=dtype)
        coef = self.products.collect(pulled)
        if self.model.fit_intercept:
            coef -= totals[:, None] * self.scaling.center
            self.model.rows(gradient)[:, self.model.n_features] = totals
        self.model.coef(gradient)[...] = self.scaling.pull(coef)
        return gradient
