"""What the gradient of a mini-batch does to parameters: the solvers' formulas, coordinate-wise."""

from __future__ import annotations

import math
from typing import Any

from skgrad._kernels._compile import compiled
from skgrad._kernels.adaptive_updates import adadelta, adamax, amsgrad, nadam
from skgrad._kernels.formulas import UpdateFormula
from skgrad._typing import FloatArray

SGD = int(UpdateFormula.SGD)
ADAGRAD = int(UpdateFormula.ADAGRAD)
RMSPROP = int(UpdateFormula.RMSPROP)
ADADELTA = int(UpdateFormula.ADADELTA)
ADAMAX = int(UpdateFormula.ADAMAX)
AMSGRAD = int(UpdateFormula.AMSGRAD)
NADAM = int(UpdateFormula.NADAM)


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
        adadelta(parameters, eta, gradient, moments, w, step_size)
    elif formula == ADAMAX:
        adamax(parameters, t, eta, gradient, moments, w, step_size)
    elif formula == AMSGRAD:
        amsgrad(parameters, t, eta, gradient, moments, w, step_size)
    elif formula == NADAM:
        nadam(parameters, t, eta, gradient, moments, w, step_size)
    else:
        _adam(parameters, t, eta, gradient, moments, w, step_size)


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
def _adam(
    parameters: FloatArray, t: int, eta: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    real: Any = gradient.dtype.type
    beta_1, beta_2, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
    fresh_1, fresh_2 = real(1.0 - parameters[0]), real(1.0 - parameters[1])
    bias_1, bias_2 = real(1.0 - parameters[0] ** t), real(1.0 - parameters[1] ** t)
    K, m = w.shape
    for c in range(K):
        for j in range(m):
            g = gradient[c, j]
            moments[0, c, j] = beta_1 * moments[0, c, j] + fresh_1 * g
            moments[1, c, j] = beta_2 * moments[1, c, j] + fresh_2 * g * g
            step_size[c, j] = eta / (math.sqrt(moments[1, c, j] / bias_2) + epsilon)
            w[c, j] -= step_size[c, j] / bias_1 * moments[0, c, j]
