"""Forward and backward passes over batches of a network, in buffers that are used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skgrad._threads import side_by_side
from skgrad._typing import FloatArray
from skgrad.losses import Loss
from skgrad.models.network import Network, Parameters, Workspace
from skgrad.network_batch import NetworkBatch
from skgrad.network_compiled import compiled_passes

# Rows times parameters from which two threads take half of a batch each. To wake one, and to share
# the interpreter, costs some 0.1 ms: (20000, 50), two layers of 256 units and batches of 256 rows
# took 44 ms an epoch instead of 56, but 1024 rows with two layers of 64 units no less than before.
HALVED_WORK = 1 << 24
# The same where a half is one compiled call: with 30 inputs, two layers of 64 units and batches of
# 1024 rows (2^22.6) halves take 0.18 ms instead of 0.29, but with 50 inputs, a layer of 100 units
# and 200 rows (2^20) 0.057 ms instead of 0.035.
COMPILED_HALVED_WORK = 1 << 22


class Passes:
    """Values and gradients of the loss on batches, without penalty.

    Parameters
    ----------
    network : Network
        Map to raw predictions.
    loss : Loss
        Per-row loss.
    share : float
        Weight of a row where batches hold none.
    dtype : numpy dtype
        Of the arithmetic.
    """

    def __init__(self, network: Network, loss: Loss, share: float, dtype: Any) -> None:
        self.network, self.loss, self.share, self.dtype = network, loss, share, dtype
        # The gradient and, where batches are halved, that of the second half.
        self._gradients: list[tuple[FloatArray, Parameters]] = []
        self._viewed: tuple[FloatArray, Parameters] | None = None
        self._workspaces: dict[tuple[int, int], Workspace] = {}
        self._compiled = compiled_passes(network, loss, share, dtype)

    def batch(
        self, w: FloatArray, batch: NetworkBatch, factor: float, *, compiled: bool = False
    ) -> tuple[float, FloatArray]:
        """Compute factor times value and gradient; the next call overwrites the gradient.

        With ``compiled``, compiled loops do it where they know how to.
        """
        loops = self._compiled if compiled and isinstance(batch.X, np.ndarray) else None
        parameters = self._view(w)

        def walk(part: NetworkBatch, k: int) -> float:
            gradient, into = self._gradient(k)
            if loops is not None:
                return loops.walk(w, part, k, factor, gradient)
            return self.walk(parameters, part, self._workspace(part.X.shape[0], k), factor, into)

        least = HALVED_WORK if loops is None else COMPILED_HALVED_WORK
        if self._is_halved(batch.X.shape[0], least):
            return self._halves(batch, walk)
        return walk(batch, 0), self._gradient(0)[0]

    def _halves(
        self, batch: NetworkBatch, walk: Callable[[NetworkBatch, int], float]
    ) -> tuple[float, FloatArray]:
        """Add up halves that are always the same: bits don't depend on the number of threads."""
        half, values = batch.X.shape[0] // 2, [0.0, 0.0]
        parts = batch.take(slice(0, half)), batch.take(slice(half, batch.X.shape[0]))
        # Not in the threads: both would add to one list.
        gradients = [self._gradient(k)[0] for k in range(2)]

        def walk_half(k: int) -> None:
            values[k] = walk(parts[k], k)

        side_by_side(lambda: walk_half(1), lambda: walk_half(0))
        gradients[0] += gradients[1]
        return sum(values), gradients[0]

    def walk(
        self, parameters: Parameters, batch: NetworkBatch, ws: Workspace, factor: float,
        into: Parameters,
    ) -> float:  # fmt: skip
        """Go forward and backward; return factor times the batch's part of the loss."""
        raw = self.network.forward(parameters, batch.X, ws, rng=batch.rng)
        values, slopes = self.loss.value_and_gradient(batch.y, raw.T)
        np.multiply(slopes.T, self.weight(batch, factor), out=ws.slopes)
        self.network.backward(parameters, ws, ws.slopes, into)
        return factor * self.sum(values, batch.weight)

    def weight(self, batch: NetworkBatch, factor: float) -> float | FloatArray:
        """Compute factor times the weight of each row, to multiply raw's transpose by."""
        return factor * (self.share if batch.weight is None else batch.weight.T)

    def sum(self, terms: FloatArray, weight: FloatArray | None) -> float:
        """Compute the weighted sum of terms, one per row and output, in float64."""
        if weight is not None:
            return float(np.add.reduce(terms * weight, axis=None, dtype=np.float64))
        return self.share * float(np.add.reduce(terms, axis=None, dtype=np.float64))

    def last(self, batch: NetworkBatch) -> tuple[Parameters, Workspace]:
        """Return parameters and activations of the last call of `batch`, of this batch."""
        assert self._viewed is not None
        n_rows, parameters = batch.X.shape[0], self._viewed[1]
        ws = self._workspace(n_rows, 0)
        if self._is_halved(n_rows, HALVED_WORK):
            self.network.forward(parameters, batch.X, ws)
        return parameters, ws

    def _is_halved(self, n_rows: int, least: int) -> bool:
        """Tell whether a batch is shared: neither moments nor chance may depend on the others."""
        network = self.network
        mixes = network.normalization is not None and network.normalization.mixes_rows
        independent = not mixes and network.dropout == 0.0
        return independent and n_rows > 1 and n_rows * network.n_params >= least

    def _view(self, w: FloatArray) -> Parameters:
        if self._viewed is None or self._viewed[0] is not w:
            self._viewed = w, self.network.layout.parameters(w)
        return self._viewed[1]

    def _gradient(self, which: int) -> tuple[FloatArray, Parameters]:
        while len(self._gradients) <= which:
            gradient = np.empty(self.network.n_params, self.dtype)
            self._gradients.append((gradient, self.network.layout.parameters(gradient)))
        return self._gradients[which]

    def _workspace(self, n_rows: int, which: int) -> Workspace:
        if (n_rows, which) not in self._workspaces:
            self._workspaces[n_rows, which] = self.network.workspace(n_rows, self.dtype)
        return self._workspaces[n_rows, which]
