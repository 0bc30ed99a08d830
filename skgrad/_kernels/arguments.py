"""What loops over rows take: arrays and numbers that belong together."""

from __future__ import annotations

from typing import NamedTuple

from skgrad._typing import FloatArray, IntArray


class Rows(NamedTuple):
    """The arrays of a CSR matrix, and its number of columns."""

    data: FloatArray
    indices: IntArray
    indptr: IntArray
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
    """The batches of an epoch: ``size`` consecutive rows of ``order`` each.

    The learning rate is ``rates[k // every]`` in the k-th batch; ``t`` updates came before.
    """

    order: IntArray
    size: int
    rates: FloatArray
    every: int
    t: int


class Limits(NamedTuple):
    """Largest norm and largest entry of a gradient (inf: none); degree of averaging (0: none)."""

    norm: float
    entry: float
    averaging: float


class Scratch(NamedTuple):
    """Room to work in, K outputs and m parameters each; allocating compiled costs half a second.

    Attributes
    ----------
    ahead : array of shape (n_rows, n_features)
        Rows of a dense matrix that are fetched together, a multiple of a batch.
    turned : array of shape (K, n_features)
        Coefficients after the rotation.
    coef : array of shape (K, n_features + 1)
        The user's coefficients and intercepts, for CSR.
    ridge : array of shape (n_features,)
        Curvature of a smooth penalty.
    raw : array of shape (K,)
        Raw predictions of a row, then its slopes, in float64.
    slope, mean_slope, gradient, step_size : arrays of shape (K, m)
        Sums of slopes times rows, of the batch and of the epoch, zero at first; the others are
        each batch's.
    """

    ahead: FloatArray
    turned: FloatArray
    coef: FloatArray
    ridge: FloatArray
    raw: FloatArray
    slope: FloatArray
    mean_slope: FloatArray
    gradient: FloatArray
    step_size: FloatArray
