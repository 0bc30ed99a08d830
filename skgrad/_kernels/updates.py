"""What the gradient of a mini-batch does to parameters: the solvers' formulas, coordinate-wise."""

from __future__ import annotations

import math

from skgrad._kernels._compile import compiled
from skgrad._kernels.formulas import UpdateFormula
from skgrad._typing import FloatArray

SGD = int(UpdateFormula.SGD)
ADAGRAD = int(UpdateFormula.ADAGRAD)
RMSPROP = int(UpdateFormula.RMSPROP)


@compiled
def advance(
    formula: int, parameters: FloatArray, t: int, rate: float, gradient: FloatArray,
    moments: FloatArray, w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    """Move w, update the moments and note the step sizes of adaptive methods, all in place.

    Scalars are rounded to the arrays' dtype as late as in the solvers' own `update`: 1 - beta of a
    rounded beta would be wrong in the fifth digit.
    """
    real = gradient.dtype.type
    if formula == SGD:
        _sgd(real(parameters[0]), parameters[1] > 0.0, real(rate), gradient, moments, w)
    elif formula == ADAGRAD:
        eta, epsilon = real(rate), real(parameters[0])
        for j in range(len(w)):
            moments[0, j] += gradient[j] * gradient[j]
            step_size[j] = eta / (math.sqrt(moments[0, j]) + epsilon)
            w[j] -= step_size[j] * gradient[j]
    elif formula == RMSPROP:
        rho, momentum, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
        fresh, correction = real(1.0 - parameters[0]), real(1.0 - parameters[0] ** t)
        eta = real(rate)
        for j in range(len(w)):
            moments[0, j] = rho * moments[0, j] + fresh * gradient[j] * gradient[j]
            step_size[j] = eta / (math.sqrt(moments[0, j] / correction) + epsilon)
            moments[1, j] = momentum * moments[1, j] - step_size[j] * gradient[j]
            w[j] += moments[1, j]
    else:
        _adam(parameters, t, rate, gradient, moments, w, step_size)


@compiled
def _sgd(
    momentum: float, nesterov: bool, rate: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray,
) -> None:  # fmt: skip
    if len(moments) == 0:
        for j in range(len(w)):
            w[j] -= rate * gradient[j]
        return
    for j in range(len(w)):
        moments[0, j] = momentum * moments[0, j] - rate * gradient[j]
        if nesterov:
            w[j] += momentum * moments[0, j] - rate * gradient[j]
        else:
            w[j] += moments[0, j]


@compiled
def _adam(
    parameters: FloatArray, t: int, rate: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    real = gradient.dtype.type
    beta_1, beta_2, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
    fresh_1, fresh_2 = real(1.0 - parameters[0]), real(1.0 - parameters[1])
    bias_1, bias_2 = real(1.0 - parameters[0] ** t), real(1.0 - parameters[1] ** t)
    eta = real(rate)
    for j in range(len(w)):
        moments[0, j] = beta_1 * moments[0, j] + fresh_1 * gradient[j]
        moments[1, j] = beta_2 * moments[1, j] + fresh_2 * gradient[j] * gradient[j]
        step_size[j] = eta / (math.sqrt(moments[1, j] / bias_2) + epsilon)
        w[j] -= step_size[j] / bias_1 * moments[0, j]
