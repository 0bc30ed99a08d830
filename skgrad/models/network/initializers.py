"""Initialisers: weights and biases before the first update."""

from abc import ABC, abstractmethod
from math import sqrt
from numbers import Real
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._parameters import Parameterized, unknown_name
from skgrad._typing import FloatArray

__all__ = [
    "INITIALIZERS",
    "NTK",
    "DataDriven",
    "Glorot",
    "He",
    "Initializer",
    "LeCun",
    "Orthogonal",
    "Zeros",
    "get_initializer",
]

Distribution: TypeAlias = Literal["uniform", "normal"]

# A unit whose pre-activation varies by less than this many units of rounding of its mean is
# constant on the data: what varies is rounding.
CONSTANT_UNIT = 100.0


class Initializer(Parameterized, ABC):
    """How the weights of a layer are drawn.

    Numbers are drawn in float64 whatever the dtype, so that a float32 network starts where the
    float64 one does, up to rounding.

    Attributes
    ----------
    name : str
        Name in `INITIALIZERS`.
    uses_data : bool
        Whether `rescale` is to be called with pre-activations of a batch, layer by layer.

    Notes
    -----
    The default of `biases`, which is zeros, and of `rescale` is meant to be replaced where an
    initialiser has something better.
    """

    name: ClassVar[str]
    uses_data: ClassVar[bool] = False

    @abstractmethod
    def weights(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        """Draw the weights of a layer.

        Parameters
        ----------
        n_out, n_in : int
            Numbers of units of the layer, and of its inputs.
        rng : numpy.random.Generator
        dtype : dtype
            float32 or float64.

        Returns
        -------
        ndarray of shape (n_out, n_in)
        """

    def biases(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        """Draw the biases of a layer, shape (n_out,); parameters as for `weights`."""
        return np.zeros(n_out, dtype)

    def rescale(self, weights: FloatArray, biases: FloatArray, pre_activation: FloatArray) -> None:
        """Fit a layer to data, in place; only called where `uses_data`.

        Parameters
        ----------
        weights : ndarray of shape (n_out, n_in)
        biases : ndarray of shape (n_out,)
        pre_activation : ndarray of shape (n_out, n_samples)
            Weights times the layer's inputs on a batch, without biases. Not modified.
        """
        raise NotImplementedError(f"{type(self).__name__} does not use data.")


class _VarianceScaling(Initializer):
    """Independent weights of mean 0 and a variance that depends on the layer's shape."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "distribution": [StrOptions({"uniform", "normal"})]
    }
    distribution: Distribution

    @abstractmethod
    def _variance(self, n_out: int, n_in: int) -> float:
        """Variance of a weight."""

    @final
    def weights(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        scale = sqrt(self._variance(n_out, n_in))
        if self.distribution == "normal":
            drawn = rng.normal(0.0, scale, size=(n_out, n_in))
        else:
            bound = sqrt(3.0) * scale
            drawn = rng.uniform(-bound, bound, size=(n_out, n_in))
        return drawn.astype(dtype, copy=False)


class Glorot(_VarianceScaling):
    r"""Weights that keep the size of signals forward and backward, for symmetric activations.

    .. math:: \mathrm{Var}(w) = \frac{2}{n_{in} + n_{out}}

    Parameters
    ----------
    distribution : {"uniform", "normal"}, default="uniform"
        The uniform one has the bounds :math:`\pm \sqrt{6 / (n_{in} + n_{out})}`.

    References
    ----------
    X. Glorot and Y. Bengio (2010). Understanding the difficulty of training deep feedforward
    neural networks. AISTATS, equation (16).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import Glorot
    >>> weights = Glorot().weights(200, 100, np.random.default_rng(0), np.float64)
    >>> weights.shape, bool(np.abs(weights).max() <= np.sqrt(6 / 300))
    ((200, 100), True)
    """

    name: ClassVar[str] = "glorot"

    def __init__(self, distribution: Distribution = "uniform") -> None:
        self.distribution = distribution

    def _variance(self, n_out: int, n_in: int) -> float:
        return 2.0 / (n_in + n_out)


class He(_VarianceScaling):
    r"""Weights that keep the size of signals through rectifiers, which pass half of them.

    .. math:: \mathrm{Var}(w) = \frac{2}{n_{in}}

    Parameters
    ----------
    distribution : {"uniform", "normal"}, default="normal"

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun (2015). Delving deep into rectifiers: surpassing
    human-level performance on ImageNet classification. ICCV, arXiv:1502.01852v1, equation (10).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import He
    >>> weights = He().weights(500, 200, np.random.default_rng(0), np.float64)
    >>> round(float(weights.var()), 3)
    0.01
    """

    name: ClassVar[str] = "he"

    def __init__(self, distribution: Distribution = "normal") -> None:
        self.distribution = distribution

    def _variance(self, n_out: int, n_in: int) -> float:
        return 2.0 / n_in


class LeCun(_VarianceScaling):
    r"""Weights that keep the variance of inputs, for SELU and linear layers.

    .. math:: \mathrm{Var}(w) = \frac{1}{n_{in}}

    Parameters
    ----------
    distribution : {"uniform", "normal"}, default="normal"

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller (1998). Efficient BackProp. Neural Networks:
    Tricks of the Trade, Springer, section 4.6.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import LeCun
    >>> weights = LeCun().weights(500, 200, np.random.default_rng(0), np.float64)
    >>> round(float(weights.var()), 3)
    0.005
    """

    name: ClassVar[str] = "lecun"

    def __init__(self, distribution: Distribution = "normal") -> None:
        self.distribution = distribution

    def _variance(self, n_out: int, n_in: int) -> float:
        return 1.0 / n_in


class NTK(_VarianceScaling):
    r"""Normal weights of variance 1 / n_in, and biases of variance 1.

    What layers have at the start in the neural tangent parametrisation; biases that differ spread
    the kinks of the units over the data.

    References
    ----------
    A. Jacot, F. Gabriel and C. Hongler (2018). Neural tangent kernel: convergence and
    generalization in neural networks. NeurIPS 2018, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network.initializers import NTK
    >>> biases = NTK().biases(1000, 5, np.random.default_rng(0), np.float64)
    >>> bool(abs(biases.var() - 1.0) < 0.1)
    True
    """

    name: ClassVar[str] = "ntk"

    def __init__(self, distribution: Distribution = "normal") -> None:
        self.distribution = distribution

    def _variance(self, n_out: int, n_in: int) -> float:
        return 1.0 / n_in

    def biases(
        self, n_out: int, n_in: int, rng: np.random.Generator, dtype: DTypeLike
    ) -> FloatArray:
        return rng.normal(size=n_out).astype(dtype, copy=False)


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


INITIALIZERS: dict[str, type[Initializer]] = {
    initializer.name: initializer
    for initializer in (Glorot, He, LeCun, NTK, Orthogonal, DataDriven, Zeros)
}


def get_initializer(initializer: str | Initializer) -> Initializer:
    """Turn a name into its initialiser; an initialiser object is checked and kept.

    Parameters
    ----------
    initializer : str or Initializer
        A key of `INITIALIZERS`, with its default parameters, or an object.

    Returns
    -------
    Initializer

    Raises
    ------
    ValueError
        If the name is unknown, with the known ones and the closest match, or a parameter is out of
        range.

    Examples
    --------
    >>> from skgrad.models.network.initializers import get_initializer
    >>> get_initializer("he")
    He()
    """
    if isinstance(initializer, Initializer):
        initializer.validate()
        return initializer
    if isinstance(initializer, str) and initializer in INITIALIZERS:
        return INITIALIZERS[initializer]()
    raise unknown_name("initializer", initializer, INITIALIZERS, "an Initializer object")
