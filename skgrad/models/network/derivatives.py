"""Derivatives of a network along a direction of its parameters, first and second ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models.network.layout import Parameters
from skgrad.models.network.network import Network
from skgrad.models.network.products import affine, outer_product, product
from skgrad.models.network.workspace import Workspace


class Tangent(NamedTuple):
    """How a hidden layer changes along a direction, all of shape (n_units, n_rows).

    ``out`` its output, ``argument`` what its activation is applied to, ``normalized`` its
    normalised pre-activations, and ``deviation`` what they are divided by (None without).
    """

    out: FloatArray
    argument: FloatArray
    normalized: FloatArray | None
    deviation: FloatArray | None


class Adjoint(NamedTuple):
    """Gradients with respect to a hidden layer: its output, its argument, its pre-activations."""

    out: FloatArray
    argument: FloatArray
    z: FloatArray


class FirstDerivatives:
    r"""The Jacobian of raw predictions with respect to the parameters, as an operator.

    It works on the buffers of a forward pass; `push_forward` and `pull_back` cost about as much as
    a forward and a backward pass each. A normalisation over rows has to have taken the moments of
    the batch: they depend on the parameters as well.

    Parameters
    ----------
    network : Network
        The model.
    parameters : Parameters
        The point.
    ws : Workspace
        As `Network.forward` left it.

    References
    ----------
    B. Pearlmutter (1994). Fast exact multiplication by the Hessian. Neural Computation 6(1).

    N. Schraudolph (2002). Fast curvature matrix-vector products for second-order gradient descent.
    Neural Computation 14(7), section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models.network import FirstDerivatives, Network
    >>> network = Network((2, 1), ())  # raw = w_1 x_1 + w_2 x_2 + b
    >>> at, ws = network.layout.parameters(np.zeros(3)), network.workspace(1, float)
    >>> _ = network.forward(at, np.array([[3.0, 4.0]]), ws)
    >>> jacobian = FirstDerivatives(network, at, ws)
    >>> jacobian.push_forward(network.layout.parameters(np.array([1.0, 0.0, 5.0]))).tolist()
    [[8.0]]
    """

    def __init__(self, network: Network, parameters: Parameters, ws: Workspace) -> None:
        self.network, self.parameters, self.ws = network, parameters, ws

    def push_forward(self, v: Parameters, trace: list[Tangent] | None = None) -> FloatArray:
        """Compute the derivative of raw along v, of raw's shape, a new array.

        The tangent of each hidden layer is appended to `trace`, where that is given.
        """
        network, ws = self.network, self.ws
        tangent: FloatArray | None = None
        inputs: FloatArray | None = None
        for layer in range(network.n_hidden):
            hidden = ws.hidden[layer]
            self._affine(layer, v, inputs, tangent, hidden.delta, hidden.scratch)
            normalized, deviation = self._normalize(layer, v, trace is not None)
            argument = hidden.delta if trace is None else hidden.delta.copy()
            network.pull_through_activation(layer, ws)  # a diagonal map: its own transpose
            if network.adds_input(layer):
                hidden.delta += tangent
            if hidden.dropped:
                hidden.delta *= hidden.mask
            tangent, inputs = hidden.delta, hidden.out
            if trace is not None:
                trace.append(Tangent(hidden.delta.copy(), argument, normalized, deviation))
        raw = np.empty_like(ws.raw)
        self._affine(network.n_hidden, v, inputs, tangent, raw, np.empty_like(raw))
        return raw

    def _affine(
        self, layer: int, v: Parameters, inputs: FloatArray | None, tangent: FloatArray | None,
        out: FloatArray, scratch: FloatArray,
    ) -> None:  # fmt: skip
        """Apply the product rule to weights times inputs plus biases."""
        weights = v.layers[layer].weights if layer else self.first_weights(v)
        affine(self.ws.X, inputs, weights, v.layers[layer].biases, out)
        if tangent is not None:
            product(self.parameters.layers[layer].weights, tangent, scratch)
            out += scratch

    def first_weights(self, v: Parameters) -> FloatArray:
        """Differentiate the first layer's weights times the scale of the inputs along v."""
        scale = self.parameters.input_scale
        if scale is None:
            return v.layers[0].weights
        assert v.input_scale is not None
        return v.layers[0].weights * scale + self.parameters.layers[0].weights * v.input_scale

    def _normalize(
        self, layer: int, v: Parameters, traced: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Lead the tangent of pre-activations through normalisation, gain and shift, in place."""
        normalization = self.network.normalization
        if normalization is None:
            return None, None
        hidden, deviation, normalized = self.ws.hidden[layer], None, None
        gain_change = v.layers[layer].gain
        assert gain_change is not None
        if traced:
            slope = hidden.normalized * hidden.delta
            deviation = slope.mean(axis=normalization.axis, keepdims=True)
        # The Jacobian of a normalisation is symmetric.
        normalization.pull_back(hidden.normalized, hidden.deviation, hidden.delta, hidden.scratch)
        if traced:
            normalized = hidden.delta.copy()
        hidden.delta *= self.parameters.layers[layer].gain
        np.multiply(hidden.normalized, gain_change, out=hidden.scratch)
        hidden.delta += hidden.scratch
        hidden.delta += v.layers[layer].shift
        return normalized, deviation

    def pull_back(self, gradient_raw: FloatArray, into: Parameters) -> None:
        """Write the transposed Jacobian times an array of raw's shape."""
        self.network.backward(self.parameters, self.ws, gradient_raw, into)


class SecondDerivatives:
    r"""The Hessian of a function of raw predictions, as an operator on parameters.

    .. math:: \nabla^2 F \, v = J^T (\nabla^2 loss) J v + \sum_k \frac{\partial loss}{\partial
              raw_k} \nabla^2 raw_k \, v

    by differentiating the backward pass along v (Pearlmutter's R operator). No unit may be left
    out.

    Parameters
    ----------
    first : FirstDerivatives
        At the point.
    gradient_raw : array of shape (n_outputs, n_rows)
        Derivatives of the function in the raw predictions.
    """

    def __init__(self, first: FirstDerivatives, gradient_raw: FloatArray) -> None:
        self.first, self.gradient_raw = first, gradient_raw
        self.adjoints = adjoints(first.network, first.parameters, first.ws, gradient_raw)

    def pull_back(
        self, v: Parameters, trace: list[Tangent], change: FloatArray, into: Parameters
    ) -> None:
        """Write the derivative along v of the gradient with respect to all parameters.

        Parameters
        ----------
        v : Parameters
            The direction.
        trace : list of Tangent
            Of ``push_forward(v)``.
        change : array of shape (n_outputs, n_rows)
            Derivative of ``gradient_raw`` along v.
        into : Parameters
            Views of the vector that receives the product.
        """
        network, ws = self.first.network, self.first.ws
        delta, skipped = change, None
        for layer in range(network.n_hidden, -1, -1):
            target = into.layers[layer]
            inputs = ws.hidden[layer - 1].out if layer else None
            outer_product(delta, ws.X, inputs, target.weights)
            np.add.reduce(delta, axis=1, keepdims=True, out=target.biases)
            if layer:
                target.weights[...] += self._gradient_at(layer) @ trace[layer - 1].out.T
                out = self._through_weights(layer, v, delta)
                if skipped is not None:
                    out += skipped
                skipped = out if network.adds_input(layer - 1) else None
                delta = self._through_activation(layer - 1, trace[layer - 1], out)
                if network.normalization is not None:
                    delta = self._through_normalization(layer - 1, v, trace[layer - 1], delta, into)
        if into.input_scale is not None:
            self._unscale(v, into)

    def _gradient_at(self, layer: int) -> FloatArray:
        """Gradient with respect to the pre-activations of a layer, the last one included."""
        return self.adjoints[layer].z if layer < len(self.adjoints) else self.gradient_raw

    def _through_weights(self, layer: int, v: Parameters, delta: FloatArray) -> FloatArray:
        out = self.first.parameters.layers[layer].weights.T @ delta
        out += v.layers[layer].weights.T @ self._gradient_at(layer)
        return out

    def _through_activation(self, layer: int, tangent: Tangent, out: FloatArray) -> FloatArray:
        hidden, activation = self.first.ws.hidden[layer], self.first.network.activations[layer]
        bend = activation.second_derivative(hidden.z, hidden.active)
        bend *= tangent.argument
        bend *= self.adjoints[layer].out
        return activation.derivative(hidden.z, hidden.active) * out + bend

    def _through_normalization(
        self, layer: int, v: Parameters, tangent: Tangent, delta: FloatArray, into: Parameters
    ) -> FloatArray:
        r"""Differentiate :math:`(h - \overline{h} - \hat z \, \overline{h \hat z}) / \sigma`."""
        normalization, hidden = self.first.network.normalization, self.first.ws.hidden[layer]
        adjoint, gain = self.adjoints[layer], self.first.parameters.layers[layer].gain
        gain_change = v.layers[layer].gain
        assert normalization is not None and gain is not None and gain_change is not None
        assert tangent.normalized is not None and tangent.deviation is not None
        moved = delta * hidden.normalized + adjoint.argument * tangent.normalized
        np.add.reduce(moved, axis=1, keepdims=True, out=into.layers[layer].gain)
        np.add.reduce(delta, axis=1, keepdims=True, out=into.layers[layer].shift)
        h, axis = gain * adjoint.argument, normalization.axis
        change = gain * delta + gain_change * adjoint.argument
        normalization.pull_back(hidden.normalized, hidden.deviation, change, hidden.scratch)
        slope = (h * hidden.normalized).mean(axis=axis, keepdims=True)
        slope_change = (h * tangent.normalized).mean(axis=axis, keepdims=True)
        turned = tangent.normalized * slope + hidden.normalized * slope_change
        turned += tangent.deviation * adjoint.z
        change -= turned / hidden.deviation
        return change

    def _unscale(self, v: Parameters, into: Parameters) -> None:
        """Lead the first layer's part from weights times scale to weights, and to scale."""
        parameters, scaled = self.first.parameters, into.layers[0].weights
        assert parameters.input_scale is not None and v.input_scale is not None
        assert into.input_scale is not None
        plain = np.empty_like(scaled)
        outer_product(self._gradient_at(0), self.first.ws.X, None, plain)
        into.input_scale[...] = np.einsum("oi,oi->i", scaled, parameters.layers[0].weights)
        into.input_scale[...] += np.einsum("oi,oi->i", plain, v.layers[0].weights)
        scaled *= parameters.input_scale
        scaled += plain * v.input_scale


def adjoints(
    network: Network, parameters: Parameters, ws: Workspace, gradient_raw: FloatArray
) -> list[Adjoint]:
    """Lead a gradient back through all hidden layers, after a `forward`, and keep it everywhere."""
    found: list[Adjoint] = []
    delta = gradient_raw
    for layer in range(network.n_hidden, 0, -1):
        hidden = ws.hidden[layer - 1]
        network.pull_through_weights(layer, parameters, ws, delta)
        out = hidden.delta.copy()
        network.pull_through_activation(layer - 1, ws)
        argument = delta = hidden.delta.copy()
        if network.normalization is not None:
            network.pull_through_normalization(layer - 1, parameters, ws, None)
            delta = hidden.delta.copy()
        found.append(Adjoint(out, argument, delta))
    return found[::-1]
