"""Rectifiers: about 0, or a small negative number, on the left, about z on the right."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.models.network.activations._base import (
    Activation,
    at_least,
    at_most,
    is_positive,
    room,
)

# With these a standard normal input has an output of mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772848
SELU_SCALE = 1.0507009873554804934
# From here on log(1 + exp(z)) is z in float64, and exp(z) is finite in float32.
SOFTPLUS_LINEAR = 80.0


class ReLU(Activation):
    r"""Rectified linear unit.

    .. math:: f(z) = \max(z, 0)

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import ReLU
    >>> a = np.array([[-1.0, 0.0, 2.0]])
    >>> ReLU().value(a, a)
    >>> a.tolist(), ReLU().derivative(a, a).tolist()
    ([[0.0, 0.0, 2.0]], [[0.0, 0.0, 1.0]])
    """

    name: ClassVar[str] = "relu"
    needs_input: ClassVar[bool] = False
    initializer: ClassVar[str] = "he"

    @property
    def leak(self) -> float:
        return 0.0

    def value(self, z: FloatArray, out: FloatArray) -> None:
        at_least(z, 0.0, out)

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        # Assigning zeros through a mask (boolean indexing, copyto, putmask) branches on every
        # entry: 20 times as slow as the product.
        np.multiply(delta, is_positive(a, scratch), out=delta)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return (a > 0.0).astype(a.dtype)

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.zeros_like(a)


class LeakyReLU(Activation):
    r"""Rectified linear unit with a small slope on the left.

    .. math:: f(z) = \max(z, slope \cdot z)

    Parameters
    ----------
    slope : float, default=0.01
        Slope for negative z, in [0, 1].

    References
    ----------
    A. L. Maas, A. Y. Hannun and A. Y. Ng (2013). Rectifier nonlinearities improve neural network
    acoustic models. ICML Workshop on Deep Learning for Audio, Speech and Language Processing.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import LeakyReLU
    >>> a = np.array([[-1.0, 0.0, 2.0]])
    >>> LeakyReLU(slope=0.25).value(a, a)
    >>> a.tolist()
    [[-0.25, 0.0, 2.0]]
    """

    name: ClassVar[str] = "leaky_relu"
    needs_input: ClassVar[bool] = False
    initializer: ClassVar[str] = "he"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "slope": [Interval(Real, 0, 1, closed="both")]
    }

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    @property
    def leak(self) -> float:
        return float(self.slope)

    def value(self, z: FloatArray, out: FloatArray) -> None:
        scaled = np.multiply(z, float(self.slope), out=room(z, out))
        np.maximum(z, scaled, out=out)

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        slope = float(self.slope)
        np.multiply(a > 0.0, 1.0 - slope, out=scratch, dtype=scratch.dtype)
        scratch += slope
        delta *= scratch

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.where(a > 0.0, 1.0, float(self.slope)).astype(a.dtype)

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.zeros_like(a)


class ELU(Activation):
    r"""Exponential linear unit.

    .. math:: f(z) = z \text{ for } z > 0, \quad \alpha (e^z - 1) \text{ otherwise}

    Parameters
    ----------
    alpha : float, default=1.0
        Minus the limit on the left, positive. The derivative is continuous if it is 1.

    References
    ----------
    D.-A. Clevert, T. Unterthiner and S. Hochreiter (2016). Fast and accurate deep network learning
    by exponential linear units (ELUs). ICLR, arXiv:1511.07289v5, equation (15).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import ELU
    >>> a = np.array([[-1e3, 0.0, 2.0]])
    >>> ELU(alpha=0.5).value(a, a)
    >>> a.tolist()
    [[-0.5, 0.0, 2.0]]
    """

    name: ClassVar[str] = "elu"
    needs_input: ClassVar[bool] = False
    initializer: ClassVar[str] = "he"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, z: FloatArray, out: FloatArray) -> None:
        _exponential_linear(z, out, 1.0, float(self.alpha))

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        delta *= _exponential_linear_slope(a, scratch, 1.0, float(self.alpha))

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return _exponential_linear_slope(a, np.empty_like(a), 1.0, float(self.alpha))

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.where(a > 0.0, 0.0, a + float(self.alpha))


class SELU(Activation):
    r"""Scaled exponential linear unit, which drives layers to mean 0 and variance 1.

    .. math:: f(z) = \lambda z \text{ for } z > 0, \quad \lambda \alpha (e^z - 1)
              \text{ otherwise}

    with :math:`\lambda = 1.0507` and :math:`\alpha = 1.6733`, for independent weights of variance
    1 / n_inputs.

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr and S. Hochreiter (2017). Self-normalizing neural
    networks. NeurIPS, arXiv:1706.02515v5, equation (2).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import SELU
    >>> a = np.array([[-1e3, 0.0, 2.0]])
    >>> SELU().value(a, a)
    >>> a.round(4).tolist()
    [[-1.7581, 0.0, 2.1014]]
    """

    name: ClassVar[str] = "selu"
    needs_input: ClassVar[bool] = False
    initializer: ClassVar[str] = "lecun"

    def value(self, z: FloatArray, out: FloatArray) -> None:
        _exponential_linear(z, out, SELU_SCALE, SELU_SCALE * SELU_ALPHA)

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        delta *= _exponential_linear_slope(a, scratch, SELU_SCALE, SELU_SCALE * SELU_ALPHA)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return _exponential_linear_slope(a, np.empty_like(a), SELU_SCALE, SELU_SCALE * SELU_ALPHA)

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return np.where(a > 0.0, 0.0, a + SELU_SCALE * SELU_ALPHA)


class Softplus(Activation):
    r"""A smooth rectifier, whose derivative is the logistic function.

    .. math:: f(z) = \log(1 + e^z), \quad f' = 1 - e^{-f}

    References
    ----------
    C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau and R. Garcia (2001). Incorporating second-order
    functional knowledge for better option pricing. NeurIPS 13.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import Softplus
    >>> a = np.array([[-1e3, 0.0, 1e3]])
    >>> Softplus().value(a, a)
    >>> a.round(4).tolist()
    [[0.0, 0.6931, 1000.0]]
    """

    name: ClassVar[str] = "softplus"
    needs_input: ClassVar[bool] = False
    initializer: ClassVar[str] = "he"

    def value(self, z: FloatArray, out: FloatArray) -> None:
        # NumPy's logaddexp is not vectorised: 20 times as slow.
        bent = at_most(z, SOFTPLUS_LINEAR, np.empty_like(z))
        np.exp(bent, out=bent)
        np.log1p(bent, out=bent)
        np.maximum(z, bent, out=out)

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        np.negative(a, out=scratch)
        np.expm1(scratch, out=scratch)
        delta *= scratch
        np.negative(delta, out=delta)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return -np.expm1(-a)

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return -np.expm1(-a) * np.exp(-a)


def _exponential_linear(z: FloatArray, out: FloatArray, slope: float, depth: float) -> None:
    """Write slope max(z, 0) + depth expm1(min(z, 0))."""
    left = at_most(z, 0.0, np.empty_like(z))
    np.expm1(left, out=left)
    left *= depth
    at_least(z, 0.0, out)
    if slope != 1.0:
        out *= slope
    out += left


def _exponential_linear_slope(
    a: FloatArray, out: FloatArray, slope: float, depth: float
) -> FloatArray:
    """Write slope where a > 0 and a + depth elsewhere, without branches, and return it."""
    at_most(a, 0.0, out)
    out += depth
    if slope != depth:
        out += np.multiply(a > 0.0, slope - depth, dtype=a.dtype)
    return out
