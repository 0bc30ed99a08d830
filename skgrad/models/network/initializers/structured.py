"""Weights with a structure: zero, orthogonal, or fitted to data."""

from math import sqrt
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.models.network.initializers._base import Initializer

# A unit whose pre-activation varies by less than this many units of rounding of its mean is
# constant on the data: what varies is rounding.
CONSTANT_UNIT = 100.0


class Zeros(Initializer):
    """Weights of zero, for the last layer: training then starts at the best constant prediction.

    In a hidden layer all units would stay alike.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import Zeros
    >>> Zeros().weights(1, 2, np.random.default_rng(0), np.float64).tolist()
    [[0.0, 0.0]]
    """

    name: ClassVar[str] = "zeros"

    def weights(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        return np.zeros((n_out, n_in), dtype)


class Orthogonal(Initializer):
    r"""A random orthogonal matrix, times a gain.

    .. math:: W' W = gain^2 I \text{ if } n_{out} \ge n_{in}, \quad W W' = gain^2 I
              \text{ otherwise}

    Parameters
    ----------
    gain : float, default=1.0
        Size of all singular values, positive; :math:`\sqrt{2}` suits rectifiers.

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli (2014). Exact solutions to the nonlinear dynamics
    of learning in deep linear neural networks. ICLR, arXiv:1312.6120v3.

    F. Mezzadri (2007). How to generate random matrices from the classical compact groups. Notices
    of the AMS 54(5), section 5 (the signs).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import Orthogonal
    >>> W = Orthogonal(gain=2.0).weights(2, 5, np.random.default_rng(0), np.float64)
    >>> np.abs(W @ W.T).round(9).tolist()
    [[4.0, 0.0], [0.0, 4.0]]
    """

    name: ClassVar[str] = "orthogonal"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "gain": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def weights(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        basis, triangle = np.linalg.qr(rng.normal(size=(max(n_out, n_in), min(n_out, n_in))))
        # Without the signs the distribution is not uniform: it depends on how QR is computed.
        basis *= float(self.gain) * np.copysign(1.0, np.diag(triangle))
        oriented = basis if n_out >= n_in else basis.T
        return np.ascontiguousarray(oriented, dtype=dtype)


class DataDriven(Initializer):
    r"""Normal weights, scaled so that on data every pre-activation has mean 0 and variance 1.

    .. math:: w \leftarrow w / s, \quad b \leftarrow -m / s

    with m and s the mean and the standard deviation of a unit's pre-activation :math:`w' x` over
    a batch. The network calls `rescale` layer by layer, from the first to the last, because what a
    layer gets depends on those before it. Columns on unlike scales, or correlated, do no harm
    then. A unit that is constant on the batch keeps its weights, and its bias makes it 0.

    References
    ----------
    P. Krähenbühl, C. Doersch, J. Donahue and T. Darrell (2016). Data-dependent initializations of
    convolutional neural networks. ICLR, arXiv:1511.06856v3, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import DataDriven
    >>> initializer, rng = DataDriven(), np.random.default_rng(0)
    >>> inputs = 5.0 + 100.0 * rng.normal(size=(3, 50))
    >>> W = initializer.weights(2, 3, rng, np.float64)
    >>> b = initializer.biases(2, 3, rng, np.float64)
    >>> initializer.rescale(W, b, W @ inputs)
    >>> z = W @ inputs + b[:, None]
    >>> np.abs(z.mean(axis=1)).round(9).tolist(), z.std(axis=1).round(9).tolist()
    ([0.0, 0.0], [1.0, 1.0])
    """

    name: ClassVar[str] = "data_driven"
    uses_data: ClassVar[bool] = True

    def weights(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        drawn = rng.normal(0.0, sqrt(1.0 / n_in), size=(n_out, n_in))
        return drawn.astype(dtype, copy=False)

    def rescale(self, weights: FloatArray, biases: FloatArray, pre_activation: FloatArray) -> None:
        mean = pre_activation.mean(axis=1, dtype=np.float64)
        deviation = pre_activation.std(axis=1, dtype=np.float64)
        rounding = CONSTANT_UNIT * float(np.finfo(pre_activation.dtype).eps)
        deviation[deviation <= rounding * np.abs(mean)] = 1.0
        weights /= deviation[:, None].astype(weights.dtype)
        biases[:] = -mean / deviation
