"""What loops over rows take: arrays and numbers that belong together.

Loops get them as plain tuples and unpack them in this order: compiled code that was kept on disk
could not be loaded, not even to be thrown away, once one of these classes is renamed.
"""

from __future__ import annotations

from typing import NamedTuple

from skgrad._typing import FloatArray, IntArray


class Losses(NamedTuple):
    """The loss of each row: targets (n_samples, n_columns), weights as in `weighted_slopes`."""

    formula: int
    parameter: float
    y: FloatArray
    weight: FloatArray
    share: float


class Coordinates(NamedTuple):
    """The change of variables of `Standardization`, with the rotation's transpose.

    A rotation of shape (0, 0) is none.
    """

    center: FloatArray
    scale: FloatArray
    inverse_scale: FloatArray
    rotation: FloatArray
    transposed: FloatArray


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
    slope, mean_gradient, gradient, step_size : arrays of shape (K, m)
        The first is a batch's sum of slopes times rows; all are zero at first.
    """

    ahead: FloatArray
    turned: FloatArray
    coef: FloatArray
    ridge: FloatArray
    raw: FloatArray
    slope: FloatArray
    mean_gradient: FloatArray
    gradient: FloatArray
    step_size: FloatArray
