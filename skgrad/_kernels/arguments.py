"""What loops over rows take: arrays and numbers that belong together."""

from __future__ import annotations

from typing import NamedTuple

from skgrad._typing import FloatArray, IntArray


class Rows(NamedTuple):
    """A matrix: an array and None, None, or the three arrays of CSR."""

    data: FloatArray
    indices: IntArray | None
    indptr: IntArray | None
    n_columns: int


class Losses(NamedTuple):
    """The loss of each row: targets (n_samples, n_columns), weights as in `weighted_slopes`."""

    formula: int
    parameter: float
    y: FloatArray
    weight: FloatArray
    share: float


class Coordinates(NamedTuple):
    """The change of variables of `Standardization`; a rotation of shape (0, 0) is none."""

    center: FloatArray
    scale: FloatArray
    inverse_scale: FloatArray
    rotation: FloatArray


class Shrinkage(NamedTuple):
    """The penalty l1 |coef|_1 + l2 |coef|^2 / 2, and whether coefficients may be negative.

    A smooth penalty is part of the gradient, the others enter by proximal steps.
    """

    l1: float
    l2: float
    nonnegative: bool
    smooth: bool


class Batches(NamedTuple):
    """The batches of an epoch: consecutive rows of ``order``, `batch_size` each.

    The learning rate is ``rates[k // every]`` in the k-th batch; ``t`` updates came before.
    """

    order: IntArray
    batch_size: int
    rates: FloatArray
    every: int
    t: int


class Limits(NamedTuple):
    """Largest norm and largest entry of a gradient (inf: none); degree of averaging (0: none)."""

    norm: float
    entry: float
    averaging: float
