"""The contract of an activation."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from skgrad._parameters import Parameterized
from skgrad._typing import Array, FloatArray


class Activation(Parameterized, ABC):
    """Scalar function that a layer applies to its pre-activations, a = f(z).

    Arrays have shape (n_units, n_samples) and hold float32 or float64, alike in all arguments;
    results keep that dtype. Values neither overflow nor lose their limits at large ``|z|``.

    Attributes
    ----------
    name : str
        Name in `ACTIVATIONS`.
    needs_input : bool
        Whether derivatives need the pre-activation z. If not, they are functions of the
        activation a alone, z may have been overwritten by it, and is never read.
    initializer : {"he", "glorot", "lecun"}
        Name of the initialiser that keeps the size of signals from layer to layer.

    Notes
    -----
    The default of `pull_back` is meant to be replaced where the derivative can be computed in the
    buffer that is passed, that of `leak` where the function is one that compiled loops know.
    """

    name: ClassVar[str]
    needs_input: ClassVar[bool]
    initializer: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        """Forget an inherited `leak` where the value or the derivative is another one."""
        super().__init_subclass__(**options)
        own = vars(cls)
        if "leak" not in own and not own.keys().isdisjoint(("value", "pull_back", "derivative")):
            cls.leak = Activation.leak  # type: ignore[method-assign]

    @property
    def leak(self) -> float | None:
        """Slope at z < 0 of a function that is z at z > 0; None if it is not of that kind."""
        return None

    @abstractmethod
    def value(self, z: FloatArray, out: FloatArray) -> None:
        """Write f(z) into `out`, which may be z, but must not overlap it otherwise."""

    def pull_back(
        self, z: FloatArray, a: FloatArray, delta: FloatArray, scratch: FloatArray
    ) -> None:
        """Multiply `delta` by f'(z), in place.

        Parameters
        ----------
        z, a : ndarray of shape (n_units, n_samples)
            Pre-activation and activation; z may be a itself unless `needs_input`. Not modified.
        delta : ndarray of shape (n_units, n_samples)
            Derivatives with respect to a, on return with respect to z.
        scratch : C-contiguous ndarray of shape (n_units, n_samples)
            Buffer that is free to be overwritten.
        """
        np.multiply(delta, self.derivative(z, a), out=delta)

    @abstractmethod
    def derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        """Compute f'(z) as a new array; at a kink the derivative from the left."""

    @abstractmethod
    def second_derivative(self, z: FloatArray, a: FloatArray) -> FloatArray:
        """Compute f''(z), almost everywhere, as a new array."""


def room(z: FloatArray, out: FloatArray) -> FloatArray:
    """Choose where to put a factor of z: `out`, unless that is z's own memory."""
    return np.empty_like(z) if np.may_share_memory(z, out) else out


def at_least(z: FloatArray, limit: float, out: FloatArray) -> FloatArray:
    """Write max(z, limit) into `out`, which may be z, and return it."""
    # NumPy's maximum runs at a third of its speed if an operand is a scalar (float32: 19 against
    # 7 microseconds for 64 x 1024); a row of them keeps it vectorised.
    return np.maximum(z, np.full(z.shape[-1:], limit, z.dtype), out=out)


def at_most(z: FloatArray, limit: float, out: FloatArray) -> FloatArray:
    """Write min(z, limit) into `out`, which may be z, and return it."""
    return np.minimum(z, np.full(z.shape[-1:], limit, z.dtype), out=out)


def is_positive(a: FloatArray, buffer: FloatArray) -> Array:
    """Evaluate a > 0 into the first bytes of a C-contiguous buffer of a's shape and dtype."""
    mask = buffer.reshape(-1).view(np.bool_)[: a.size].reshape(a.shape)
    return np.greater(a, 0.0, out=mask)
