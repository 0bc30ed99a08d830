"""Updates of Adadelta and of Adam's relatives, coordinate by coordinate and in place."""

from __future__ import annotations

import math
from typing import Any

from skgrad._kernels._compile import compiled
from skgrad._kernels.formulas import nesterov_shares
from skgrad._typing import FloatArray

_nesterov_shares = compiled(nesterov_shares)


@compiled
def adadelta(
    parameters: FloatArray, eta: float, gradient: FloatArray, moments: FloatArray, w: FloatArray,
    step_size: FloatArray,
) -> None:  # fmt: skip
    """Scale gradients to the size of earlier steps."""
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
def adamax(
    parameters: FloatArray, t: int, eta: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    """Divide the mean by the decaying maximum."""
    real: Any = gradient.dtype.type
    beta_1, beta_2, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
    fresh, bias = real(1.0 - parameters[0]), real(1.0 - parameters[0] ** t)
    K, m = w.shape
    for c in range(K):
        for j in range(m):
            g = gradient[c, j]
            moments[0, c, j] = beta_1 * moments[0, c, j] + fresh * g
            moments[1, c, j] = max(beta_2 * moments[1, c, j], abs(g) + epsilon)
            step_size[c, j] = eta / moments[1, c, j]
            w[c, j] -= step_size[c, j] / bias * moments[0, c, j]


@compiled
def amsgrad(
    parameters: FloatArray, t: int, eta: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    """Divide the mean by the largest root mean square."""
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
            moments[2, c, j] = max(moments[2, c, j], moments[1, c, j])
            step_size[c, j] = eta / (math.sqrt(moments[2, c, j] / bias_2) + epsilon)
            w[c, j] -= step_size[c, j] / bias_1 * moments[0, c, j]


@compiled
def nadam(
    parameters: FloatArray, t: int, eta: float, gradient: FloatArray, moments: FloatArray,
    w: FloatArray, step_size: FloatArray,
) -> None:  # fmt: skip
    """Divide the gradient and the mean ahead of it by the root mean square."""
    real: Any = gradient.dtype.type
    beta_1, beta_2, epsilon = real(parameters[0]), real(parameters[1]), real(parameters[2])
    fresh_1, fresh_2 = real(1.0 - parameters[0]), real(1.0 - parameters[1])
    bias, shares = real(1.0 - parameters[1] ** t), _nesterov_shares(parameters[0], parameters[3], t)
    own, ahead = real(shares[0]), real(shares[1])
    K, m = w.shape
    for c in range(K):
        for j in range(m):
            g = gradient[c, j]
            moments[0, c, j] = beta_1 * moments[0, c, j] + fresh_1 * g
            moments[1, c, j] = beta_2 * moments[1, c, j] + fresh_2 * g * g
            step_size[c, j] = eta / (math.sqrt(moments[1, c, j] / bias) + epsilon)
            w[c, j] -= step_size[c, j] * (own * g + ahead * moments[0, c, j])
