"""Buffers that forward and backward passes fill, allocated once per size of batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skgrad._typing import FloatArray, Matrix
from skgrad.models.network.normalization import Moments


class Shape(NamedTuple):
    """What decides on a hidden layer's buffers: see the facts of the same names in `Network`."""

    n_units: int
    needs_input: bool
    dropout: bool
    adds_input: bool
    normalized: bool


class HiddenBuffers:
    """Buffers of a hidden layer, all of shape (n_units, n_rows).

    ``z`` pre-activations, ``active`` their activations, ``out`` what the next layer gets, ``delta``
    gradients. Buffers coincide where nothing is lost by it: ``active`` overwrites ``z`` if the
    activation's derivative can do without, and ``out`` is ``active`` without dropout and residual
    connection.
    """

    def __init__(self, layer: Shape, n_rows: int, dtype: Any) -> None:
        shape = layer.n_units, n_rows
        self.z = np.empty(shape, dtype)
        self.active = np.empty(shape, dtype) if layer.needs_input else self.z
        changed = layer.dropout or layer.adds_input
        self.out = np.empty(shape, dtype) if changed else self.active
        self.delta = np.empty(shape, dtype)
        self.scratch = np.empty(shape, dtype)
        self.mask = np.empty(shape if layer.dropout else 0, dtype)
        self.skipped = np.empty(shape if layer.adds_input else 0, dtype)
        self.normalized = np.empty(shape if layer.normalized else 0, dtype)
        self.deviation = np.empty(0, dtype)
        self.moments: Moments | None = None
        # Whether the last forward pass left units out, and took its moments from elsewhere.
        self.dropped = self.is_fixed = False

    def draw_mask(self, rng: np.random.Generator, dropout: float) -> None:
        """Draw the units to keep, and scale them so that sums keep their expectation."""
        rng.random(out=self.scratch, dtype=self.scratch.dtype)
        np.greater_equal(self.scratch, dropout, out=self.mask)
        self.mask *= 1.0 / (1.0 - dropout)


class Workspace:
    """Buffers for batches of one size.

    Parameters
    ----------
    layers : list of Shape
        The hidden layers.
    n_outputs : int
        Units of the last layer.
    n_rows : int
        Rows of a batch.
    dtype : numpy dtype
        float32 or float64.
    """

    def __init__(self, layers: list[Shape], n_outputs: int, n_rows: int, dtype: Any) -> None:
        self.hidden = [HiddenBuffers(layer, n_rows, dtype) for layer in layers]
        self.raw = np.empty((n_outputs, n_rows), dtype)
        self.slopes = np.empty((n_outputs, n_rows), dtype)
        self.ones = np.ones((n_rows, 1), dtype)
        # The batch, and the first layer's weights, of the last forward pass.
        self.X: Matrix = np.empty((0, 0), dtype)
        self.weights: FloatArray = np.empty((0, 0), dtype)
