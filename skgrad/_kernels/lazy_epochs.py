"""An epoch of plain stochastic gradient descent that costs as much as the rows have non-zeros."""

from __future__ import annotations

import numpy as np

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Batches, Losses, Rows, Shrinkage
from skgrad._kernels.losses import weighted_slopes
from skgrad._typing import FloatArray

# The common factor is multiplied out below this: the vector that it multiplies grows as it falls.
SMALLEST_FACTOR = 1e-6


@compiled
def lazy_epoch(
    rows: Rows, losses: Losses, scale: float, penalty: Shrinkage, batches: Batches, w: FloatArray
) -> tuple[float, FloatArray]:
    """Walk over all batches of a CSR matrix; w (n_outputs, row_length) moves in place.

    Coefficients are ``factor * table[:, :K]``: an L2 penalty shrinks the factor. Soft thresholds
    wait until a row needs the coefficient: ``due`` is their sum so far, ``paid`` what each
    coefficient has had of it (Duchi and Singer 2009, proposition 11). ``table[:, K:]`` sums the
    gradients, beside the coefficients because memory is read by the line.

    Returns the mean loss that the batches saw and the mean gradient of the loss.
    """
    K, m = w.shape
    p, n = rows.n_columns, len(batches.order)
    real = w.dtype.type
    table, intercept, slope_sum = np.zeros((p, 2 * K), w.dtype), np.zeros(K), np.zeros(K)
    for c in range(K):
        intercept[c] = w[c, p] if m > p else 0.0
        for j in range(p):
            table[j, c] = real(scale) * w[c, j]
    is_late = not penalty.smooth
    paid, due, factor, loss = np.zeros(p if is_late else 0), 0.0, 1.0, 0.0
    raw, slopes = np.empty(K), np.empty((batches.size, K), w.dtype)
    for k in range((n + batches.size - 1) // batches.size):
        batch = batches.order[k * batches.size : min((k + 1) * batches.size, n)]
        rate = batches.rates[k // batches.every]
        step = rate * scale * scale
        for b in range(len(batch)):
            i = batch[b]
            if is_late:
                for q in range(rows.indptr[i], rows.indptr[i + 1]):
                    pay(table, paid, rows.indices[q], due, K, penalty.nonnegative)
            predict(rows, i, factor, table, intercept, raw)
            loss += weighted_slopes(
                losses.formula, losses.parameter, losses.y, losses.weight, losses.share, i, raw
            )  # fmt: skip
            for c in range(K):
                slopes[b, c] = real(raw[c])
        if penalty.smooth:
            factor *= 1.0 - step * penalty.l2
        if abs(factor) < SMALLEST_FACTOR:
            due = multiply_out(table, paid, factor, due, K, penalty)
            factor = 1.0
        gain = n / len(batch)
        for b in range(len(batch)):
            subtract(rows, batch[b], real(step * gain / factor), slopes, b, table)
            if m > p:
                for c in range(K):
                    intercept[c] -= rate * gain * slopes[b, c]
                    slope_sum[c] += slopes[b, c]
        if is_late:
            due += step * penalty.l1 / factor
            factor /= 1.0 + step * penalty.l2
    multiply_out(table, paid, factor, due, K, penalty)
    gradient = np.empty((K, m), w.dtype)
    for c in range(K):
        if m > p:
            w[c, p], gradient[c, p] = intercept[c], slope_sum[c]
        for j in range(p):
            w[c, j] = table[j, c] / real(scale)
            gradient[c, j] = real(scale) * table[j, K + c]
    return loss, gradient


@compiled
def predict(
    rows: Rows, i: int, factor: float, table: FloatArray, intercept: FloatArray, raw: FloatArray
) -> None:
    """Compute the raw predictions of a row."""
    start, stop = rows.indptr[i], rows.indptr[i + 1]
    for c in range(len(raw)):
        total = table.dtype.type(0.0)
        for q in range(start, stop):
            total += rows.data[q] * table[rows.indices[q], c]
        raw[c] = factor * total + intercept[c]


@compiled
def subtract(
    rows: Rows, i: int, step: float, slopes: FloatArray, b: int, table: FloatArray
) -> None:
    """Make a row's step, and add its gradient to the sum."""
    K = slopes.shape[1]
    for q in range(rows.indptr[i], rows.indptr[i + 1]):
        j, x = rows.indices[q], rows.data[q]
        for c in range(K):
            slope = slopes[b, c] * x
            table[j, c] -= step * slope
            table[j, K + c] += slope


@compiled
def pay(
    table: FloatArray, paid: FloatArray, j: int, due: float, K: int, nonnegative: bool
) -> None:
    """Apply the soft thresholds that one feature's coefficients have not had yet."""
    threshold = table.dtype.type(due - paid[j])
    paid[j] = due
    for c in range(K):
        coef = table[j, c]
        coef -= min(max(coef, -threshold), threshold)
        table[j, c] = max(coef, table.dtype.type(0.0)) if nonnegative else coef


@compiled
def multiply_out(
    table: FloatArray, paid: FloatArray, factor: float, due: float, K: int, penalty: Shrinkage
) -> float:
    """Make the table hold the coefficients themselves; return the thresholds then due: none."""
    for j in range(len(table)):
        if len(paid) > 0:
            pay(table, paid, j, due, K, penalty.nonnegative)
            paid[j] = 0.0
        for c in range(K):
            table[j, c] *= table.dtype.type(factor)
    return 0.0
