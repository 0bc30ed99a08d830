"""Proofs of how far a point is from the minimum."""

from __future__ import annotations

import math

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import Array, FloatArray
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import NoPenalty, Penalty
from skgrad.rows import Batch, RowSum

# Newton's iterations for the intercepts alone: they start close to the minimum.
MAX_ITERATIONS = 10
# Rounding errors that primal and dual value may have, in units of the objective.
ROUNDING = 4.0


def certified_gap(
    rows: RowSum, model: LinearModel, loss: Loss, penalty: Penalty, scaling: Standardization,
    w: FloatArray, multipliers: FloatArray | None = None,
) -> float:  # fmt: skip
    r"""Compute an upper bound of F(w) - min F: the duality gap with feasible dual variables.

    .. math:: F(w) + \frac{1}{S} \sum_i s_i loss_i^*(\theta_i) + penalty^*(-X'(s \theta) / S),
              \qquad \sum_i s_i \theta_i = 0

    The constraint belongs to the intercept, which no penalty holds. Without it any :math:`\theta`
    in the domain of the conjugates gives a bound. By default :math:`\theta` are the loss's
    derivatives after the intercepts alone have been minimised over, so that the constraint holds
    to rounding; what is left is taken off the dual variables of one sign. The penalty's
    conjugate is made finite by shrinking all of them.

    Parameters
    ----------
    rows : RowSum
        The data.
    model, loss, penalty, scaling
        The parts of the objective.
    w : array of shape (n_params,)
        The point.
    multipliers : array of shape (n_samples, n_outputs), optional
        Dual variables, for losses with kinks.

    Returns
    -------
    float
        The bound; NaN without a penalty or with one that is not convex, and where no dual
        variables but zero are feasible.
    """
    if isinstance(penalty, NoPenalty) or not penalty.convex:
        return math.nan
    data = rows.data
    raw = predict(rows, model, w)
    primal = data.sum(loss.value(data.y, raw)) + penalty.value(scaling.coef_to_user(model.coef(w)))
    if multipliers is None:
        if model.fit_intercept and loss.smooth:
            raw = _with_best_intercepts(data, loss, raw)
        multipliers = loss.gradient(data.y, raw)
    theta = loss.clip_dual(data.y, multipliers)
    if model.fit_intercept:
        theta = _balanced_classes(data, loss, theta) if loss.coupled else _balanced(data, theta)
    pulled = rows.with_targets(theta).reduce(
        lambda block: model.backward(block.A, block.weigh(block.y).astype(w.dtype, copy=False))
    )
    dual = -scaling.push(model.coef(pulled))
    shrink = penalty.dual_scaling(dual)
    if shrink == 0.0:
        return math.nan
    conjugate = data.sum(loss.conjugate(data.y, shrink * theta))
    gap = primal + conjugate + penalty.conjugate(shrink * dual)
    return max(gap, 0.0) + ROUNDING * float(np.finfo(w.dtype).eps) * abs(primal)


def extrapolated_multipliers(
    rows: RowSum, model: LinearModel, loss: Loss, w: FloatArray, target: FloatArray
) -> FloatArray:
    r"""Continue the loss's derivatives at w linearly to another point: the duals of Newton's model.

    .. math:: \theta_i = loss_i'(raw_i(w)) + loss_i''(raw_i(w)) \, (raw_i(target) - raw_i(w))

    Where target minimises the quadratic model at w they satisfy all constraints: no shrinking takes
    the bound off them. It is then as good as Newton's step itself, and an iteration earlier than
    with the derivatives at target.
    """
    y, raw = rows.data.y, predict(rows, model, w)
    change = predict(rows, model, target) - raw
    curved = loss.curvature_product(loss.curvature_state(y, raw), change)
    return loss.gradient(y, raw) + curved


def predict(rows: RowSum, model: LinearModel, w: FloatArray) -> FloatArray:
    """Compute the raw predictions of all rows."""
    if len(rows.blocks) == 1:
        return model.forward(w, rows.data.A)
    return np.concatenate(list(map_in_order(lambda block: model.forward(w, block.A), rows.blocks)))


def _with_best_intercepts(data: Batch, loss: Loss, raw: FloatArray) -> FloatArray:
    """Shift raw predictions, alike in all rows, to the minimum of the loss: no pass over X."""
    raw = raw.astype(np.float64)
    y = data.y.astype(np.float64) if data.y.dtype.kind == "f" else data.y
    for _ in range(MAX_ITERATIONS):
        terms = data.weigh(loss.gradient(y, raw))
        slope = terms.sum(axis=0, dtype=np.float64)
        # Relative to the terms, which have the scale of y: what is left then is rounding.
        size = float(np.abs(terms).sum(dtype=np.float64))
        if float(np.abs(slope).max()) <= ROUNDING * float(np.finfo(np.float64).eps) * size:
            break
        raw -= newton_step(data, loss, y, raw, slope)
    return raw


def _total(data: Batch, terms: FloatArray) -> FloatArray:
    total: FloatArray = data.weigh(terms).sum(axis=0, dtype=np.float64)
    return total


def newton_step(
    data: Batch, loss: Loss, y: Array, raw: FloatArray, slope: FloatArray
) -> FloatArray:
    """Divide the intercepts' slope by the curvature, summed over the rows; zero where none is."""
    if not loss.coupled:
        curvature = _total(data, loss.curvature(y, raw))
        flat = curvature == 0.0
        return np.where(flat, 0.0, slope / np.where(flat, 1.0, curvature))
    weight = np.array([[data.share]]) if data.weight is None else data.weight
    total = loss.total_curvature(loss.curvature_state(y, raw), weight)
    # A shift common to all classes has neither slope nor curvature.
    step: FloatArray = np.linalg.lstsq(total, slope)[0]
    return step


def _balanced(data: Batch, theta: FloatArray) -> FloatArray:
    """Shrink the dual variables of one sign, output by output, until the weighted sum is zero."""
    weighted = data.weigh(theta)
    above = np.maximum(weighted, 0.0).sum(axis=0, dtype=np.float64)
    below = -np.minimum(weighted, 0.0).sum(axis=0, dtype=np.float64)
    less = np.minimum(above, below)
    with np.errstate(invalid="ignore", divide="ignore"):
        shrink_above = np.where(above > 0, less / above, 1.0)
        shrink_below = np.where(below > 0, less / below, 1.0)
    shrunk: FloatArray = theta * np.where(theta > 0, shrink_above, shrink_below)
    return shrunk


def _balanced_classes(data: Batch, loss: Loss, theta: FloatArray) -> FloatArray:
    r"""Take the weighted mean r off the dual variables, and stay in the domain of the conjugate.

    They are probabilities p less those of the labels, and p - r may be negative. The mixture

    .. math:: (1 - \lambda) (\theta - r) + \lambda \theta^0, \qquad
              \lambda = \max_k r_k / (f_k + r_k)

    is not, with the dual variables :math:`\theta^0` of the frequencies f, which sum to zero.
    """
    whole = data.sum(np.ones((len(theta), 1)))
    mean = data.weigh(theta).sum(axis=0, dtype=np.float64) / whole
    constant = loss.constant(data.y, data.row_weights(), n_outputs=theta.shape[1])
    constant = constant.astype(theta.dtype, copy=False)[None]
    share = float((mean / (loss.inverse_link(constant)[0] + mean)).max().clip(0.0, 1.0))
    flat = loss.gradient(data.y, np.repeat(constant, len(theta), axis=0))
    mixed: FloatArray = (1.0 - share) * (theta - mean.astype(theta.dtype)) + share * flat
    return mixed
