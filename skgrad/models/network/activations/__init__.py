"""Activations: what a layer's units make of their pre-activations."""

from skgrad._parameters import unknown_name
from skgrad.models.network.activations._base import Activation
from skgrad.models.network.activations.gates import GELU, Mish, SiLU
from skgrad.models.network.activations.rectifiers import ELU, SELU, LeakyReLU, ReLU, Softplus
from skgrad.models.network.activations.sigmoids import Identity, Logistic, Tanh

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "Identity",
    "LeakyReLU",
    "Logistic",
    "Mish",
    "ReLU",
    "SiLU",
    "Softplus",
    "Tanh",
    "get_activation",
]

ACTIVATIONS: dict[str, type[Activation]] = {
    activation.name: activation
    for activation in (
        Identity,
        Logistic,
        Tanh,
        ReLU,
        LeakyReLU,
        ELU,
        SELU,
        GELU,
        SiLU,
        Mish,
        Softplus,
    )
}


def get_activation(activation: str | Activation) -> Activation:
    """Turn a name into its activation; an activation object is checked and kept.

    Parameters
    ----------
    activation : str or Activation
        A key of `ACTIVATIONS`, with its default parameters, or an object.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If the name is unknown, with the known ones and the closest match, or a parameter is out of
        range.

    Examples
    --------
    >>> from skgrad.models.network.activations import get_activation
    >>> get_activation("leaky_relu")
    LeakyReLU()
    """
    if isinstance(activation, Activation):
        activation.validate()
        return activation
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]()
    raise unknown_name("activation", activation, ACTIVATIONS, "an Activation object")
