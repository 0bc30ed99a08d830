"""Networks: parts that are formulas of the layers' arrays, and the network built from them."""

from skgrad.models.network.activations import ACTIVATIONS, Activation, get_activation
from skgrad.models.network.initializers import INITIALIZERS, Initializer, get_initializer

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "Activation",
    "Initializer",
    "get_activation",
    "get_initializer",
]
