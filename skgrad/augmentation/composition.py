"""Augmentations made of functions and of other augmentations."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.augmentation._base import Augmentation

Function: TypeAlias = Callable[[FloatArray, Array, np.random.Generator], tuple[FloatArray, Array]]


class FunctionAugmentation(Augmentation):
    """A function of a batch as an augmentation.

    Parameters
    ----------
    function : callable
        ``function(X, y, rng)`` returns a pair (X, y) of the same shapes; it may change X in place.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.augmentation import FunctionAugmentation
    >>> def shift(X, y, rng):
    ...     return X + rng.normal(), y
    >>> X, y = np.array([[1.0], [2.0]]), np.zeros(2)
    >>> X, y = FunctionAugmentation(shift).apply(X, y, np.random.default_rng(0), np.ones(1))
    >>> float(X[1, 0] - X[0, 0])
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"function": [callable]}

    def __init__(self, function: Function) -> None:
        self.function = function

    def apply(
        self, X: FloatArray, y: Array, rng: np.random.Generator, scale: FloatArray
    ) -> tuple[FloatArray, Array]:
        shapes = X.shape, y.shape
        new_X, new_y = self.function(X, y, rng)
        if (np.shape(new_X), np.shape(new_y)) != shapes:
            raise ValueError(
                f"{self.function!r} turned X and y of shapes {shapes[0]} and {shapes[1]} into "
                f"{np.shape(new_X)} and {np.shape(new_y)}; an augmentation keeps shapes."
            )
        return np.asarray(new_X, dtype=X.dtype), np.asarray(new_y, dtype=y.dtype)


class Chain(Augmentation):
    """Several augmentations, one after the other.

    Parameters
    ----------
    steps : sequence of Augmentation

    Examples
    --------
    >>> from skgrad.augmentation import Chain, GaussianNoise, Mixup
    >>> Chain([GaussianNoise(), Mixup()]).mixes_targets
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"steps": [list, tuple]}

    def __init__(self, steps: Sequence[Augmentation] = ()) -> None:
        self.steps = steps

    @property
    def mixes_targets(self) -> bool:  # type: ignore[override]
        """Whether one of the steps does."""
        return any(step.mixes_targets for step in self.steps)

    def apply(
        self, X: FloatArray, y: Array, rng: np.random.Generator, scale: FloatArray
    ) -> tuple[FloatArray, Array]:
        for step in self.steps:
            X, y = step.apply(X, y, rng, scale)
        return X, y
