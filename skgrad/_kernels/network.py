"""A batch's way through a network of rectifiers and back, without the interpreter's lock."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Losses
from skgrad._kernels.losses import MULTINOMIAL, softmax, value_and_slope
from skgrad._typing import FloatArray, IntArray


@compiled
def value_and_gradient(
    sizes: IntArray, leaks: FloatArray, w: FloatArray, X: FloatArray, losses: Losses,
    factor: float, outputs: FloatArray, deltas: FloatArray, row: FloatArray, gradient: FloatArray,
) -> float:  # fmt: skip
    """Write the gradient and return the value, both times ``factor``.

    ``w`` and ``gradient`` hold weights and biases layer by layer, ``leaks`` the slope of each
    layer on the left of zero; on the right it is one, and the last layer's is one throughout.
    ``outputs`` (n_rows * sum of all layers' units,) and ``deltas`` (2, n_rows * units of the
    largest hidden layer) are room to work in, as is ``row`` (n_outputs,), in float64.
    """
    n_rows, last = len(X), len(sizes) - 2
    start, end = 0, 0
    for layer in range(last + 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        inputs = outputs[end - n_in * n_rows : end] if layer > 0 else outputs[:0]
        out = outputs[end : end + n_out * n_rows].reshape(n_out, n_rows)
        weights = w[start : start + n_out * n_in].reshape(n_out, n_in)
        if layer == 0:
            np.dot(weights, X.T, out)
        else:
            np.dot(weights, inputs.reshape(n_in, n_rows), out)
        start, end = start + n_out * (n_in + 1), end + n_out * n_rows
        _rectify(out, w[start - n_out : start], leaks[layer])
    delta = outputs[end - sizes[last + 1] * n_rows : end]
    value = _slopes(losses, factor, row, delta.reshape(len(row), n_rows))
    for layer in range(last, -1, -1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        start, end = start - n_out * (n_in + 1), end - n_out * n_rows
        slopes = delta.reshape(n_out, n_rows)
        target = gradient[start : start + n_out * n_in].reshape(n_out, n_in)
        _sum_rows(slopes, gradient[start + n_out * n_in : start + n_out * (n_in + 1)])
        if layer == 0:
            np.dot(slopes, X, target)
        else:
            inputs = outputs[end - n_in * n_rows : end]
            np.dot(slopes, inputs.reshape(n_in, n_rows).T, target)
            weights = w[start : start + n_out * n_in].reshape(n_out, n_in)
            delta = deltas[layer % 2, : n_in * n_rows]
            np.dot(weights.T, slopes, delta.reshape(n_in, n_rows))
            _pull_back(inputs, leaks[layer - 1], delta)
    return value


@compiled
def _rectify(z: FloatArray, biases: FloatArray, leak: float) -> None:
    for u in range(len(z)):
        bias, out = biases[u], z[u]
        for i in range(len(out)):
            shifted = out[i] + bias
            out[i] = shifted if shifted > 0.0 else leak * shifted


@compiled
def _slopes(losses: Losses, factor: float, row: FloatArray, raw: FloatArray) -> float:
    """Turn raw predictions, a row per column, into slopes times factor in place; sum the values."""
    formula, parameter, y, weight, share = losses
    value, n_columns = 0.0, weight.shape[1]
    if formula == MULTINOMIAL:
        for i in range(raw.shape[1]):
            for k in range(len(row)):
                row[k] = raw[k, i]
            row_weight = factor * (weight[i, 0] if n_columns > 0 else share)
            value += row_weight * softmax(row, int(y[i, 0]))
            for k in range(len(row)):
                raw[k, i] = row_weight * row[k]
        return value
    for k in range(len(raw)):
        column, out = (k if n_columns > 1 else 0), raw[k]
        for i in range(len(out)):
            row_weight = factor * (weight[i, column] if n_columns > 0 else share)
            loss, slope = value_and_slope(formula, parameter, y[i, k], out[i])
            value += row_weight * loss
            out[i] = row_weight * slope
    return value


@compiled
def _sum_rows(slopes: FloatArray, out: FloatArray) -> None:
    for u in range(len(slopes)):
        column, total = slopes[u], slopes[u, 0]
        for i in range(1, len(column)):
            total += column[i]
        out[u] = total


@compiled
def _pull_back(outputs: FloatArray, leak: float, delta: FloatArray) -> None:
    real: Any = delta.dtype.type
    one = real(1.0)
    for i in range(len(delta)):
        delta[i] *= one if outputs[i] > 0.0 else leak
