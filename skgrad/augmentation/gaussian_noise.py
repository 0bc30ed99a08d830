"""Gaussian noise."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, InvalidParameterError

from skgrad._typing import Array, FloatArray
from skgrad.augmentation._base import Augmentation


class GaussianNoise(Augmentation):
    r"""Independent normal noise on every entry.

    .. math:: x_{ij} \leftarrow x_{ij} + \sigma_j \varepsilon_{ij}, \quad
              \varepsilon_{ij} \sim N(0, 1)

    For small noise and squared error it acts as a penalty on the gradient of the prediction with
    respect to the inputs.

    Parameters
    ----------
    scale : float or array-like of shape (n_features,), default=0.1
        A number is a share of each column's standard deviation; an array holds
        :math:`\sigma_j` itself, in the columns' own units (0 for columns that are to be left
        alone, such as indicators).

    References
    ----------
    C. M. Bishop (1995). Training with noise is equivalent to Tikhonov regularization. Neural
    Computation 7(1), 108-116.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.augmentation import GaussianNoise
    >>> X, y = np.zeros((1000, 2)), np.zeros(1000)
    >>> scale = np.array([1.0, 10.0])
    >>> noisy, _ = GaussianNoise(0.1).apply(X, y, np.random.default_rng(0), scale)
    >>> noisy.std(axis=0).round(1).tolist()
    [0.1, 1.0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "scale": [Interval(Real, 0, None, closed="left"), "array-like"]
    }

    def __init__(self, scale: float | ArrayLike = 0.1) -> None:
        self.scale = scale

    def _check_values(self) -> None:
        if np.min(self.scale) < 0.0:
            raise InvalidParameterError(
                "The 'scale' parameter of GaussianNoise must not hold negative numbers. Got "
                f"{self.scale!r} instead."
            )

    def apply(
        self, X: FloatArray, y: Array, rng: np.random.Generator, scale: FloatArray
    ) -> tuple[FloatArray, Array]:
        deviation = np.asarray(self.scale, dtype=X.dtype)
        if deviation.ndim == 0:
            deviation = (deviation * scale).astype(X.dtype, copy=False)
        elif deviation.shape != (X.shape[1],):
            raise ValueError(
                f"GaussianNoise has a scale of shape {deviation.shape}, but X has {X.shape[1]} "
                "columns. Give one standard deviation per column, or a number."
            )
        noise = rng.standard_normal(X.shape, dtype=X.dtype.type)
        noise *= deviation
        X += noise
        return X, y
