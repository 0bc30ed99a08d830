"""The multilayer perceptron: layers on one flat parameter vector, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skgrad._typing import FloatArray, Matrix
from skgrad.models.network.activations import Activation
from skgrad.models.network.layout import Layout, Parameters
from skgrad.models.network.normalization import Moments, Normalization
from skgrad.models.network.products import affine, outer_product, product
from skgrad.models.network.workspace import Shape, Workspace


@dataclass(frozen=True)
class Network:
    r"""Multilayer perceptron.

    .. math:: a_0 = x \circ c, \qquad
              a_l = f_l(\nu(W_l a_{l-1} + b_l)) \; [+ \, a_{l-1}], \qquad
              raw = W_L a_{L-1} + b_L

    with a normalisation :math:`\nu`, residual connections where two neighbouring layers are of one
    size, and a learned scale c of the inputs, each of them optional. Inside, a sample is a column:
    element-wise work and sums over classes or samples then run over contiguous memory whatever the
    number of samples in a batch.

    Parameters
    ----------
    sizes : tuple of int
        Number of inputs, of units of each hidden layer, and of outputs.
    activations : tuple of Activation
        One per hidden layer.
    normalization : Normalization or None
        Of the pre-activations of hidden layers.
    dropout : float in [0, 1)
        Probability that a hidden unit is left out of a sample in training.
    residual : bool
        Whether hidden layers add their input to their output where shapes allow.
    input_scale : bool
        Whether inputs are multiplied by a factor each that is learned.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network import Network, get_activation
    >>> network = Network((2, 3, 1), (get_activation("relu"),))
    >>> network.n_params
    13
    >>> network.predict(np.zeros(13), np.ones((4, 2))).shape
    (4, 1)
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    normalization: Normalization | None = None
    dropout: float = 0.0
    residual: bool = False
    input_scale: bool = False

    @cached_property
    def layout(self) -> Layout:
        """Places of the parameters in the flat vector."""
        normalized = self.normalization is not None
        return Layout(self.sizes, normalized=normalized, input_scale=self.input_scale)

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return self.layout.n_params

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return self.sizes[-1]

    @property
    def n_hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.activations)

    def adds_input(self, layer: int) -> bool:
        """Tell whether a hidden layer has a residual connection; inputs are no hidden layer."""
        return self.residual and layer > 0 and self.sizes[layer] == self.sizes[layer + 1]

    def workspace(self, n_rows: int, dtype: Any) -> Workspace:
        """Allocate the buffers of one batch."""
        normalized, dropout = self.normalization is not None, self.dropout > 0.0
        layers = [
            Shape(units, activation.needs_input, dropout, self.adds_input(layer), normalized)
            for layer, (units, activation) in enumerate(
                zip(self.sizes[1:-1], self.activations, strict=True)
            )
        ]
        return Workspace(layers, self.n_outputs, n_rows, dtype)

    # -- forward ------------------------------------------------------------------------------

    def forward(
        self,
        parameters: Parameters,
        X: Matrix,
        ws: Workspace,
        *,
        rng: np.random.Generator | None = None,
        moments: list[Moments] | None = None,
    ) -> FloatArray:
        """Compute raw predictions, keeping in the workspace what `backward` needs.

        Parameters
        ----------
        parameters : Parameters
            Views of the parameter vector.
        X : array or CSR matrix of shape (n_rows, n_features)
            A batch.
        ws : Workspace
            Buffers for n_rows.
        rng : numpy.random.Generator, optional
            Source of dropout; without it no unit is left out.
        moments : list of Moments, optional
            Of each hidden layer's pre-activations, for a normalisation over rows; by default those
            of the batch itself.

        Returns
        -------
        array of shape (n_outputs, n_rows)
            A buffer of the workspace.
        """
        ws.X, ws.weights = X, first_weights(parameters)
        inputs: FloatArray | None = None
        for layer, activation in enumerate(self.activations):
            hidden = ws.hidden[layer]
            affine(X, inputs, ws.weights if layer == 0 else parameters.layers[layer].weights,
                   parameters.layers[layer].biases, hidden.z)  # fmt: skip
            self._normalize(layer, parameters, ws, None if moments is None else moments[layer])
            activation.value(hidden.z, out=hidden.active)
            if hidden.out is not hidden.active:
                np.copyto(hidden.out, hidden.active)
                if self.adds_input(layer):
                    hidden.out += inputs
            hidden.dropped = rng is not None and self.dropout > 0.0
            if hidden.dropped:
                assert rng is not None
                hidden.draw_mask(rng, self.dropout)
                hidden.out *= hidden.mask
            inputs = hidden.out
        last = parameters.layers[-1]
        affine(X, inputs, last.weights if self.n_hidden else ws.weights, last.biases, ws.raw)
        return ws.raw

    def _normalize(
        self, layer: int, parameters: Parameters, ws: Workspace, moments: Moments | None
    ) -> None:
        if self.normalization is None:
            return
        hidden, gain = ws.hidden[layer], parameters.layers[layer].gain
        if moments is None or not self.normalization.mixes_rows:
            moments = self.normalization.moments(hidden.z)
            hidden.moments, hidden.is_fixed = moments, False
        else:
            hidden.is_fixed = True
        hidden.deviation = self.normalization.normalize(hidden.z, moments)
        np.copyto(hidden.normalized, hidden.z)
        hidden.z *= gain
        hidden.z += parameters.layers[layer].shift

    def predict(self, w: FloatArray, X: Matrix, moments: list[Moments] | None = None) -> FloatArray:
        """Compute raw predictions, shape (n_rows, n_outputs), a view of a fresh array."""
        ws = self.workspace(X.shape[0], w.dtype)
        return self.forward(self.layout.parameters(w), X, ws, moments=moments).T

    def pre_activation(self, parameters: Parameters, X: Matrix, layer: int) -> FloatArray:
        """Compute the pre-activations of one hidden layer, for initialisers that look at data."""
        part = Network(
            self.sizes[: layer + 2], self.activations[:layer], self.normalization,
            residual=self.residual, input_scale=self.input_scale,
        )  # fmt: skip
        few = Parameters(parameters.layers[: layer + 1], parameters.input_scale)
        return part.forward(few, X, part.workspace(X.shape[0], X.dtype))

    # -- backward -----------------------------------------------------------------------------

    def backward(
        self, parameters: Parameters, ws: Workspace, gradient_raw: FloatArray, into: Parameters
    ) -> None:
        """Write the gradient with respect to all parameters, after a `forward`.

        Parameters
        ----------
        parameters : Parameters
            As in `forward`.
        ws : Workspace
            As `forward` left it.
        gradient_raw : array of shape (n_outputs, n_rows)
            Derivatives of the loss in the raw predictions.
        into : Parameters
            Views of the vector that receives the gradient.
        """
        delta = gradient_raw
        for layer in range(self.n_hidden, -1, -1):
            inputs = ws.hidden[layer - 1].out if layer else None
            target = into.layers[layer]
            outer_product(delta, ws.X, inputs, target.weights)
            # A sum over rows: BLAS takes a third of the time of add.reduce.
            np.matmul(delta, ws.ones, out=target.biases)
            if layer:
                delta = self._pull_back(layer, parameters, ws, delta, into)
        if into.input_scale is not None:
            assert parameters.input_scale is not None
            first, scaled = parameters.layers[0].weights, into.layers[0].weights
            np.einsum("oi,oi->i", scaled, first, out=into.input_scale)
            scaled *= parameters.input_scale

    def _pull_back(
        self, layer: int, parameters: Parameters, ws: Workspace, delta: FloatArray,
        into: Parameters | None,
    ) -> FloatArray:  # fmt: skip
        """Lead a gradient from the pre-activations of a layer to those of the one before."""
        self.pull_through_weights(layer, parameters, ws, delta)
        self.pull_through_activation(layer - 1, ws)
        if self.normalization is not None:
            self.pull_through_normalization(layer - 1, parameters, ws, into)
        return ws.hidden[layer - 1].delta

    def pull_through_weights(
        self, layer: int, parameters: Parameters, ws: Workspace, delta: FloatArray
    ) -> None:
        """Lead a gradient from the pre-activations of a layer to the output of the one before.

        This and the next two work on the ``delta`` of that hidden layer's buffers.
        """
        hidden = ws.hidden[layer - 1]
        product(parameters.layers[layer].weights.T, delta, hidden.delta)
        if layer < self.n_hidden and self.adds_input(layer):
            hidden.delta += ws.hidden[layer].skipped
        if hidden.dropped:
            hidden.delta *= hidden.mask
        if self.adds_input(layer - 1):
            np.copyto(hidden.skipped, hidden.delta)

    def pull_through_activation(self, layer: int, ws: Workspace) -> None:
        """Lead a gradient from the output of a hidden layer to what it is the activation of."""
        hidden = ws.hidden[layer]
        self.activations[layer].pull_back(hidden.z, hidden.active, hidden.delta, hidden.scratch)

    def pull_through_normalization(
        self, layer: int, parameters: Parameters, ws: Workspace, into: Parameters | None
    ) -> None:
        """Lead a gradient to the pre-activations; write those of gain and shift, if wanted."""
        assert self.normalization is not None
        hidden = ws.hidden[layer]
        if into is not None:
            target = into.layers[layer]
            np.multiply(hidden.delta, hidden.normalized, out=hidden.scratch)
            np.add.reduce(hidden.scratch, axis=1, keepdims=True, out=target.gain)
            np.add.reduce(hidden.delta, axis=1, keepdims=True, out=target.shift)
        hidden.delta *= parameters.layers[layer].gain
        if hidden.is_fixed:
            hidden.delta /= hidden.deviation
        else:
            self.normalization.pull_back(
                hidden.normalized, hidden.deviation, hidden.delta, hidden.scratch
            )

    def backward_input(
        self, parameters: Parameters, ws: Workspace, gradient_raw: FloatArray
    ) -> FloatArray:
        """Compute the gradient with respect to X, shape (n_rows, n_features), after a `forward`."""
        delta = gradient_raw
        for layer in range(self.n_hidden, 0, -1):
            delta = self._pull_back(layer, parameters, ws, delta, None)
        return delta.T @ ws.weights


def first_weights(parameters: Parameters) -> FloatArray:
    """Weights of the first layer times the scale of the inputs: cheaper than scaling the batch."""
    weights = parameters.layers[0].weights
    return weights if parameters.input_scale is None else weights * parameters.input_scale
