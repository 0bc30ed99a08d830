"""An epoch of mini-batch updates that touch every coordinate."""

from __future__ import annotations

import math

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import (
    Batches,
    Coordinates,
    Limits,
    Losses,
    Scratch,
    Shrinkage,
)
from skgrad._kernels.losses import weighted_slopes
from skgrad._kernels.rows import add_row, row_dot
from skgrad._kernels.updates import SGD, advance
from skgrad._typing import FloatArray, IntArray


@compiled
def row_epoch(
    data: FloatArray, indices: IntArray | None, indptr: IntArray | None, losses: Losses,
    coordinates: Coordinates, penalty: Shrinkage, batches: Batches, limits: Limits,
    formula: int, parameters: FloatArray, w: FloatArray, average: FloatArray,
    moments: FloatArray, scratch: Scratch,
) -> float:  # fmt: skip
    """Walk over all batches; w and average (n_outputs, row_length) and moments move in place.

    Returns the mean loss that the batches saw and leaves the mean gradient of the loss in
    ``scratch.mean_slope``.
    """
    K, m = w.shape
    p, n, order, size = len(coordinates.scale), len(batches.order), batches.order, batches.size
    y, weight, rotation = losses.y, losses.weight, coordinates.rotation
    ahead, coef, raw = scratch.ahead, scratch.coef, scratch.raw
    slope, mean_slope, ridge = scratch.slope, scratch.mean_slope, scratch.ridge
    gradient, step_size = scratch.gradient, scratch.step_size
    turned = w if rotation.size == 0 else scratch.turned
    is_plain = formula == SGD and len(moments) == 0 and rotation.size == 0
    is_plain &= limits.norm == np.inf and limits.entry == np.inf
    real, loss, t, stride = w.dtype.type, 0.0, batches.t, len(ahead)
    for k in range((n + size - 1) // size):
        first, last = k * size, min(k * size + size, n)
        rate = batches.rates[k // batches.every]
        if rotation.size > 0:
            rotate(rotation, w, turned)
        if data.ndim == 2:
            if first % stride == 0:
                fetch(data, order, first, coordinates, ahead)
        else:
            user_coefficients(coordinates, turned, w, coef)
        for q in range(first, last):
            i = order[q]
            for c in range(K):
                if data.ndim == 2:
                    raw[c] = row_dot(ahead, None, None, q % stride, turned, c)
                    raw[c] += w[c, p] if m > p else real(0.0)
                else:
                    raw[c] = row_dot(data, indices, indptr, i, coef, c) + coef[c, p]
            loss += weighted_slopes(
                losses.formula, losses.parameter, y, weight, losses.share, i, raw
            )
            for c in range(K):
                if data.ndim == 2:
                    add_row(ahead, None, None, q % stride, real(raw[c]), slope, c)
                else:
                    add_row(data, indices, indptr, i, real(raw[c]), slope, c)
                if m > p:
                    slope[c, p] += real(raw[c])
        if data.ndim == 1:
            standardize(coordinates, slope)
        t += 1
        gain = real(n / (last - first))
        if is_plain:
            step_plainly(slope, gain, ridge, real(rate), w, mean_slope)
        else:
            assemble(slope, gain, ridge, turned, gradient, mean_slope)
            if rotation.size > 0:
                rotate_back(rotation, gradient)
            clip(limits, gradient)
            advance(formula, parameters, t, rate, gradient, moments, w, step_size)
        if not penalty.smooth:
            prox(penalty, coordinates, step_size, rate, formula != SGD, w)
        if limits.averaging > 0.0:
            pace = real((limits.averaging + 1.0) / (t + limits.averaging))
            for c in range(K):
                for j in range(m):
                    average[c, j] += pace * (w[c, j] - average[c, j])
    if rotation.size > 0:
        rotate_back(rotation, mean_slope)
    return loss


@compiled
def fetch(
    data: FloatArray, order: IntArray, first: int, coordinates: Coordinates, ahead: FloatArray
) -> None:
    """Copy the next rows, centred and scaled."""
    center, scale = coordinates.center, coordinates.scale
    for b in range(min(len(ahead), len(order) - first)):
        i = order[first + b]
        for j in range(len(scale)):
            ahead[b, j] = (data[i, j] - center[j]) * scale[j]


@compiled
def assemble(
    slope: FloatArray, gain: float, ridge: FloatArray, turned: FloatArray, gradient: FloatArray,
    mean_slope: FloatArray,
) -> None:  # fmt: skip
    """Turn a batch's sum of slopes into its gradient, add it to the epoch's sum and clear it."""
    K, m = slope.shape
    p = len(ridge)
    for c in range(K):
        for j in range(p):
            mean_slope[c, j] += slope[c, j]
            gradient[c, j] = gain * slope[c, j] + ridge[j] * turned[c, j]
            slope[c, j] = 0.0
        if m > p:
            mean_slope[c, p] += slope[c, p]
            gradient[c, p] = gain * slope[c, p]
            slope[c, p] = 0.0


@compiled
def step_plainly(
    slope: FloatArray, gain: float, ridge: FloatArray, eta: float, w: FloatArray,
    mean_slope: FloatArray,
) -> None:  # fmt: skip
    """Do what `assemble` and `advance` do for plain gradient descent, in one pass."""
    K, m = slope.shape
    p = len(ridge)
    for c in range(K):
        for j in range(p):
            own = slope[c, j]
            mean_slope[c, j] += own
            w[c, j] -= eta * (gain * own + ridge[j] * w[c, j])
            slope[c, j] = 0.0
        if m > p:
            mean_slope[c, p] += slope[c, p]
            w[c, p] -= eta * gain * slope[c, p]
            slope[c, p] = 0.0


@compiled
def rotate(rotation: FloatArray, w: FloatArray, turned: FloatArray) -> None:
    """Multiply coefficients by the upper triangular rotation."""
    p = len(rotation)
    for c in range(len(w)):
        for j in range(p):
            total = w.dtype.type(0.0)
            for q in range(j, p):
                total += rotation[j, q] * w[c, q]
            turned[c, j] = total


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
    coordinates: Coordinates, turned: FloatArray, w: FloatArray, coef: FloatArray
) -> None:
    """Compute the user's coefficients and, after them, intercepts; 0 where there are none."""
    center, scale = coordinates.center, coordinates.scale
    p = len(scale)
    for c in range(len(w)):
        shift = w.dtype.type(0.0)
        for j in range(p):
            coef[c, j] = scale[j] * turned[c, j]
            shift += center[j] * coef[c, j]
        coef[c, p] = w[c, p] - shift if w.shape[1] > p else w.dtype.type(0.0)


@compiled
def standardize(coordinates: Coordinates, slope: FloatArray) -> None:
    """Map sums of slopes times rows to sums of slopes times centred and scaled rows, in place."""
    center, scale = coordinates.center, coordinates.scale
    p = len(scale)
    for c in range(len(slope)):
        total = slope[c, p] if slope.shape[1] > p else slope.dtype.type(0.0)
        for j in range(p):
            slope[c, j] = scale[j] * (slope[c, j] - total * center[j])


@compiled
def clip(limits: Limits, gradient: FloatArray) -> None:
    """Limit a gradient in place."""
    real = gradient.dtype.type
    K, m = gradient.shape
    if limits.entry < np.inf:
        bound = real(limits.entry)
        for c in range(K):
            for j in range(m):
                gradient[c, j] = min(max(gradient[c, j], -bound), bound)
    if limits.norm < np.inf:
        squares = real(0.0)
        for c in range(K):
            for j in range(m):
                squares += gradient[c, j] * gradient[c, j]
        length = math.sqrt(squares)
        if length > limits.norm:
            shrink = real(limits.norm / length)
            for c in range(K):
                for j in range(m):
                    gradient[c, j] *= shrink


@compiled
def prox(
    penalty: Shrinkage, coordinates: Coordinates, step_size: FloatArray, rate: float,
    adaptive: bool, w: FloatArray,
) -> None:  # fmt: skip
    """Apply the proximal operator of the penalty in place; see `CoordinatePenalty.prox`."""
    scale, inverse_scale = coordinates.scale, coordinates.inverse_scale
    real = w.dtype.type
    l1, l2 = real(penalty.l1), real(penalty.l2)
    for c in range(len(w)):
        for j in range(len(scale)):
            step = (step_size[c, j] if adaptive else real(rate)) * scale[j] * scale[j]
            coef, threshold = scale[j] * w[c, j], step * l1
            coef -= min(max(coef, -threshold), threshold)
            coef /= real(1.0) + l2 * step
            if penalty.nonnegative:
                coef = max(coef, real(0.0))
            w[c, j] = coef * inverse_scale[j]
