"""An epoch of plain stochastic gradient descent that costs as much as the rows have non-zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Batches, Losses, Shrinkage
from skgrad._kernels.losses import value_and_slope
from skgrad._kernels.prefetch import CACHE_LINE, prefetch
from skgrad._typing import FloatArray, IntArray

# The common factor is multiplied out below this: the vector that it multiplies grows as it falls.
SMALLEST_FACTOR = 1e-6
# A row's numbers are asked for so many rows ahead, and where they are stored twice as many. Of a
# longer row than two cache lines hold the rest comes by itself: it is read in order.
AHEAD = 4
# An index that cannot be negative saves the test for one that counts from the end.
unsigned: Any = np.uint64


@compiled
def lazy_epoch(
    data: FloatArray, indices: IntArray, indptr: IntArray, losses: Losses, scale: float,
    penalty: Shrinkage, batches: Batches, coef: FloatArray, intercept: float,
    fit_intercept: bool, paid: FloatArray, slopes: FloatArray,
) -> tuple[float, float]:  # fmt: skip
    """Walk over all batches of a CSR matrix, for one output; coef (n_features,) moves in place.

    Coefficients are ``factor * coef``: an L2 penalty shrinks the factor. Soft thresholds wait until
    a row needs the coefficient: ``due`` is their sum so far, ``paid`` what each feature has had of
    it (Duchi and Singer 2009, proposition 11). ``scale`` is the one of all columns. Targets and
    weights have one dimension here. ``slopes`` (batch_size,) is room to work in.

    Returns the mean loss that the batches saw, and the intercept.
    """
    formula, parameter, y, weight, share = losses
    l1, l2, nonnegative, smooth = penalty
    order, size, rates, every, _ = batches
    real: Any = coef.dtype.type
    n, due, factor, loss, segment, left = len(order), 0.0, 1.0, 0.0, -1, 0
    for first in range(0, n, size):
        last = min(first + size, n)
        if left == 0:
            segment, left = segment + 1, every
        rate, left = rates[segment], left - 1
        step, gain = rate * scale * scale, n / (last - first)
        for b in range(first, last):
            if b + 2 * AHEAD < n:
                ask_for_rows(data, indices, indptr, y, order, b)
            i = unsigned(order[b])
            start, stop = unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])
            if not smooth:
                for q in range(start, stop):
                    pay(coef, paid, unsigned(indices[q]), due, nonnegative)
            total: Any = real(0.0)
            for q in range(start, stop):
                total += data[q] * coef[unsigned(indices[q])]
            # Not `weighted_slopes`: its arrays make an epoch a third longer.
            value, slope = value_and_slope(formula, parameter, y[i], factor * total + intercept)
            row_weight = weight[i] if len(weight) > 0 else share
            loss += row_weight * value
            slopes[b - first] = row_weight * slope
        if smooth:
            factor *= 1.0 - step * l2
        if abs(factor) < SMALLEST_FACTOR:
            multiply_out(coef, paid, factor, due, nonnegative)
            due, factor = 0.0, 1.0
        for b in range(first, last):
            slope = slopes[b - first]
            if slope == 0.0:  # beyond the margin
                continue
            i = unsigned(order[b])
            stride = real(step * gain / factor * slope)
            for q in range(unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])):
                coef[unsigned(indices[q])] -= stride * data[q]
            if fit_intercept:
                intercept -= rate * gain * slope
        if not smooth:
            due += step * l1 / factor
            factor /= 1.0 + step * l2
    multiply_out(coef, paid, factor, due, nonnegative)
    return loss, intercept


@compiled
def ask_for_rows(
    data: FloatArray, indices: IntArray, indptr: IntArray, y: FloatArray, order: IntArray, b: int
) -> None:
    """Have the next rows fetched, so that the processor waits for several of them at a time."""
    i = unsigned(order[b + 2 * AHEAD])
    prefetch(indptr, i)
    prefetch(y, i)
    start = unsigned(indptr[unsigned(order[b + AHEAD])])
    prefetch(data, start)
    prefetch(data, start + unsigned(CACHE_LINE // data.itemsize))
    prefetch(indices, start)
    prefetch(indices, start + unsigned(CACHE_LINE // indices.itemsize))


@compiled
def pay(coef: FloatArray, paid: FloatArray, j: int, due: float, nonnegative: bool) -> None:
    """Apply the soft thresholds that a coefficient has not had yet."""
    real: Any = coef.dtype.type
    threshold = real(due - paid[j])
    paid[j] = due
    shrunk = coef[j] - min(max(coef[j], -threshold), threshold)
    coef[j] = max(shrunk, real(0.0)) if nonnegative else shrunk


@compiled
def multiply_out(
    coef: FloatArray, paid: FloatArray, factor: float, due: float, nonnegative: bool
) -> None:
    """Make coef hold the coefficients themselves, with no threshold due."""
    for j in range(len(paid)):
        pay(coef, paid, j, due, nonnegative)
        paid[j] = 0.0
    for j in range(len(coef)):
        coef[j] *= coef.dtype.type(factor)
