"""Gradient sensitivities of fitted models, in the columns that the user has."""

from skgrad.inspection.attribution import attributions
from skgrad.inspection.chain import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    register_jacobian,
)
from skgrad.inspection.gradients import input_gradients, input_jacobian, vjp
from skgrad.inspection.importance import gradient_importance

__all__ = [
    "FiniteDifferenceWarning",
    "NonDifferentiableError",
    "attributions",
    "gradient_importance",
    "input_gradients",
    "input_jacobian",
    "register_jacobian",
    "vjp",
]
