"""Passes over a fitted network: raw predictions, and cotangents back to the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import numbers, take_rows
from skgrad.models.network import (
    ColumnScaler,
    Layer,
    Moments,
    Network,
    Parameters,
    Workspace,
    get_activation,
)
from skgrad.neural_network._fitted import parameters_of

# Buffers of a block of rows stay in the outer caches.
BLOCK_BYTES = 4 * 2**20
# Buffers of all blocks are kept for the way back up to here; beyond, blocks are passed again.
KEPT_BYTES = 64 * 2**20


class FittedNetwork:
    """A network with its parameters in float64, whatever it was trained in.

    Gradients are those of the function that the stored weights define, to all digits, so that
    sums over them are as complete as those of other models.

    Parameters
    ----------
    network : Network
        Layers and activations.
    parameters : Parameters
        Of any dtype.
    moments : list of Moments or None
        Of a normalisation over rows.
    scaler : ColumnScaler or None
        What happens to the columns of X first.
    """

    def __init__(
        self, network: Network, parameters: Parameters, moments: list[Moments] | None,
        scaler: ColumnScaler | None,
    ) -> None:  # fmt: skip
        scale = parameters.input_scale
        self.network, self.scaler = network, scaler
        self.parameters = Parameters(
            tuple(_double_layer(layer) for layer in parameters.layers),
            _doubled(scale),
        )
        self.moments = moments and [Moments(_double(m), _double(v)) for m, v in moments]

    @classmethod
    def of_skgrad(cls, estimator: Any) -> FittedNetwork:
        """Take the network of one of our estimators."""
        fitted = vars(estimator)
        parameters = parameters_of(fitted)
        return cls(estimator.network_, parameters, fitted.get("moments_"), estimator.scaler_)

    @classmethod
    def of_sklearn(cls, estimator: Any) -> FittedNetwork:
        """Build the network that one of scikit-learn's estimators has the weights of."""
        sizes = (estimator.n_features_in_, *(len(b) for b in estimator.intercepts_))
        activations = (get_activation(estimator.activation),) * (len(sizes) - 2)
        return cls(Network(sizes, activations), parameters_of(vars(estimator)), None, None)

    def scaled(self, X: Any) -> Any:
        """Scale the columns."""
        return X if self.scaler is None else self.scaler(X)

    def scaler_slope(self, X: Any) -> FloatArray | float:
        r"""Differentiate the scaler: :math:`s (1 + (z / b)^2)^{-3/2}`."""
        if self.scaler is None:
            return 1.0
        center, scale, bend = self.scaler
        if bend == np.inf:
            return np.asarray(scale, dtype=np.float64)
        slope: FloatArray = scale * (1.0 + np.square((X - center) * scale / bend)) ** -1.5
        return slope

    def forward(self, X: Any) -> Workspace:
        """Compute raw predictions; they and what the way back needs are in the buffers."""
        X = self.scaled(numbers(X))
        ws = self.network.workspace(X.shape[0], np.float64)
        self.network.forward(self.parameters, X, ws, moments=self.moments)
        return ws


class NetworkPass:
    """Raw predictions at some rows, and the way back to their columns.

    Parameters
    ----------
    fitted : FittedNetwork
        The network.
    X : array or CSR matrix of shape (n_samples, n_features)
        The rows.
    """

    def __init__(self, fitted: FittedNetwork, X: Any) -> None:
        self.fitted, self.X = fitted, numbers(X)
        per_row = 8 * 3 * sum(fitted.network.sizes[1:])
        self._rows = max(64, BLOCK_BYTES // per_row)
        self._keeps = per_row * self.X.shape[0] <= KEPT_BYTES
        self._kept: dict[int, Workspace] = {}
        self.raw = np.empty((self.X.shape[0], fitted.network.n_outputs))
        for rows in self._blocks():
            self.raw[rows] = self._workspace(rows).raw.T

    def pull(self, cotangent: FloatArray) -> FloatArray:
        """Lead cotangents of raw predictions back to the columns of X."""
        network, parameters = self.fitted.network, self.fitted.parameters
        pulled = np.empty(self.X.shape)
        for rows in self._blocks():
            back = np.ascontiguousarray(cotangent[rows].T, dtype=np.float64)
            gradient = network.backward_input(parameters, self._workspace(rows), back)
            np.multiply(gradient, self.fitted.scaler_slope(self.X[rows]), out=pulled[rows])
        return pulled

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, self.X.shape[0], self._rows):
            yield slice(start, min(start + self._rows, self.X.shape[0]))

    def _workspace(self, rows: slice) -> Workspace:
        if rows.start in self._kept:
            return self._kept[rows.start]
        ws = self.fitted.forward(take_rows(self.X, rows))
        if self._keeps:
            self._kept[rows.start] = ws
        return ws


def _double(array: FloatArray) -> FloatArray:
    return np.asarray(array, dtype=np.float64)


def _double_layer(layer: Layer) -> Layer:
    gain, shift = _doubled(layer.gain), _doubled(layer.shift)
    return Layer(_double(layer.weights), _double(layer.biases), gain, shift)


def _doubled(array: FloatArray | None) -> FloatArray | None:
    return None if array is None else _double(array)
