"""How far a point is from the minimum: bounds that need no more than first derivatives."""

from __future__ import annotations

import math

import numpy as np

from skgrad._typing import FloatArray
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import NoPenalty, Penalty
from skgrad.rows import Batch

# The intercept's curvature may be this much below the loss's largest: half its inverse.
INTERCEPT_MARGIN = 5.0
# Dual points that have to shrink by more than this give a bound that is of no use yet.
LARGEST_SHRINKAGE = 0.01
# A mean of the loss's derivatives this small, relative to their size, is the rounding of zero.
SLOPE_ROUNDING = 8.0


def gradient_gaps(
    model: LinearModel, loss: Loss, penalty: Penalty, scaling: Standardization,
    w: FloatArray, gradient: FloatArray, curvature: float, curved: FloatArray | None = None,
) -> FloatArray:  # fmt: skip
    r"""Bound F(w) - min F by :math:`|\partial F|^2 / (2 \mu)` for a strongly convex penalty.

    A bound for each output, whose sum counts.

    For smooth losses with an L2 penalty this is the duality gap, up to the intercept. Its share is
    Newton's decrement with a fraction of ``curvature``, the loss's largest; where the curvature
    jumps (and may vanish) it is the first-order effect, unless ``curved`` tells the weight of the
    rows that curve at the optimum, for each output. NaN if no bound holds.
    """
    mu = penalty.strong_convexity
    if mu == 0.0 or not loss.smooth:
        return np.full(model.n_outputs, math.nan)
    rows, p = model.rows(gradient), model.n_features
    slope = scaling.push(rows[:, :p])
    if not penalty.smooth:
        slope = penalty.minimum_norm_subgradient(scaling.coef_to_user(model.coef(w)), slope)
    gaps: FloatArray = np.vecdot(slope, slope) / (2 * mu)
    if not model.fit_intercept:
        return gaps
    free = rows[:, p]
    if loss.continuous_curvature:
        return gaps + INTERCEPT_MARGIN * free**2 / curvature
    if curved is not None:
        return gaps + INTERCEPT_MARGIN * free**2 / (curvature * curved)
    return gaps + np.abs(free * model.rows(w)[:, p])


def duality_gap(
    data: Batch, model: LinearModel, loss: Loss, penalty: Penalty, scaling: Standardization,
    w: FloatArray, multipliers: FloatArray | None = None,
) -> float:  # fmt: skip
    r"""Compute the Fenchel duality gap of w and dual variables, one per row and output.

    .. math:: F(w) + \frac{1}{S} \sum_i s_i loss_i^*(\theta_i) + penalty^*(-X'(s \theta) / S)

    The dual variables (by default the loss's derivatives at w) are shrunk until the penalty's
    conjugate is finite. A dual residual of the intercepts, which should vanish, counts with its
    first-order effect; so does the residual of unpenalised coefficients. NaN without penalty,
    unless dual variables are given.
    """
    unpenalised = isinstance(penalty, NoPenalty)
    if unpenalised and multipliers is None:
        return math.nan
    raw = model.forward(w, data.A)
    theta = loss.gradient(data.y, raw) if multipliers is None else multipliers
    pulled = model.backward(data.A, data.weigh(theta))
    dual = -scaling.push(model.coef(pulled))
    coef = scaling.coef_to_user(model.coef(w))
    shrink = 1.0 if unpenalised else penalty.dual_scaling(dual)
    residual = float(np.abs(model.intercept(pulled) * model.intercept(w)).sum())
    residual += abs(float(np.vdot(dual, coef))) if unpenalised else 0.0
    primal = data.sum(loss.value(data.y, raw)) + penalty.value(coef)
    conjugate = 0.0 if unpenalised else penalty.conjugate(shrink * dual)
    conjugate += data.sum(loss.conjugate(data.y, shrink * theta))
    return primal + conjugate + shrink * residual


def dual_bound(
    data: Batch, model: LinearModel, loss: Loss, penalty: CoordinatePenalty,
    w: FloatArray, value: float, gradient: FloatArray,
) -> float:  # fmt: skip
    r"""Bound the `duality_gap` of w by value and gradient of the loss there: no pass over the data.

    Dual points :math:`\theta` are the loss's derivatives at w, so that Fenchel's inequality is an
    equality and :math:`\sum_i s_i loss_i^*(\theta_i) = g'w - value`. Shrunk by a factor c,

    .. math:: loss^*(c \theta) \le c \, loss^*(\theta) + (1 - c) \, loss^*(0),

    less :math:`c (1 - c) (loss + loss^*(0))` for a quadratic loss, which is then exact. NaN for
    smooth penalties (see `gradient_gap`) and far from the minimum.
    """
    if penalty.penalty.smooth:
        return math.nan
    dual = -penalty.standardization.push(model.coef(gradient))
    c = penalty.penalty.dual_scaling(dual)
    if 1.0 - c > LARGEST_SHRINKAGE:
        return math.nan
    conjugate = c * (float(gradient.astype(np.float64) @ w) - value)
    if c < 1.0:
        raw = np.zeros((len(data.y), model.n_outputs), dtype=w.dtype)
        at_zero = data.sum(loss.conjugate(data.y, raw))
        conjugate += (1.0 - c) * at_zero
        conjugate -= c * (1.0 - c) * (value + at_zero) if loss.quadratic else 0.0
    residual = float(np.abs(model.intercept(gradient) * model.intercept(w)).sum())
    conjugate += penalty.penalty.conjugate(c * dual)
    return max(0.0, value + penalty.value(w) + conjugate + c * residual)


def dual_bound_is_proof(model: LinearModel, loss: Loss, value: float, gradient: FloatArray) -> bool:
    r"""Tell whether `dual_bound` is an upper bound without ifs: the dual point is feasible.

    So it is without an intercept, and where the slope in the intercept is rounding. For a loss that
    is not negative and curves by L at most, the derivatives' mean square is at most 2 L value.
    """
    if not model.fit_intercept:
        return True
    size = math.sqrt(2.0 * loss.max_curvature * max(value, 0.0))
    slope = float(np.abs(model.intercept(gradient)).max())
    rounding = SLOPE_ROUNDING * float(np.finfo(gradient.dtype).eps)
    return math.isfinite(size) and slope <= rounding * size
