"""Updates by single rows whose variance falls: an estimate of the whole gradient is at hand.

In the user's coefficients, and but for `walk_classes` for one output; all sums are in float64.
``slopes`` holds the weighted derivative of each row's loss at its last visit, and the mean gradient
is the sum of these times the rows. The estimator is (new slope - old slope) / chance_i x_i plus the
mean gradient, or for the biased one of SAG the same without the division. ``gain`` holds
1 / (n chance_i), or nothing if all rows have the same chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Losses
from skgrad._kernels.losses import softmax, value_and_slope
from skgrad._kernels.prefetch import ask_for_row, prefetch
from skgrad._typing import FloatArray, IntArray

# Rows of sparse data are asked for so many updates ahead, and where they are stored twice as many.
AHEAD = 4
# An index that cannot be negative saves the test for one that counts from the end.
unsigned: Any = np.uint64


@compiled
def walk_dense(
    X: FloatArray, center: FloatArray, losses: Losses, order: IntArray, gain: FloatArray,
    biased: bool, refresh: bool, penalty: tuple[float, float, bool], stride: FloatArray,
    intercept_stride: float, slopes: FloatArray, mean: FloatArray, coef: FloatArray,
    ends: FloatArray,
) -> float:  # fmt: skip
    """Walk over rows of an array; slopes, mean, coef and ``ends`` move in place.

    ``ends`` holds the intercept and its mean gradient, ``stride`` the step of each coefficient, and
    ``intercept_stride`` is zero without intercept. Returns the mean loss that was met.
    """
    formula, parameter, y, weight, share = losses
    l1, l2, nonnegative = penalty
    n, p, loss = len(X), X.shape[1], 0.0
    for q in range(len(order)):
        i = order[q]
        raw = ends[0]
        for j in range(p):
            raw += (X[i, j] - center[j]) * coef[j]
        value, slope = value_and_slope(formula, parameter, y[i], raw)
        row_weight = weight[i] if len(weight) > 0 else share
        own = n * gain[i] if len(gain) > 0 else float(n)
        loss += own * row_weight * value
        change = row_weight * slope - slopes[i]
        pull = change if biased else own * change
        for j in range(p):
            threshold = stride[j] * l1
            moved = coef[j] - stride[j] * (pull * (X[i, j] - center[j]) + mean[j])
            moved -= min(max(moved, -threshold), threshold)
            moved /= 1.0 + stride[j] * l2
            coef[j] = max(moved, 0.0) if nonnegative else moved
        ends[0] -= intercept_stride * (pull + ends[1])
        if refresh:
            slopes[i] += change
            ends[1] += change
            for j in range(p):
                mean[j] += change * (X[i, j] - center[j])
    return loss / len(order)


@compiled
def walk_sparse(
    data: FloatArray, indices: IntArray, indptr: IntArray, losses: Losses, order: IntArray,
    gain: FloatArray, biased: bool, refresh: bool, penalty: tuple[float, float, bool],
    intercept_stride: float, slopes: FloatArray, table: FloatArray, ends: FloatArray,
) -> float:  # fmt: skip
    """Walk over rows of a CSR matrix, as `walk_dense` does; an update touches non-zeros only.

    A row of ``table`` is what belongs to a feature, in one piece of memory: coefficient, mean
    gradient, step, and the step of the dense terms, which is longer the rarer the feature is.
    """
    formula, parameter, y, weight, share = losses
    l1, l2, nonnegative = penalty
    n, loss, n_updates = len(slopes), 0.0, len(order)
    for q in range(n_updates):
        if q + 2 * AHEAD < n_updates:
            later = order[q + 2 * AHEAD]
            prefetch(indptr, later)
            prefetch(y, later)
            prefetch(slopes, later)
            ask_for_row(data, indices, indptr[order[q + AHEAD]])
        i = unsigned(order[q])
        start, stop = unsigned(indptr[i]), unsigned(indptr[i + unsigned(1)])
        raw = ends[0]
        for k in range(start, stop):
            raw += data[k] * table[unsigned(indices[k]), 0]
        value, slope = value_and_slope(formula, parameter, y[i], raw)
        row_weight = weight[i] if len(weight) > 0 else share
        own = n * gain[i] if len(gain) > 0 else float(n)
        loss += own * row_weight * value
        change = row_weight * slope - slopes[i]
        pull = change if biased else own * change
        fresh = change if refresh else 0.0
        for k in range(start, stop):
            j = unsigned(indices[k])
            longer = table[j, 3]
            threshold = longer * l1
            moved = table[j, 0] - table[j, 2] * pull * data[k] - longer * table[j, 1]
            moved -= min(max(moved, -threshold), threshold)
            moved /= 1.0 + longer * l2
            table[j, 0] = max(moved, 0.0) if nonnegative else moved
            table[j, 1] += fresh * data[k]
        ends[0] -= intercept_stride * (pull + ends[1])
        slopes[i] += fresh
        ends[1] += fresh
    return loss / n_updates


@compiled
def walk_classes(
    data: FloatArray, indices: IntArray, indptr: IntArray, center: FloatArray, losses: Losses,
    order: IntArray, gain: FloatArray, biased: bool, refresh: bool,
    penalty: tuple[float, float, bool], stride: FloatArray, longer: FloatArray,
    intercept_stride: float, slopes: FloatArray, mean: FloatArray, coef: FloatArray,
    ends: FloatArray, raw: FloatArray,
) -> float:  # fmt: skip
    """Walk over rows of either kind for all outputs of a multinomial loss.

    coef and mean have shape (n_features, n_outputs), ``ends`` (2, n_outputs). A matrix is as in
    `skgrad._kernels.dual`; ``longer`` is the step of the dense terms, and ``raw`` room to work in.
    """
    _, _, y, weight, share = losses
    l1, l2, nonnegative = penalty
    (n, K), is_dense, loss = slopes.shape, len(indptr) == 0, 0.0
    p = len(stride)
    for q in range(len(order)):
        i = order[q]
        start, stop = (i * p, i * p + p) if is_dense else (int(indptr[i]), int(indptr[i + 1]))
        for c in range(K):
            raw[c] = ends[0, c]
        for k in range(start, stop):
            j = k - start if is_dense else int(indices[k])
            entry = data[k] - center[j]
            for c in range(K):
                raw[c] += entry * coef[j, c]
        row_weight = weight[i] if len(weight) > 0 else share
        own = n * gain[i] if len(gain) > 0 else float(n)
        loss += own * row_weight * softmax(raw, int(y[i]))
        pull = 1.0 if biased else own
        for c in range(K):
            raw[c] = row_weight * raw[c] - slopes[i, c]
        for k in range(start, stop):
            j = k - start if is_dense else int(indices[k])
            entry = data[k] - center[j]
            threshold, shrink = longer[j] * l1, 1.0 / (1.0 + longer[j] * l2)
            for c in range(K):
                moved = coef[j, c] - stride[j] * pull * raw[c] * entry - longer[j] * mean[j, c]
                moved = shrink * (moved - min(max(moved, -threshold), threshold))
                coef[j, c] = max(moved, 0.0) if nonnegative else moved
                if refresh:
                    mean[j, c] += raw[c] * entry
        for c in range(K):
            ends[0, c] -= intercept_stride * (pull * raw[c] + ends[1, c])
            if refresh:
                ends[1, c] += raw[c]
                slopes[i, c] += raw[c]
    return loss / len(order)
