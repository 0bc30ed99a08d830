"""Gradient sensitivities of fitted models, in the columns that the user has."""

from skgrad.inspection.attribution import attributions
from skgrad.inspection.axioms import check_attribution_axioms
from skgrad.inspection.chain import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    register_jacobian,
)
from skgrad.inspection.effects import average_marginal_effects, loss_sensitivity
from skgrad.inspection.gradients import input_gradients, input_jacobian, vjp
from skgrad.inspection.importance import gradient_importance
from skgrad.inspection.solver_comparison import compare_solvers

__all__ = [
    "FiniteDifferenceWarning",
    "NonDifferentiableError",
    "attributions",
    "average_marginal_effects",
    "check_attribution_axioms",
    "compare_solvers",
    "gradient_importance",
    "input_gradients",
    "input_jacobian",
    "loss_sensitivity",
    "register_jacobian",
    "vjp",
]
