"""Weights whose variance depends on the numbers of inputs and outputs."""

from abc import abstractmethod
from math import sqrt
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils._param_validation import StrOptions

from skgrad._typing import FloatArray
from skgrad.models.network.initializers._base import Initializer

Distribution: TypeAlias = Literal["uniform", "normal"]


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
