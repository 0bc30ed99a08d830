"""The rows of a data set, and the one way to sum over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.linalg import row_blocks
from skgrad.models import StandardizedMatrix


class Batch(NamedTuple):
    """Some rows of a data set.

    ``weight`` holds the weights of the rows divided by the sum of all weights; None means that
    every row of the data set counts ``share``, 1 / n_samples as a rule.
    """

    A: StandardizedMatrix
    y: Array
    weight: FloatArray | None
    share: float

    def take(self, rows: Any) -> Batch:
        """Select rows by a slice or by indices."""
        weight = None if self.weight is None else self.weight[rows]
        return Batch(self.A.take(rows), self.y[rows], weight, self.share)

    def sum(self, terms: FloatArray) -> float:
        """Compute the weighted sum of terms, one per row and output, in float64."""
        if self.weight is None:
            return self.share * float(np.add.reduce(terms, axis=None, dtype=np.float64))
        return float(np.add.reduce(terms * self.weight, axis=None, dtype=np.float64))

    def weigh(self, terms: FloatArray) -> FloatArray:
        """Multiply terms by the rows' weights."""
        if self.weight is None:
            return terms * self.share
        return terms * (self.weight[:, :, None] if terms.ndim == 3 else self.weight)

    def row_weights(self) -> FloatArray | None:
        """One weight per row, the largest of its outputs; None if all are equal."""
        return None if self.weight is None else self.weight.max(axis=1)


class RowSum:
    """Sum over all rows, one cache-sized block after the other, always in the same order.

    Parameters
    ----------
    data : Batch
        All rows.
    slices : list of slice
        The blocks.
    """

    def __init__(self, data: Batch, slices: list[slice]) -> None:
        self.data, self.slices = data, slices
        self.n_samples = data.A.n_samples
        self.blocks = [data] if len(slices) == 1 else [data.take(rows) for rows in slices]

    @classmethod
    def of(cls, X: Any, data: Batch) -> RowSum:
        """Cut rows where X is best cut."""
        return cls(data, list(row_blocks(X)))

    def with_targets(self, y: Array) -> RowSum:
        """Exchange the targets."""
        return RowSum(self.data._replace(y=y), self.slices)

    def reduce(self, kernel: Callable[..., Any], *args: Any) -> Any:
        """Add up kernel(block, *args): numbers, arrays, or tuples of them.

        Partial sums of float32 blocks add up in float64.
        """
        total = kernel(self.blocks[0], *args)
        if len(self.blocks) == 1:
            return total
        is_tuple = isinstance(total, tuple)
        totals = [_widen(part) for part in (total if is_tuple else (total,))]
        for block in self.blocks[1:]:
            parts = kernel(block, *args)
            for k, part in enumerate(parts if is_tuple else (parts,)):
                totals[k] += part
        return tuple(totals) if is_tuple else totals[0]

    def batches(
        self, batch_size: int, rng: np.random.Generator, *, shuffle: bool
    ) -> Iterator[Batch | None]:
        """Yield every row once, in batches; None stands for all rows at once.

        Rows are gathered a block at a time: one indexing operation serves many small batches.
        """
        n = self.n_samples
        if batch_size >= n:
            yield None
            return
        order = rng.permutation(n) if shuffle else None
        chunk = max(1, n // len(self.blocks) // batch_size) * batch_size
        for start in range(0, n, chunk):
            stop = min(start + chunk, n)
            gathered = self.data.take(slice(start, stop) if order is None else order[start:stop])
            for first in range(0, stop - start, batch_size):
                yield gathered.take(slice(first, min(first + batch_size, stop - start)))


def _widen(part: Any) -> Any:
    return part.astype(np.float64) if isinstance(part, np.ndarray) else part
