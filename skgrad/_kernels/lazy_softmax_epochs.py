"""Epochs that cost as much as the rows have non-zeros, for the multinomial loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Batches, Losses, Shrinkage
from skgrad._kernels.lazy_epochs import SMALLEST_FACTOR
from skgrad._kernels.losses import softmax
from skgrad._typing import FloatArray, IntArray

unsigned: Any = np.uint64


@compiled
def lazy_softmax_epoch(
    data: FloatArray, indices: IntArray, indptr: IntArray, losses: Losses, scale: float,
    penalty: Shrinkage, batches: Batches, coef: FloatArray, intercept: FloatArray,
    paid: FloatArray, slopes: FloatArray,
) -> float:  # fmt: skip
    """Walk over all batches as `lazy_epochs.lazy_epoch` does, with the outputs of a row together.

    ``coef`` (n_features, K) holds a feature's coefficients side by side, ``intercept`` (K,) or (0,)
    the intercepts; both move in place. ``slopes`` (batch_size, K) is room to work in. Returns the
    mean loss that the batches saw.
    """
    _, _, y, weight, share = losses
    l1, l2, nonnegative, smooth = penalty
    order, size, rates, every, _ = batches
    K, fit_intercept, n = coef.shape[1], len(intercept) > 0, len(order)
    due, factor, loss, segment, left = 0.0, 1.0, 0.0, -1, 0
    for first in range(0, n, size):
        last = min(first + size, n)
        if left == 0:
            segment, left = segment + 1, every
        rate, left = rates[segment], left - 1
        step, gain = rate * scale * scale, n / (last - first)
        for b in range(first, last):
            i, raw = unsigned(order[b]), slopes[b - first]
            start, stop = unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])
            if not smooth:
                for q in range(start, stop):
                    pay_row(coef, paid, unsigned(indices[q]), due, nonnegative)
            for c in range(K):
                raw[c] = 0.0
            for q in range(start, stop):
                j = unsigned(indices[q])
                for c in range(K):
                    raw[c] += data[q] * coef[j, c]
            for c in range(K):
                raw[c] = factor * raw[c] + (intercept[c] if fit_intercept else 0.0)
            row_weight = weight[i] if len(weight) > 0 else share
            loss += row_weight * softmax(raw, int(y[i]))
            for c in range(K):
                raw[c] *= row_weight
        if smooth:
            factor *= 1.0 - step * l2
        if abs(factor) < SMALLEST_FACTOR:
            multiply_out_rows(coef, paid, factor, due, nonnegative)
            due, factor = 0.0, 1.0
        for b in range(first, last):
            i, raw = unsigned(order[b]), slopes[b - first]
            for c in range(K):
                if fit_intercept:
                    intercept[c] -= rate * gain * raw[c]
                raw[c] *= step * gain / factor
            for q in range(unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])):
                j = unsigned(indices[q])
                for c in range(K):
                    coef[j, c] -= raw[c] * data[q]
        if not smooth:
            due += step * l1 / factor
            factor /= 1.0 + step * l2
    multiply_out_rows(coef, paid, factor, due, nonnegative)
    return loss


@compiled
def pay_row(coef: FloatArray, paid: FloatArray, j: int, due: float, nonnegative: bool) -> None:
    """Apply the soft thresholds that one feature's coefficients have not had yet."""
    real: Any = coef.dtype.type
    threshold = real(due - paid[j])
    paid[j] = due
    for c in range(coef.shape[1]):
        shrunk = coef[j, c] - min(max(coef[j, c], -threshold), threshold)
        coef[j, c] = max(shrunk, real(0.0)) if nonnegative else shrunk


@compiled
def multiply_out_rows(
    coef: FloatArray, paid: FloatArray, factor: float, due: float, nonnegative: bool
) -> None:
    """Make coef hold the coefficients themselves, with no threshold due."""
    for j in range(len(paid)):
        pay_row(coef, paid, j, due, nonnegative)
        paid[j] = 0.0
    for j in range(len(coef)):
        for c in range(coef.shape[1]):
            coef[j, c] *= coef.dtype.type(factor)
