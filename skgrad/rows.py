"""The rows of a data set, and the one way to sum over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import Array, FloatArray
from skgrad.linalg import row_blocks
from skgrad.models import StandardizedMatrix

# Fewer blocks than this (8 MB) are not worth waking a thread up.
THREADED_BLOCKS = 4
# Groups of blocks that are summed on their own: enough for several threads to share evenly.
GROUPS = 8


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

    def unweigh(self, terms: FloatArray) -> FloatArray:
        """Divide terms, one per row and output, by the rows' weights: undo `weigh`."""
        return terms / (self.share if self.weight is None else self.weight)

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
    blocks : list of Batch, optional
        The rows of each slice, if they are cut already.
    """

    def __init__(self, data: Batch, slices: list[slice], blocks: list[Batch] | None = None) -> None:
        self.data, self.slices = data, slices
        self.n_samples = data.A.n_samples
        if len(slices) == 1:
            blocks = [data]
        self.blocks = [data.take(rows) for rows in slices] if blocks is None else blocks
        self._groups: list[list[Batch]] = []
        if len(slices) >= THREADED_BLOCKS:
            ends = [len(slices) * k // GROUPS for k in range(GROUPS + 1)]
            self._groups = [self.blocks[i:j] for i, j in pairwise(ends) if j > i]

    @classmethod
    def of(cls, X: Any, data: Batch) -> RowSum:
        """Cut rows where X is best cut."""
        return cls(data, list(row_blocks(X)))

    def with_targets(self, y: Array) -> RowSum:
        """Exchange the targets."""
        data = self.data
        return RowSum(Batch(data.A, y, data.weight, data.share), self.slices)

    def reduce(self, kernel: Callable[..., Any], *args: Any) -> Any:
        """Add up kernel(block, *args): numbers, arrays, or tuples of them.

        Large data are walked by several threads. The blocks are added up in the same groups and
        the groups in the same order whatever the number of threads, so the bits are the same too.
        Partial sums of float32 blocks add up in float64.
        """
        if len(self.blocks) == 1:
            return kernel(self.blocks[0], *args)
        if len(self.blocks) < THREADED_BLOCKS:
            totals, is_tuple = _sum_blocks(self.blocks, kernel, args)
            return tuple(totals) if is_tuple else totals[0]
        groups = iter(map_in_order(lambda group: _sum_blocks(group, kernel, args), self._groups))
        totals, is_tuple = next(groups)
        for others, _ in groups:
            for k, part in enumerate(others):
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


def _sum_blocks(
    blocks: Sequence[Batch], kernel: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[list[Any], bool]:
    """Add up the kernel's results, a list of its parts; tell also whether they were a tuple."""
    first = kernel(blocks[0], *args)
    is_tuple = isinstance(first, tuple)
    totals = [_widen(part) for part in (first if is_tuple else (first,))]
    for block in blocks[1:]:
        parts = kernel(block, *args)
        for k, part in enumerate(parts if is_tuple else (parts,)):
            totals[k] += part
    return totals, is_tuple


def _widen(part: Any) -> Any:
    return part.astype(np.float64) if isinstance(part, np.ndarray) else part
