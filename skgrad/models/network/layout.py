"""How a flat parameter vector holds the layers of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np

from skgrad._typing import FloatArray


class Role(Enum):
    """What a group of parameters does; penalties and weight decay apply to weights only."""

    INPUT_SCALE = "input scale"
    WEIGHTS = "weights"
    BIASES = "biases"
    GAIN = "gain"
    SHIFT = "shift"


class Group(NamedTuple):
    """Neighbouring parameters of one role in one layer; layers count from 0, the first hidden one.

    ``where`` is their place in the flat vector, ``shape`` that of their array.
    """

    role: Role
    layer: int
    where: slice
    shape: tuple[int, ...]

    def view(self, w: FloatArray) -> FloatArray:
        """View the group's part of a flat vector in its shape."""
        return w[self.where].reshape(self.shape)


class Layer(NamedTuple):
    """Parameters of an affine map and of the normalisation behind it.

    ``weights`` has shape (n_out, n_in); the others are columns of shape (n_out, 1), so that they
    broadcast with arrays that hold one sample per column. Gain and shift are None without
    normalisation.
    """

    weights: FloatArray
    biases: FloatArray
    gain: FloatArray | None
    shift: FloatArray | None


class Parameters(NamedTuple):
    """Views into a flat vector: layer by layer, and the scale of each input (None without)."""

    layers: tuple[Layer, ...]
    input_scale: FloatArray | None


@final
class Layout:
    """Places of all parameters in one flat vector.

    Parameters
    ----------
    sizes : sequence of int
        Number of inputs, of units of each hidden layer, and of outputs.
    normalized : bool
        Whether hidden layers have a gain and a shift per unit.
    input_scale : bool
        Whether each input has a scale that is learned.
    """

    def __init__(self, sizes: Sequence[int], *, normalized: bool, input_scale: bool) -> None:
        self.groups: list[Group] = []
        self.n_params = 0
        if input_scale:
            self._add(Role.INPUT_SCALE, 0, (sizes[0],))
        last = len(sizes) - 2
        for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
            self._add(Role.WEIGHTS, layer, (n_out, n_in))
            self._add(Role.BIASES, layer, (n_out, 1))
            if normalized and layer < last:
                self._add(Role.GAIN, layer, (n_out, 1))
                self._add(Role.SHIFT, layer, (n_out, 1))
        self._normalized, self._n_layers, self._scaled = normalized, last + 1, input_scale

    def _add(self, role: Role, layer: int, shape: tuple[int, ...]) -> None:
        start, self.n_params = self.n_params, self.n_params + int(np.prod(shape))
        self.groups.append(Group(role, layer, slice(start, self.n_params), shape))

    def of_role(self, role: Role) -> list[Group]:
        """List the groups of a role, layer by layer."""
        return [group for group in self.groups if group.role is role]

    def spread(self, factors: Mapping[Role, float], default: float) -> FloatArray:
        """Build a vector that holds one factor for all parameters of a role."""
        spread = np.full(self.n_params, default)
        for group in self.groups:
            spread[group.where] = factors.get(group.role, default)
        return spread

    def parameters(self, w: FloatArray) -> Parameters:
        """View w layer by layer."""
        views = iter([group.view(w) for group in self.groups])
        scale = next(views) if self._scaled else None
        layers = []
        for layer in range(self._n_layers):
            weights, biases = next(views), next(views)
            hidden = self._normalized and layer < self._n_layers - 1
            gain, shift = (next(views), next(views)) if hidden else (None, None)
            layers.append(Layer(weights, biases, gain, shift))
        return Parameters(tuple(layers), scale)
