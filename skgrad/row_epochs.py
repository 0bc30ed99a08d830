"""An epoch over single rows or small batches, in compiled code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skgrad._kernels.arguments import Batches, Coordinates, Limits, Losses, Rows, Shrinkage
from skgrad._kernels.formulas import CompiledLoss, CompiledUpdate
from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import Penalty
from skgrad.rows import Batch


class Plan(NamedTuple):
    """What the updates of an epoch share.

    Attributes
    ----------
    batch_size : int
        Rows per update; the last batch may be smaller.
    rates : array of shape (n_rates,)
        Learning rates: the k-th batch takes ``rates[k // every]``.
    every : int
        Batches that share a rate.
    largest_norm, largest_entry : float
        Limits of a batch's gradient; inf for none.
    averaging : float
        Degree of polynomial-decay averaging; 0 for none.
    """

    batch_size: int
    rates: FloatArray
    every: int
    largest_norm: float
    largest_entry: float
    averaging: float


@dataclass(frozen=True, slots=True)
class Walk:
    """Where updates have led: the iterate, the average of iterates, moments and updates so far.

    ``loss`` and ``gradient`` are means over the last epoch: of the losses that batches had when
    they were visited, and of their gradients, without the penalty.
    """

    iterate: FloatArray
    average: FloatArray
    moments: tuple[FloatArray, ...]
    t: int
    loss: float = 0.0
    gradient: FloatArray | None = None


def compiled_epoch(
    walk: Walk, plan: Plan, update: CompiledUpdate, order: IntArray, X: Matrix, data: Batch,
    loss: CompiledLoss, model: LinearModel, penalty: Penalty, scaling: Standardization,
) -> Walk:  # fmt: skip
    """Visit the rows in this order, one update per batch."""
    rows = _rows(X)
    weight = np.empty((0, 0), dtype=X.dtype) if data.weight is None else data.weight
    y = np.ascontiguousarray(data.y.reshape(len(data.y), -1), dtype=X.dtype)
    losses = Losses(int(loss.formula), float(loss.parameter), y, weight, data.share)
    shrinkage = Shrinkage(
        float(penalty.l1_strength or 0.0), penalty.strong_convexity, penalty.nonnegative,
        penalty.smooth,
    )  # fmt: skip
    batches = Batches(order, plan.batch_size, plan.rates, plan.every, walk.t)
    w, t = model.rows(walk.iterate.copy()), walk.t + -(-len(order) // plan.batch_size)
    if walks_non_zeros(X, plan, update, scaling):
        from skgrad._kernels.lazy_epochs import lazy_epoch

        value, gradient = lazy_epoch(rows, losses, float(scaling.scale[0]), shrinkage, batches, w)
        return replace(walk, iterate=w.ravel(), t=t, loss=value, gradient=gradient.ravel())
    from skgrad._kernels.row_epochs import row_epoch

    average, moments = model.rows(walk.average.copy()), np.empty((0, w.size), dtype=w.dtype)
    if walk.moments:
        moments = np.stack(walk.moments)
    value, gradient = row_epoch(
        rows, losses, _coordinates(scaling), shrinkage, batches,
        Limits(plan.largest_norm, plan.largest_entry, plan.averaging),
        int(update.formula), np.array(update.parameters, dtype=np.float64), w, average, moments,
    )  # fmt: skip
    return Walk(w.ravel(), average.ravel(), tuple(moments), t, value, gradient.ravel())


def walks_non_zeros(
    X: Matrix, plan: Plan, update: CompiledUpdate, scaling: Standardization
) -> bool:
    """Tell whether an update can leave alone what its rows hold zeros for.

    A centre makes every row dense, unequal scales make an L2 penalty shrink each coefficient by
    another factor, and limits look at the whole gradient.
    """
    unlimited = plan.largest_norm == np.inf and plan.largest_entry == np.inf
    return (
        not isinstance(X, np.ndarray)
        and update.is_plain
        and unlimited
        and plan.averaging == 0.0
        and scaling.is_uniform
    )


def _rows(X: Matrix) -> Rows:
    if isinstance(X, np.ndarray):
        return Rows(X, None, None, X.shape[1])
    return Rows(X.data, X.indices, X.indptr, X.shape[1])


def _coordinates(scaling: Standardization) -> Coordinates:
    rotation = scaling.rotation
    if rotation is None:
        rotation = np.empty((0, 0), dtype=scaling.scale.dtype)
    return Coordinates(scaling.center, scaling.scale, scaling.inverse_scale, rotation)
