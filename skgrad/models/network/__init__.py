"""Multilayer perceptrons: layers, activations, initialisers, forward and backward passes."""

from skgrad.models.network.activations import ACTIVATIONS, Activation, get_activation
from skgrad.models.network.derivatives import (
    Adjoint,
    FirstDerivatives,
    SecondDerivatives,
    Tangent,
)
from skgrad.models.network.initializers import INITIALIZERS, Initializer, get_initializer
from skgrad.models.network.kronecker import (
    KroneckerFactors,
    KroneckerInverse,
    kronecker_factors,
)
from skgrad.models.network.layout import Group, Layer, Layout, Parameters, Role
from skgrad.models.network.network import Network
from skgrad.models.network.normalization import (
    NORMALIZATIONS,
    BatchNormalization,
    LayerNormalization,
    Moments,
    Normalization,
    get_normalization,
)
from skgrad.models.network.scaling import (
    INPUT_SCALINGS,
    ColumnScaler,
    InputScaling,
    Robust,
    Standard,
    get_input_scaling,
)
from skgrad.models.network.workspace import Workspace

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "INPUT_SCALINGS",
    "NORMALIZATIONS",
    "Activation",
    "Adjoint",
    "BatchNormalization",
    "ColumnScaler",
    "FirstDerivatives",
    "Group",
    "Initializer",
    "InputScaling",
    "KroneckerFactors",
    "KroneckerInverse",
    "Layer",
    "LayerNormalization",
    "Layout",
    "Moments",
    "Network",
    "Normalization",
    "Parameters",
    "Robust",
    "Role",
    "SecondDerivatives",
    "Standard",
    "Tangent",
    "Workspace",
    "get_activation",
    "get_initializer",
    "get_input_scaling",
    "get_normalization",
    "kronecker_factors",
]
