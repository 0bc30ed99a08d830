"""Gradient sensitivities of fitted models, in the columns that the user has."""

from skgrad.inspection.chain import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    register_jacobian,
)
from skgrad.inspection.gradients import input_gradients, input_jacobian, vjp
from skgrad.inspection.transformers.function_transformer import DifferentiableFunctionTransformer

__all__ = [
    "DifferentiableFunctionTransformer",
    "FiniteDifferenceWarning",
    "NonDifferentiableError",
    "input_gradients",
    "input_jacobian",
    "register_jacobian",
    "vjp",
]
