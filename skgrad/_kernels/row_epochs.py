"""An epoch of mini-batch updates that touch every coordinate."""

from __future__ import annotations

import math

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Batches, Coordinates, Limits, Losses, Rows, Shrinkage
from skgrad._kernels.losses import weighted_slopes
from skgrad._kernels.rows import add_row, row_dot
from skgrad._kernels.updates import advance
from skgrad._typing import FloatArray


@compiled
def row_epoch(
    rows: Rows, losses: Losses, coordinates: Coordinates, penalty: Shrinkage, batches: Batches,
    limits: Limits, formula: int, parameters: FloatArray, w: FloatArray, average: FloatArray,
    moments: FloatArray,
) -> tuple[float, FloatArray]:  # fmt: skip
    """Walk over all batches; w and average (n_outputs, row_length) and moments move in place.

    Returns the mean loss that the batches saw and the mean gradient of the loss.
    """
    K, m = w.shape
    p, n = rows.n_columns, len(batches.order)
    real = w.dtype.type
    coef, offset = np.empty((K, p), w.dtype), np.zeros(K, w.dtype)
    slope, slope_sum = np.zeros((K, p), w.dtype), np.zeros(K, w.dtype)
    mean_slope, mean_slope_sum = np.zeros((K, p), w.dtype), np.zeros(K, w.dtype)
    gradient, step_size = np.zeros((K, m), w.dtype), np.zeros((K, m), w.dtype)
    raw, slopes, scratch = np.empty(K), np.empty(K, w.dtype), np.empty(p, w.dtype)
    loss, t, adaptive = 0.0, batches.t, formula != 0
    user_coefficients(coordinates, w, coef, offset, scratch)
    for k in range((n + batches.batch_size - 1) // batches.batch_size):
        first = k * batches.batch_size
        last = min(first + batches.batch_size, n)
        rate = batches.rates[k // batches.every]
        slope[:] = real(0.0)
        slope_sum[:] = real(0.0)
        for i in batches.order[first:last]:
            for c in range(K):
                raw[c] = row_dot(rows.data, rows.indices, rows.indptr, i, coef[c]) + offset[c]
            loss += weighted_slopes(
                losses.formula, losses.parameter, losses.y, losses.weight, losses.share, i, raw,
                slopes,
            )  # fmt: skip
            for c in range(K):
                slope_sum[c] += slopes[c]
                add_row(rows.data, rows.indices, rows.indptr, i, slopes[c], slope[c])
        for c in range(K):
            mean_slope_sum[c] += slope_sum[c]
            for j in range(p):
                mean_slope[c, j] += slope[c, j]
        ridge = penalty.l2 if penalty.smooth else 0.0
        pull(coordinates, slope, slope_sum, n / (last - first), ridge, coef, gradient, scratch)
        clip(limits, gradient)
        t += 1
        advance(
            formula, parameters, t, rate, gradient.reshape(K * m), moments, w.reshape(K * m),
            step_size.reshape(K * m),
        )  # fmt: skip
        if not penalty.smooth:
            if not adaptive:
                step_size[:] = real(rate)
            prox(penalty, coordinates, step_size, w)
        user_coefficients(coordinates, w, coef, offset, scratch)
        if limits.averaging > 0.0:
            pace = real((limits.averaging + 1.0) / (t + limits.averaging))
            for c in range(K):
                for j in range(m):
                    average[c, j] += pace * (w[c, j] - average[c, j])
    pull(coordinates, mean_slope, mean_slope_sum, 1.0, 0.0, coef, gradient, scratch)
    return loss, gradient


@compiled
def user_coefficients(
    coordinates: Coordinates, w: FloatArray, coef: FloatArray, offset: FloatArray,
    scratch: FloatArray,
) -> None:  # fmt: skip
    """Compute the user's coefficients and intercepts; see `Standardization.to_user`."""
    p = len(coordinates.scale)
    real = w.dtype.type
    for c in range(len(w)):
        row, own = coef[c], w[c]
        if coordinates.rotation.size == 0:
            for j in range(p):
                row[j] = coordinates.scale[j] * own[j]
        else:
            for j in range(p):
                turned = real(0.0)
                for q in range(j, p):
                    turned += coordinates.rotation[j, q] * own[q]
                row[j] = coordinates.scale[j] * turned
        if w.shape[1] > p:
            shift = real(0.0)
            for j in range(p):
                shift += coordinates.center[j] * row[j]
            offset[c] = own[p] - shift


@compiled
def pull(
    coordinates: Coordinates, slope: FloatArray, slope_sum: FloatArray, factor: float,
    ridge: float, coef: FloatArray, gradient: FloatArray, scratch: FloatArray,
) -> None:  # fmt: skip
    """Map factor * slope + ridge * coef to a solver's coordinates; see `Standardization.pull`."""
    p = len(coordinates.scale)
    real = gradient.dtype.type
    factor, ridge = real(factor), real(ridge)
    for c in range(len(gradient)):
        out = gradient[c]
        if gradient.shape[1] > p:
            out[p] = factor * slope_sum[c]
        inner = out[:p] if coordinates.rotation.size == 0 else scratch
        shift = slope_sum[c] if gradient.shape[1] > p else real(0.0)
        for j in range(p):
            plain = factor * (slope[c, j] - shift * coordinates.center[j])
            inner[j] = coordinates.scale[j] * (plain + ridge * coef[c, j])
        if coordinates.rotation.size > 0:
            out[:p] = real(0.0)
            for j in range(p):
                for q in range(j, p):
                    out[q] += scratch[j] * coordinates.rotation[j, q]


@compiled
def clip(limits: Limits, gradient: FloatArray) -> None:
    """Limit a gradient in place."""
    real = gradient.dtype.type
    flat = gradient.reshape(gradient.size)
    if limits.entry < np.inf:
        bound = real(limits.entry)
        for j in range(len(flat)):
            flat[j] = min(max(flat[j], -bound), bound)
    if limits.norm < np.inf:
        squares = real(0.0)
        for j in range(len(flat)):
            squares += flat[j] * flat[j]
        length = math.sqrt(squares)
        if length > limits.norm:
            shrink = real(limits.norm / length)
            for j in range(len(flat)):
                flat[j] *= shrink


@compiled
def prox(
    penalty: Shrinkage, coordinates: Coordinates, step_size: FloatArray, w: FloatArray
) -> None:
    """Apply the proximal operator of the penalty in place; see `CoordinatePenalty.prox`."""
    real = w.dtype.type
    l1, l2 = real(penalty.l1), real(penalty.l2)
    for c in range(len(w)):
        for j in range(len(coordinates.scale)):
            scale = coordinates.scale[j]
            step = step_size[c, j] * scale * scale
            coef = scale * w[c, j]
            threshold = step * l1
            coef -= min(max(coef, -threshold), threshold)
            coef /= real(1.0) + l2 * step
            if penalty.nonnegative:
                coef = max(coef, real(0.0))
            w[c, j] = coef * coordinates.inverse_scale[j]
