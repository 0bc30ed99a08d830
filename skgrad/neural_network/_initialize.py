"""The parameters that training starts from."""

from __future__ import annotations

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models.network import Initializer, Role, get_initializer
from skgrad.network_objective import NetworkObjective

# Rows whose pre-activations a data-driven initialiser looks at.
DATA_ROWS = 1000


def initial_parameters(
    objective: NetworkObjective, hidden_init: str | Initializer, output_init: str | Initializer,
    rng: np.random.Generator,
) -> FloatArray:  # fmt: skip
    """Draw the parameters of every layer.

    "auto" takes the initialiser that suits the activation behind a layer, Glorot's for the last
    one. The output's biases start at the best constant prediction, which saves the network from
    learning the mean of y first.
    """
    network, w = objective.network, np.zeros(objective.n_params, objective.dtype)
    parameters = network.layout.parameters(w)
    for group in network.layout.of_role(Role.GAIN) + network.layout.of_role(Role.INPUT_SCALE):
        group.view(w)[...] = 1.0
    for k, layer in enumerate(parameters.layers):
        hidden = k < network.n_hidden
        suited = network.activations[k].initializer if hidden else "glorot"
        wanted = hidden_init if hidden else output_init
        initializer = get_initializer(suited if wanted == "auto" else wanted)
        n_out, n_in = layer.weights.shape
        layer.weights[...] = initializer.weights(n_out, n_in, rng, objective.dtype)
        layer.biases[:, 0] = initializer.biases(n_out, n_in, rng, objective.dtype)
        if hidden and initializer.uses_data:
            z = network.pre_activation(parameters, objective.sample(DATA_ROWS), k)
            initializer.rescale(layer.weights, layer.biases[:, 0], z)
    y, weight = objective.y, objective.weight
    row_weight = None if weight is None else weight.max(axis=1)
    parameters.layers[-1].biases[:, 0] = objective.loss.constant(
        y, row_weight, n_outputs=network.n_outputs
    )
    return w
