"""Passes over a fitted network: raw predictions, and cotangents back to the input."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local
from skgrad.inspection.chain.columns import numbers
from skgrad.inspection.models.parts import in_blocks
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
        X = self.scaled(X)
        ws = self.network.workspace(X.shape[0], np.float64)
        self.network.forward(self.parameters, X, ws, moments=self.moments)
        return ws


def passes(fitted: FittedNetwork, X: Any) -> Local:
    """Answer with raw predictions."""

    def one(rows: Any) -> Local:
        ws, slope = fitted.forward(rows), fitted.scaler_slope(rows)

        def pull(cotangent: FloatArray) -> FloatArray:
            back = np.ascontiguousarray(cotangent.T, dtype=np.float64)
            gradient = fitted.network.backward_input(fitted.parameters, ws, back)
            gradient *= slope
            return gradient

        return Local(ws.raw.T.copy(), pull)

    # Buffers of each unit: activation, gradient, scratch.
    return in_blocks(one, numbers(X), 8 * 3 * sum(fitted.network.sizes[1:]))


def _double(array: FloatArray) -> FloatArray:
    return np.asarray(array, dtype=np.float64)


def _double_layer(layer: Layer) -> Layer:
    gain, shift = _doubled(layer.gain), _doubled(layer.shift)
    return Layer(_double(layer.weights), _double(layer.biases), gain, shift)


def _doubled(array: FloatArray | None) -> FloatArray | None:
    return None if array is None else _double(array)
