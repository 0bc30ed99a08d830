"""An epoch of mini-batch updates that touch every coordinate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import (
    Batches,
    Coordinates,
    Losses,
    Scratch,
    Shrinkage,
)
from skgrad._kernels.losses import value_and_slope, weighted_slopes
from skgrad._kernels.prefetch import CACHE_LINE, prefetch
from skgrad._kernels.rows import add_row, row_dot
from skgrad._kernels.updates import SGD, advance
from skgrad._typing import FloatArray, IntArray

unsigned: Any = np.uint64


@compiled
def row_epoch(
    data: FloatArray, indices: Any, indptr: Any, losses: Losses,
    coordinates: Coordinates, penalty: Shrinkage, batches: Batches,
    limits: tuple[float, float, float], formula: int, parameters: FloatArray, w: FloatArray,
    average: FloatArray, moments: FloatArray, scratch: Scratch,
) -> float:  # fmt: skip
    """Walk over all batches; w and average (n_outputs, row_length) and moments move in place.

    ``limits`` are the largest norm and entry of a gradient (inf: none) and the degree of averaging
    (0: none). Returns the mean loss that the batches saw, and leaves their mean gradient in
    ``mean_gradient``.
    """
    loss_formula, loss_parameter, y, weight, share = losses
    center, scale, inverse_scale, rotation, transposed = coordinates
    l1, l2, nonnegative, smooth = penalty
    order, size, rates, every, t = batches
    largest_norm, largest_entry, degree = limits
    ahead, turned, coef, ridge, raw, slope, mean_gradient, gradient, step_size = scratch
    (K, m), p, n = w.shape, len(scale), len(order)
    real: Any = w.dtype.type
    is_plain = formula == SGD and len(moments) == 0 and rotation.size == 0
    is_plain &= largest_norm == np.inf and largest_entry == np.inf
    if rotation.size == 0:
        turned = w
    # Counters instead of k // every and first % len(ahead): a division costs ten products.
    loss, fetched, segment, left = 0.0, 0, -1, 0
    for first in range(0, n, size):
        last = min(first + size, n)
        if left == 0:
            segment, left = segment + 1, every
        rate, left = rates[segment], left - 1
        if rotation.size > 0:
            rotate(transposed, w, turned)
        if data.ndim == 2:
            if first == 0 or first == fetched + len(ahead):
                fetched = first
                fetch(data, order, first, center, scale, ahead)
        else:
            user_coefficients(center, scale, turned, w, coef)
        for q in range(first, last):
            i = order[q]
            for c in range(K):
                if data.ndim == 2:
                    raw[c] = row_dot(ahead, None, None, q - fetched, turned, c) + (
                        w[c, p] if m > p else real(0.0)
                    )
                else:
                    raw[c] = row_dot(data, indices, indptr, i, coef, c) + coef[c, p]
            if K == 1:  # the general case makes an epoch up to a third longer
                value, own = value_and_slope(loss_formula, loss_parameter, y[i, 0], raw[0])
                row_weight = weight[i, 0] if weight.shape[1] > 0 else share
                raw[0] = row_weight * own
                loss += row_weight * value
            else:
                loss += weighted_slopes(loss_formula, loss_parameter, y, weight, share, i, raw)
            for c in range(K):
                if data.ndim == 2:
                    add_row(ahead, None, None, q - fetched, real(raw[c]), slope, c)
                else:
                    add_row(data, indices, indptr, i, real(raw[c]), slope, c)
                if m > p:
                    slope[c, p] += real(raw[c])
        if data.ndim == 1:
            standardize(center, scale, slope)
        t += 1
        part = real((last - first) / n)
        if is_plain:
            step_plainly(slope, part, ridge, real(rate), w, mean_gradient)
        else:
            assemble(slope, part, ridge, turned, gradient, mean_gradient)
            if rotation.size > 0:
                rotate_back(rotation, gradient)
            clip(largest_norm, largest_entry, gradient)
            advance(formula, parameters, t, rate, gradient, moments, w, step_size)
        if not smooth:
            if formula == SGD:
                step_size[:] = real(rate)
            prox(l1, l2, nonnegative, scale, inverse_scale, step_size, w)
        if degree > 0.0:
            pace = real((degree + 1.0) / (t + degree))
            for c in range(K):
                for j in range(m):
                    average[c, j] += pace * (w[c, j] - average[c, j])
    if rotation.size > 0:
        rotate_back(rotation, mean_gradient)
    return loss


@compiled
def fetch(
    data: FloatArray, order: IntArray, first: int, center: FloatArray, scale: FloatArray,
    ahead: FloatArray,
) -> None:  # fmt: skip
    """Copy the next rows, centred and scaled, and ask for those that come after them."""
    n_rows, p = min(len(ahead), len(order) - first), len(scale)
    for b in range(n_rows):
        i = order[first + b]
        if data.flags.c_contiguous and first + n_rows + b < len(order):
            start = unsigned(order[first + n_rows + b]) * unsigned(p)
            for j in range(0, p, CACHE_LINE // data.itemsize):
                prefetch(data, start + unsigned(j))
        for j in range(p):
            ahead[b, j] = (data[i, j] - center[j]) * scale[j]


@compiled
def assemble(
    slope: FloatArray, part: float, ridge: FloatArray, turned: FloatArray, gradient: FloatArray,
    mean_gradient: FloatArray,
) -> None:  # fmt: skip
    """Turn a batch's sum of slopes into its gradient, which estimates that of all rows.

    ``part`` is the share of the rows that the batch holds, and its weight in the epoch's mean.
    """
    K, m = slope.shape
    p = len(ridge)
    for c in range(K):
        for j in range(m):
            own = slope[c, j] / part
            if j < p:
                own += ridge[j] * turned[c, j]
            gradient[c, j] = own
            mean_gradient[c, j] += part * own
            slope[c, j] = 0.0


@compiled
def step_plainly(
    slope: FloatArray, part: float, ridge: FloatArray, eta: float, w: FloatArray,
    mean_gradient: FloatArray,
) -> None:  # fmt: skip
    """Do what `assemble` and `advance` do for plain gradient descent, in one pass."""
    K, m = slope.shape
    p = len(ridge)
    step = eta / part
    for c in range(K):
        for j in range(p):
            own = slope[c, j] + part * ridge[j] * w[c, j]
            mean_gradient[c, j] += own
            w[c, j] -= step * own
            slope[c, j] = 0.0
        if m > p:
            mean_gradient[c, p] += slope[c, p]
            w[c, p] -= step * slope[c, p]
            slope[c, p] = 0.0


@compiled
def rotate(transposed: FloatArray, w: FloatArray, turned: FloatArray) -> None:
    """Multiply coefficients by the rotation, which comes transposed: sums of rows need no sums."""
    for c in range(len(w)):
        for j in range(len(transposed)):
            turned[c, j] = w.dtype.type(0.0)
        for j in range(len(transposed)):
            own = w[c, j]
            for q in range(j + 1):
                turned[c, q] += own * transposed[j, q]


@compiled
def rotate_back(rotation: FloatArray, gradient: FloatArray) -> None:
    """Multiply gradients by the transpose of the rotation, in place: from the last row up."""
    p = len(rotation)
    for c in range(len(gradient)):
        for j in range(p - 1, -1, -1):
            own = gradient[c, j]
            for q in range(j + 1, p):
                gradient[c, q] += own * rotation[j, q]
            gradient[c, j] = own * rotation[j, j]


@compiled
def user_coefficients(
    center: FloatArray, scale: FloatArray, turned: FloatArray, w: FloatArray, coef: FloatArray
) -> None:
    """Compute the user's coefficients and, after them, intercepts; 0 where there are none."""
    p = len(scale)
    for c in range(len(w)):
        shift = w.dtype.type(0.0)
        for j in range(p):
            coef[c, j] = scale[j] * turned[c, j]
            shift += center[j] * coef[c, j]
        coef[c, p] = w[c, p] - shift if w.shape[1] > p else w.dtype.type(0.0)


@compiled
def standardize(center: FloatArray, scale: FloatArray, slope: FloatArray) -> None:
    """Map sums of slopes times rows to sums of slopes times centred and scaled rows, in place."""
    p = len(scale)
    for c in range(len(slope)):
        total = slope[c, p] if slope.shape[1] > p else slope.dtype.type(0.0)
        for j in range(p):
            slope[c, j] = scale[j] * (slope[c, j] - total * center[j])


@compiled
def clip(largest_norm: float, largest_entry: float, gradient: FloatArray) -> None:
    """Limit a gradient in place."""
    real: Any = gradient.dtype.type
    K, m = gradient.shape
    if largest_entry < np.inf:
        bound = real(largest_entry)
        for c in range(K):
            for j in range(m):
                gradient[c, j] = min(max(gradient[c, j], -bound), bound)
    if largest_norm < np.inf:
        squares = real(0.0)
        for c in range(K):
            for j in range(m):
                squares += gradient[c, j] * gradient[c, j]
        length = math.sqrt(squares)
        if length > largest_norm:
            shrink = real(largest_norm / length)
            for c in range(K):
                for j in range(m):
                    gradient[c, j] *= shrink


@compiled
def prox(
    l1: float, l2: float, nonnegative: bool, scale: FloatArray, inverse_scale: FloatArray,
    step_size: FloatArray, w: FloatArray,
) -> None:  # fmt: skip
    """Apply the proximal operator of the penalty in place; see `CoordinatePenalty.prox`."""
    real: Any = w.dtype.type
    absolute, quadratic = real(l1), real(l2)
    for c in range(len(w)):
        for j in range(len(scale)):
            step = step_size[c, j] * scale[j] * scale[j]
            coef, threshold = scale[j] * w[c, j], step * absolute
            coef -= min(max(coef, -threshold), threshold)
            coef /= real(1.0) + quadratic * step
            if nonnegative:
                coef = max(coef, real(0.0))
            w[c, j] = coef * inverse_scale[j]
