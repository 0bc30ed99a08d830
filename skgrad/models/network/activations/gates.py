"""Gates: z times a smooth step of z."""

from math import pi, sqrt
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from skgrad._typing import FloatArray
from skgrad.models.network.activations._base import Activation, at_most, room
from skgrad.models.network.activations.sigmoids import sigmoid

# atanh(erf(z / sqrt 2)) / z as a polynomial in z^2, up to |z| = 5.8, where the tanh of it is 1 in
# float32: a minimax fit by reweighted least squares, off by 3e-8 in the distribution function, half
# a unit of rounding. float64 would need about twenty terms, and keeps scipy's ndtr.
NORMAL_TANH = (
    7.97884941e-01, 3.63330844e-02, -3.25947438e-05, -5.53063171e-05, 3.96477322e-06,
    -1.32266284e-07, 1.75627761e-09,
)  # fmt: skip
NORMAL_TANH_END = 5.8
# From u = exp(20) on tanh(log(1 + u)) is 1 in float64, and u^4 is finite in float32.
MISH_LINEAR = 20.0


class GELU(Activation):
    r"""Gaussian error linear unit, exact.

    .. math:: f(z) = z \Phi(z), \quad \Phi(z) = \tfrac{1}{2} (1 + \mathrm{erf}(z / \sqrt{2}))

    References
    ----------
    D. Hendrycks and K. Gimpel (2016). Gaussian error linear units (GELUs). arXiv:1606.08415v5,
    section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import GELU
    >>> z, a = np.array([[-1.0, 0.0, 1.0]]), np.empty((1, 3))
    >>> GELU().value(z, a)
    >>> a.round(4).tolist()
    [[-0.1587, 0.0, 0.8413]]
    """

    name: ClassVar[str] = "gelu"
    needs_input: ClassVar[bool] = True
    initializer: ClassVar[str] = "he"

    def value(self, z: FloatArray, out: FloatArray) -> None:
        probability = _normal_distribution(z, room(z, out))
        np.multiply(z, probability, out=out)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        # a / z is the distribution function, at a fraction of the time of computing it again.
        slope = np.full_like(z, 0.5)
        np.divide(a, z, out=slope, where=z != 0.0)
        density = _normal_density(z)
        density *= z
        slope += density
        return slope

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return _normal_density(z) * (2.0 - z * z)


class SiLU(Activation):
    r"""Sigmoid linear unit, also called swish.

    .. math:: f(z) = z \sigma(z), \quad f' = \sigma (1 + z - f), \quad
              \sigma(z) = \frac{1}{1 + e^{-z}}

    References
    ----------
    S. Elfwing, E. Uchibe and K. Doya (2018). Sigmoid-weighted linear units for neural network
    function approximation in reinforcement learning. Neural Networks 107; arXiv:1702.03118v3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import SiLU
    >>> z, a = np.array([[-1.0, 0.0, 1.0]]), np.empty((1, 3))
    >>> SiLU().value(z, a)
    >>> a.round(4).tolist()
    [[-0.2689, 0.0, 0.7311]]
    """

    name: ClassVar[str] = "silu"
    needs_input: ClassVar[bool] = True
    initializer: ClassVar[str] = "he"

    def value(self, z: FloatArray, out: FloatArray) -> None:
        gate = sigmoid(z, room(z, out))
        np.multiply(z, gate, out=out)

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        np.subtract(z, a, out=scratch)
        scratch += 1.0
        delta *= scratch
        delta *= sigmoid(z, scratch)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        return sigmoid(z, np.empty_like(z)) * (1.0 + (z - a))

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        gate = sigmoid(z, np.empty_like(z))
        return gate * (1.0 - gate) * (2.0 + z * (1.0 - 2.0 * gate))


class Mish(Activation):
    r"""Smooth gate by the hyperbolic tangent of a softplus.

    .. math:: f(z) = z \tanh(\log(1 + e^z)) = z \frac{q - 2}{q}, \quad
              q = u^2 + 2 u + 2, \quad u = e^z

    and the gate has derivatives :math:`4 u (1 + u) / q^2` and
    :math:`4 u (2 + 2 u - 3 u^2 - 2 u^3) / q^3`.

    References
    ----------
    D. Misra (2020). Mish: a self regularized non-monotonic activation function. BMVC,
    arXiv:1908.08681v3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.activations import Mish
    >>> z, a = np.array([[-1.0, 0.0, 1.0]]), np.empty((1, 3))
    >>> Mish().value(z, a)
    >>> a.round(4).tolist()
    [[-0.3034, 0.0, 0.8651]]
    """

    name: ClassVar[str] = "mish"
    needs_input: ClassVar[bool] = True
    initializer: ClassVar[str] = "he"

    def value(self, z: FloatArray, out: FloatArray) -> None:
        u = _bounded_exp(z)
        u *= u + 2.0
        u /= u + 2.0
        np.multiply(z, u, out=out)

    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        u = _bounded_exp(z)
        w = u + 2.0
        w *= u
        # (w + 4 z u (1 + u) / q) / q, with q = w + 2.
        slope = u + 1.0
        slope *= u
        slope *= z
        slope *= 4.0
        q = np.add(w, 2.0, out=u)
        slope /= q
        slope += w
        slope /= q
        return slope

    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        u = _bounded_exp(z)
        # Products of ratios, because q^3 is beyond the range of float32.
        q = u * (u + 2.0) + 2.0
        ratio = u / q
        slope = 4.0 * ratio * ((1.0 + u) / q)
        bend = 4.0 * ratio * ((2.0 + 2.0 * u) / q / q - ratio * ratio * (3.0 + 2.0 * u))
        return 2.0 * slope + z * bend


def _bounded_exp(z: FloatArray) -> FloatArray:
    u = at_most(z, MISH_LINEAR, np.empty_like(z))
    return np.exp(u, out=u)


def _normal_distribution(z: FloatArray, out: FloatArray) -> FloatArray:
    """Write the standard normal distribution function into `out` and return it."""
    if z.dtype != np.float32:
        return ndtr(z, out=out)
    square = z * z
    at_most(square, NORMAL_TANH_END**2, square)
    np.multiply(square, NORMAL_TANH[-1], out=out)
    for coefficient in NORMAL_TANH[-2:0:-1]:
        out += coefficient
        out *= square
    out += NORMAL_TANH[0]
    out *= z
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5
    return out


def _normal_density(z: FloatArray) -> FloatArray:
    density = z * z
    density *= -0.5
    np.exp(density, out=density)
    density *= 1.0 / sqrt(2.0 * pi)
    return density
