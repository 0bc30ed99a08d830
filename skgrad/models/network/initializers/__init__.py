"""Initialisers: weights and biases before the first update."""

from skgrad._parameters import unknown_name
from skgrad.models.network.initializers._base import Initializer
from skgrad.models.network.initializers.scaled import NTK, Glorot, He, LeCun
from skgrad.models.network.initializers.structured import DataDriven, Orthogonal, Zeros

__all__ = [
    "INITIALIZERS",
    "NTK",
    "DataDriven",
    "Glorot",
    "He",
    "Initializer",
    "LeCun",
    "Orthogonal",
    "Zeros",
    "get_initializer",
]

INITIALIZERS: dict[str, type[Initializer]] = {
    initializer.name: initializer
    for initializer in (Glorot, He, LeCun, NTK, Orthogonal, DataDriven, Zeros)
}


def get_initializer(initializer: str | Initializer) -> Initializer:
    """Turn a name into its initialiser; an initialiser object is checked and kept.

    Parameters
    ----------
    initializer : str or Initializer
        A key of `INITIALIZERS`, with its default parameters, or an object.

    Returns
    -------
    Initializer

    Raises
    ------
    ValueError
        If the name is unknown, with the known ones and the closest match, or a parameter is out of
        range.

    Examples
    --------
    >>> from skgrad.models.network.initializers import get_initializer
    >>> get_initializer("he")
    He()
    """
    if isinstance(initializer, Initializer):
        initializer.validate()
        return initializer
    if isinstance(initializer, str) and initializer in INITIALIZERS:
        return INITIALIZERS[initializer]()
    raise unknown_name("initializer", initializer, INITIALIZERS, "an Initializer object")
