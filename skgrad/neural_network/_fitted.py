"""From a flat parameter vector to fitted attributes, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models.network import Layer, Moments, Network, Parameters, Role


def attributes(network: Network, w: FloatArray, moments: list[Moments] | None) -> dict[str, Any]:
    """View parameters in scikit-learn's shapes: ``coefs_[l]`` is (n_in, n_out).

    What only a normalised or scaled network has is in attributes of its own.
    """
    parameters = network.layout.parameters(w)
    fitted: dict[str, Any] = {
        "coefs_": [layer.weights.T for layer in parameters.layers],
        "intercepts_": [layer.biases[:, 0] for layer in parameters.layers],
    }
    if network.normalization is not None:
        hidden = parameters.layers[:-1]
        fitted["gains_"] = [layer.gain[:, 0] for layer in hidden if layer.gain is not None]
        fitted["shifts_"] = [layer.shift[:, 0] for layer in hidden if layer.shift is not None]
        fitted["moments_"] = moments
    if parameters.input_scale is not None:
        fitted["input_scale_"] = parameters.input_scale
    return fitted


def parameters_of(fitted: dict[str, Any]) -> Parameters:
    """Collect a network's parameters from fitted attributes."""
    n_layers = len(fitted["coefs_"])
    gains, shifts = fitted.get("gains_", []), fitted.get("shifts_", [])
    layers = []
    for k in range(n_layers):
        hidden = k < len(gains)
        gain, shift = (gains[k][:, None], shifts[k][:, None]) if hidden else (None, None)
        layers.append(Layer(fitted["coefs_"][k].T, fitted["intercepts_"][k][:, None], gain, shift))
    return Parameters(tuple(layers), fitted.get("input_scale_"))


def flatten(network: Network, parameters: Parameters, dtype: Any) -> FloatArray | None:
    """Copy parameters into a flat vector; None if their shapes are another network's."""
    found: dict[tuple[Role, int], FloatArray] = {}
    for k, layer in enumerate(parameters.layers):
        roles = (Role.WEIGHTS, Role.BIASES, Role.GAIN, Role.SHIFT)
        found |= {
            (role, k): part for role, part in zip(roles, layer, strict=True) if part is not None
        }
    if parameters.input_scale is not None:
        found[Role.INPUT_SCALE, 0] = parameters.input_scale
    w = np.empty(network.n_params, dtype)
    for group in network.layout.groups:
        part = found.pop((group.role, group.layer), None)
        if part is None or part.shape != group.shape:
            return None
        group.view(w)[...] = part
    return None if found else w
