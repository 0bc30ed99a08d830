"""An epoch over single rows or small batches, in compiled code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from skgrad._kernels.arguments import (
    Batches,
    Coordinates,
    Losses,
    Scratch,
    Shrinkage,
)
from skgrad._kernels.formulas import CompiledLoss, CompiledUpdate, LossFormula
from skgrad._typing import FloatArray, IntArray
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import Penalty
from skgrad.rows import Batch

# Rows that are fetched ahead, so that the processor waits for several of them at a time.
ROWS_AHEAD = 16


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

    ``loss`` is the mean over the last epoch of the losses that batches had when they were visited,
    without the penalty, ``gradient`` that of their gradients, with the penalty if it is smooth;
    where updates touch non-zeros only, it is the displacement divided by the sum of the steps.
    """

    iterate: FloatArray
    average: FloatArray
    moments: tuple[FloatArray, ...]
    t: int
    loss: float
    gradient: FloatArray


def compiled_epoch(
    walk: Walk, plan: Plan, update: CompiledUpdate, order: IntArray, X: Any, data: Batch,
    loss: CompiledLoss, model: LinearModel, penalty: Penalty, scaling: Standardization,
) -> Walk:  # fmt: skip
    """Visit the rows in this order, one update per batch."""
    weight = np.empty((0, 0), dtype=X.dtype) if data.weight is None else data.weight
    y = np.ascontiguousarray(data.y.reshape(len(data.y), -1), dtype=X.dtype)
    losses = Losses(int(loss.formula), float(loss.parameter), y, weight, data.share)
    shrinkage = Shrinkage(
        float(penalty.l1_strength or 0.0), penalty.strong_convexity, penalty.nonnegative,
        penalty.smooth,
    )  # fmt: skip
    batches = Batches(order, plan.batch_size, plan.rates, plan.every, walk.t)
    t = walk.t + n_batches(batches)
    if walks_non_zeros(X, plan, update, scaling):
        walk = _walk_non_zeros(walk, X, losses, shrinkage, batches, model, scaling)
    else:
        walk = _walk(walk, plan, update, X, losses, shrinkage, batches, model, scaling)
    return replace(walk, t=t)


def _walk_non_zeros(
    walk: Walk, X: Any, losses: Losses, shrinkage: Shrinkage, batches: Batches,
    model: LinearModel, scaling: Standardization,
) -> Walk:  # fmt: skip
    coef = float(scaling.scale[0]) * model.coef(walk.iterate)
    intercept = model.intercept(walk.iterate).copy()
    epoch = _coupled if losses.formula == LossFormula.MULTINOMIAL else _separate
    loss = epoch(X, losses, float(scaling.scale[0]), shrinkage, batches, coef, intercept)
    moved = model.pack(coef / scaling.scale[0], intercept)
    n_at_rate = np.full(len(batches.rates), batches.every)
    n_at_rate[-1] = n_batches(batches) - batches.every * (len(n_at_rate) - 1)
    way = float(batches.rates @ n_at_rate)
    return replace(walk, iterate=moved, loss=loss, gradient=(walk.iterate - moved) / way)


def _separate(
    X: Any, losses: Losses, scale: float, shrinkage: Shrinkage, batches: Batches,
    coef: FloatArray, intercept: FloatArray,
) -> float:  # fmt: skip
    """Walk once for each output, as their losses have nothing to do with each other."""
    from skgrad._kernels.lazy_epochs import lazy_epoch

    total, fit_intercept = 0.0, len(intercept) > 0
    for c in range(len(coef)):
        paid = np.zeros(0 if shrinkage.smooth else coef.shape[1])
        loss, moved = lazy_epoch(
            X.data, X.indices, X.indptr, plain(_of_output(losses, c)), scale, plain(shrinkage),
            plain(batches), coef[c], float(intercept[c]) if fit_intercept else 0.0, fit_intercept,
            paid, np.empty(batches.size),
        )  # fmt: skip
        if fit_intercept:
            intercept[c] = moved
        total += loss
    return total


def _of_output(losses: Losses, c: int) -> Losses:
    """Take the targets and weights of one output."""
    n_columns = losses.weight.shape[1]
    weight = losses.weight[:, min(c, n_columns - 1)] if n_columns > 0 else np.empty(0)
    return losses._replace(
        y=np.ascontiguousarray(losses.y[:, c]),
        weight=np.ascontiguousarray(weight, dtype=losses.y.dtype),
    )


def _coupled(
    X: Any, losses: Losses, scale: float, shrinkage: Shrinkage, batches: Batches,
    coef: FloatArray, intercept: FloatArray,
) -> float:  # fmt: skip
    """Walk once for all outputs of a multinomial loss."""
    from skgrad._kernels.lazy_softmax_epochs import lazy_softmax_epoch

    by_feature = np.ascontiguousarray(coef.T)
    paid = np.zeros(0 if shrinkage.smooth else len(by_feature))
    loss = lazy_softmax_epoch(
        X.data, X.indices, X.indptr, plain(_of_output(losses, 0)), scale, plain(shrinkage),
        plain(batches), by_feature, intercept, paid, np.empty((batches.size, len(coef))),
    )  # fmt: skip
    coef[...] = by_feature.T
    return float(loss)


def _walk(
    walk: Walk, plan: Plan, update: CompiledUpdate, X: Any, losses: Losses,
    shrinkage: Shrinkage, batches: Batches, model: LinearModel, scaling: Standardization,
) -> Walk:  # fmt: skip
    from skgrad._kernels.row_epochs import row_epoch

    w, average = model.rows(walk.iterate.copy()), model.rows(walk.average.copy())
    moments = np.empty((0, *w.shape), dtype=w.dtype)
    if walk.moments:
        moments = np.stack([model.rows(moment) for moment in walk.moments])
    is_dense = isinstance(X, np.ndarray)
    rotation = np.empty((0, 0), dtype=w.dtype) if scaling.rotation is None else scaling.rotation
    scratch = _scratch(plan, model, shrinkage, scaling, is_dense=is_dense)
    data, indices, indptr = (X, None, None) if is_dense else (X.data, X.indices, X.indptr)
    coordinates = Coordinates(
        scaling.center, scaling.scale, scaling.inverse_scale, np.ascontiguousarray(rotation),
        np.ascontiguousarray(rotation.T),
    )  # fmt: skip
    loss = row_epoch(
        data, indices, indptr, plain(losses), plain(coordinates), plain(shrinkage), plain(batches),
        (plan.largest_norm, plan.largest_entry, plan.averaging), int(update.formula),
        np.array(update.parameters, dtype=np.float64), w, average, moments, plain(scratch),
    )  # fmt: skip
    moved = tuple(moment.ravel() for moment in moments)
    return Walk(w.ravel(), average.ravel(), moved, walk.t, loss, scratch.mean_gradient.ravel())


def _scratch(
    plan: Plan, model: LinearModel, shrinkage: Shrinkage, scaling: Standardization, *,
    is_dense: bool,
) -> Scratch:  # fmt: skip
    K, m, p = model.n_outputs, model.row_length, model.n_features
    dtype = scaling.scale.dtype
    n_ahead = plan.batch_size * max(1, ROWS_AHEAD // plan.batch_size) if is_dense else 0
    ridge = scaling.scale**2 * (shrinkage.l2 if shrinkage.smooth else 0.0)
    return Scratch(
        np.empty((n_ahead, p), dtype), np.empty((K, p), dtype), np.empty((K, p + 1), dtype),
        ridge.astype(dtype, copy=False), np.empty(K),
        *(np.zeros((K, m), dtype) for _ in range(4)),
    )  # fmt: skip


def plain(arguments: tuple[Any, ...]) -> Any:
    """Forget the names of arguments; see `skgrad._kernels.arguments`."""
    return tuple(arguments)


def n_batches(batches: Batches) -> int:
    """Count the batches of an epoch."""
    return -(-len(batches.order) // batches.size)


def walks_non_zeros(X: Any, plan: Plan, update: CompiledUpdate, scaling: Standardization) -> bool:
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
