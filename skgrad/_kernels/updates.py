"""What the gradient of a mini-batch does to parameters: the solvers' formulas, coordinate-wise."""

from __future__ import annotations

import math
from typing import Any

from skgrad._kernels._compile import compiled
from skgrad._kernels.formulas import UpdateFormula, nesterov_shares
from skgrad._typing import FloatArray

SGD = int(UpdateFormula.SGD)
ADAGRAD = int(UpdateFormula.ADAGRAD)
RMSPROP = int(UpdateFormula.RMSPROP)
ADADELTA = int(UpdateFormula.ADADELTA)
ADAMAX = int(UpdateFormula.ADAMAX)
AMSGRAD = int(UpdateFormula.AMSGRAD)
NADAM = int(UpdateFormula.NADAM)

_nesterov_shares = compiled(nesterov_shares)


@compiled
def advance(
    formula: int, parameters: FloatArray, t: int, rate: float, gradient: FloatArray,
    moments: FloatArray, w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    """Move w, update the moments and note the step sizes of adaptive methods, all in place.

    Scalars are rounded to the arrays' dtype as late as in the solvers' own `update`: 1 - beta of a
    rounded beta would be wrong in the fifth digit.
    """
    real: Any = gradient.dtype.type
    eta = real(rate)
    K, m = w.shape
    if formula == SGD:
        _sgd(real(parameters[0]), parameters[1] > 0.0, eta, gradient, moments, w)
    elif formula == ADAGRAD:
        epsilon = real(parameters[0])
        for c in range(K):
            for j in range(m):
                g = gradient[c, j]
                moments[0, c, j] += g * g
                step_size[c, j] = eta / (math.sqrt(moments[0, c, j]) + epsilon)
                w[c, j] -= step_size[c, j] * g
    elif formula == RMSPROP:
        rho, momentum, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
        fresh, bias = real(1.0 - parameters[0]), real(1.0 - parameters[0] ** t)
        for c in range(K):
            for j in range(m):
                g = gradient[c, j]
                moments[0, c, j] = rho * moments[0, c, j] + fresh * g * g
                step_size[c, j] = eta / (math.sqrt(moments[0, c, j] / bias) + epsilon)
                moments[1, c, j] = momentum * moments[1, c, j] - step_size[c, j] * g
                w[c, j] += moments[1, c, j]
    elif formula == ADADELTA:
        _adadelta(parameters, eta, gradient, moments, w, step_size)
    else:
        _adam_family(formula, parameters, t, eta, gradient, moments, w, step_size)


@compiled
def _sgd(
    momentum: float, nesterov: bool, eta: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray,
) -> None:  # fmt: skip
    K, m = w.shape
    for c in range(K):
        if len(moments) == 0:
            for j in range(m):
                w[c, j] -= eta * gradient[c, j]
        elif nesterov:
            for j in range(m):
                plain = eta * gradient[c, j]
                moments[0, c, j] = momentum * moments[0, c, j] - plain
                w[c, j] += momentum * moments[0, c, j] - plain
        else:
            for j in range(m):
                moments[0, c, j] = momentum * moments[0, c, j] - eta * gradient[c, j]
                w[c, j] += moments[0, c, j]


@compiled
def _adadelta(
    parameters: FloatArray, eta: float, gradient: FloatArray, moments: FloatArray, w: FloatArray,
    step_size: FloatArray,
) -> None:  # fmt: skip
    real: Any = gradient.dtype.type
    rho, epsilon, fresh = real(parameters[0]), real(parameters[1]), real(1.0 - parameters[0])
    K, m = w.shape
    for c in range(K):
        for j in range(m):
            g = gradient[c, j]
            moments[0, c, j] = rho * moments[0, c, j] + fresh * g * g
            ratio = math.sqrt((moments[1, c, j] + epsilon) / (moments[0, c, j] + epsilon))
            step = ratio * g
            moments[1, c, j] = rho * moments[1, c, j] + fresh * step * step
            step_size[c, j] = eta * ratio
            w[c, j] -= eta * step


@compiled
def _adam_family(
    formula: int, parameters: FloatArray, t: int, eta: float, gradient: FloatArray,
    moments: FloatArray, w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    """Divide a mean by a size: four solvers in one loop, which compiles in the time of one."""
    real: Any = gradient.dtype.type
    beta_1, beta_2, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
    fresh_1, fresh_2 = real(1.0 - parameters[0]), real(1.0 - parameters[1])
    bias = real(1.0 - parameters[1] ** t)
    own, ahead = real(0.0), real(1.0 / (1.0 - parameters[0] ** t))
    if formula == NADAM:
        shares = _nesterov_shares(parameters[0], parameters[3], t)
        own, ahead = real(shares[0]), real(shares[1])
    K, m = w.shape
    for c in range(K):
        for j in range(m):
            g = gradient[c, j]
            moments[0, c, j] = beta_1 * moments[0, c, j] + fresh_1 * g
            if formula == ADAMAX:
                size = max(beta_2 * moments[1, c, j], abs(g) + epsilon)
                moments[1, c, j] = size
            else:
                mean_square = beta_2 * moments[1, c, j] + fresh_2 * g * g
                moments[1, c, j] = mean_square
                if formula == AMSGRAD:
                    mean_square = max(mean_square, moments[2, c, j])
                    moments[2, c, j] = mean_square
                size = math.sqrt(mean_square / bias) + epsilon
            step_size[c, j] = eta / size
            w[c, j] -= step_size[c, j] * (own * g + ahead * moments[0, c, j])
