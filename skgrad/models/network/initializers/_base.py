"""The contract of an initialiser."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from skgrad._parameters import Parameterized
from skgrad._typing import FloatArray


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
