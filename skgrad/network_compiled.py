"""Passes over a batch of a network in one compiled call each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skgrad._kernels.formulas import CompiledLoss
from skgrad._typing import FloatArray
from skgrad.losses import Loss
from skgrad.models.network import Network
from skgrad.network_batch import NetworkBatch


class Room(NamedTuple):
    """What a loop works in: see `skgrad._kernels.network.value_and_gradient`."""

    outputs: FloatArray
    deltas: FloatArray
    row: FloatArray


class CompiledPasses:
    """Forward and backward passes without the interpreter's lock.

    NumPy takes it some thirty times a batch: two threads with half of a batch each then wait for
    each other more than they gain.

    Parameters
    ----------
    network : Network
        Of rectifiers, without anything else.
    loss : CompiledLoss
        Per-row loss.
    share : float
        Weight of a row where batches hold none.
    dtype : numpy dtype
        Of the arithmetic.
    """

    def __init__(self, network: Network, loss: CompiledLoss, share: float, dtype: Any) -> None:
        self.loss, self.share, self.dtype = loss, share, dtype
        self.sizes = np.array(network.sizes)
        self.leaks = np.array([*(one.leak for one in network.activations), 1.0], dtype)
        self._rooms: dict[tuple[int, int], Room] = {}

    def walk(
        self, w: FloatArray, batch: NetworkBatch, which: int, factor: float, gradient: FloatArray
    ) -> float:
        """Write factor times the gradient, and return factor times the batch's part of the loss.

        Calls at the same time take different numbers ``which``.
        """
        from skgrad._kernels.network import value_and_gradient

        value: float = value_and_gradient(
            self.sizes, self.leaks, w, np.ascontiguousarray(batch.X), self._losses(batch),
            factor, *self._room(batch.X.shape[0], which), gradient,
        )  # fmt: skip
        return value

    def _losses(self, batch: NetworkBatch) -> Any:
        """Collect what `skgrad._kernels.arguments.Losses` names, without the names."""
        y = np.ascontiguousarray(batch.y.reshape(len(batch.y), -1), self.dtype)
        weight = np.empty((0, 0), self.dtype) if batch.weight is None else batch.weight
        formula, parameter = int(self.loss.formula), float(self.loss.parameter)
        return formula, parameter, y, np.ascontiguousarray(weight), self.share

    def _room(self, n_rows: int, which: int) -> Room:
        if (n_rows, which) not in self._rooms:
            units = self.sizes[1:]
            self._rooms[n_rows, which] = Room(
                np.empty(n_rows * int(units.sum()), self.dtype),
                np.empty((2, n_rows * int(units.max())), self.dtype),
                np.empty(int(units[-1])),
            )
        return self._rooms[n_rows, which]


def compiled_passes(
    network: Network, loss: Loss, share: float, dtype: Any
) -> CompiledPasses | None:
    """Build passes where loops know every part: rectifiers, a loss with a formula, no more."""
    if (
        loss.formula is None
        or network.normalization is not None
        or network.dropout > 0.0
        or network.input_scale
        or any(activation.leak is None for activation in network.activations)
        or any(network.adds_input(layer) for layer in range(network.n_hidden))
    ):
        return None
    return CompiledPasses(network, loss.formula, share, dtype)
