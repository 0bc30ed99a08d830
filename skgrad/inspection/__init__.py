"""Gradient sensitivities of fitted models, in the columns that the user has."""

from skgrad.inspection.chain import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    register_jacobian,
)
from skgrad.inspection.effects import average_marginal_effects, loss_sensitivity
from skgrad.inspection.gradients import input_gradients, input_jacobian, vjp

__all__ = [
    "FiniteDifferenceWarning",
    "NonDifferentiableError",
    "average_marginal_effects",
    "input_gradients",
    "input_jacobian",
    "loss_sensitivity",
    "register_jacobian",
    "vjp",
]
