"""An epoch of plain stochastic gradient descent that costs as much as the rows have non-zeros."""

from __future__ import annotations

from typing import Any

from skgrad._kernels._compile import compiled
from skgrad._kernels.arguments import Batches, Losses, Shrinkage
from skgrad._kernels.losses import weighted_slopes
from skgrad._typing import FloatArray, IntArray

# The common factor is multiplied out below this: the vector that it multiplies grows as it falls.
SMALLEST_FACTOR = 1e-6


@compiled
def lazy_epoch(
    data: FloatArray, indices: IntArray, indptr: IntArray, losses: Losses, scale: float,
    penalty: Shrinkage, batches: Batches, coef: FloatArray, intercept: FloatArray,
    paid: FloatArray, slopes: FloatArray, raw: FloatArray,
) -> float:  # fmt: skip
    """Walk over all batches of a CSR matrix; coef and intercept move in place.

    Coefficients, (K, n_features), are ``factor * coef``: an L2 penalty shrinks the factor. Soft
    thresholds wait until a row needs the coefficient: ``due`` is their sum so far, ``paid`` what
    each feature has had of it (Duchi and Singer 2009, proposition 11). ``scale`` is the one of all
    columns, ``intercept`` (K,) or (0,) holds the intercepts. ``slopes`` (batch_size, K) and ``raw``
    (K,) are room to work in.

    Returns the mean loss that the batches saw.
    """
    formula, parameter, y, weight, share = losses
    l1, l2, nonnegative, smooth = penalty
    order, size, rates, every, _ = batches
    K, fit_intercept = len(coef), len(intercept) > 0
    real: Any = coef.dtype.type
    due, factor, loss, segment, left = 0.0, 1.0, 0.0, -1, 0
    for first in range(0, len(order), size):
        last = min(first + size, len(order))
        if left == 0:
            segment, left = segment + 1, every
        rate, left = rates[segment], left - 1
        step = rate * scale * scale
        for b in range(first, last):
            i = order[b]
            start, stop = indptr[i], indptr[i + 1]
            if not smooth:
                for q in range(start, stop):
                    pay(coef, paid, indices[q], due, nonnegative)
            for c in range(K):
                total = real(0.0)
                for q in range(start, stop):
                    total += data[q] * coef[c, indices[q]]
                raw[c] = factor * total
                if fit_intercept:
                    raw[c] += intercept[c]
            loss += weighted_slopes(formula, parameter, y, weight, share, i, raw)
            for c in range(K):
                slopes[b - first, c] = raw[c]
        if smooth:
            factor *= 1.0 - step * l2
        if abs(factor) < SMALLEST_FACTOR:
            multiply_out(coef, paid, factor, due, nonnegative)
            due, factor = 0.0, 1.0
        gain = len(order) / (last - first)
        for b in range(first, last):
            start, stop = indptr[order[b]], indptr[order[b] + 1]
            for c in range(K):
                stride = real(step * gain / factor) * slopes[b - first, c]
                for q in range(start, stop):
                    coef[c, indices[q]] -= stride * data[q]
                if fit_intercept:
                    intercept[c] -= rate * gain * slopes[b - first, c]
        if not smooth:
            due += step * l1 / factor
            factor /= 1.0 + step * l2
    multiply_out(coef, paid, factor, due, nonnegative)
    return loss


@compiled
def pay(coef: FloatArray, paid: FloatArray, j: int, due: float, nonnegative: bool) -> None:
    """Apply the soft thresholds that one feature's coefficients have not had yet."""
    real: Any = coef.dtype.type
    threshold = real(due - paid[j])
    paid[j] = due
    for c in range(len(coef)):
        shrunk = coef[c, j] - min(max(coef[c, j], -threshold), threshold)
        coef[c, j] = max(shrunk, real(0.0)) if nonnegative else shrunk


@compiled
def multiply_out(
    coef: FloatArray, paid: FloatArray, factor: float, due: float, nonnegative: bool
) -> None:
    """Make coef hold the coefficients themselves, with no threshold due."""
    for j in range(len(paid)):
        pay(coef, paid, j, due, nonnegative)
        paid[j] = 0.0
    for c in range(len(coef)):
        for j in range(coef.shape[1]):
            coef[c, j] *= coef.dtype.type(factor)
