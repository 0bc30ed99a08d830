"""Gradient sensitivities of fitted models, in the columns that the user has."""

from skgrad.inspection.attribution import attributions
from skgrad.inspection.axioms import check_attribution_axioms
from skgrad.inspection.chain import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    register_jacobian,
)
from skgrad.inspection.displays import (
    AttributionDisplay,
    FeatureImportanceDisplay,
    MarginalEffectDisplay,
    SolverComparisonDisplay,
)
from skgrad.inspection.effects import average_marginal_effects, loss_sensitivity
from skgrad.inspection.gradients import input_gradients, input_jacobian, vjp
from skgrad.inspection.importance import gradient_importance
from skgrad.inspection.meta_estimator import GradientImportance
from skgrad.inspection.selection import importance_getter
from skgrad.inspection.solver_comparison import compare_solvers
from skgrad.inspection.transformers.function_transformer import DifferentiableFunctionTransformer

__all__ = [
    "AttributionDisplay",
    "DifferentiableFunctionTransformer",
    "FeatureImportanceDisplay",
    "FiniteDifferenceWarning",
    "GradientImportance",
    "MarginalEffectDisplay",
    "NonDifferentiableError",
    "SolverComparisonDisplay",
    "attributions",
    "average_marginal_effects",
    "check_attribution_axioms",
    "compare_solvers",
    "gradient_importance",
    "importance_getter",
    "input_gradients",
    "input_jacobian",
    "loss_sensitivity",
    "register_jacobian",
    "vjp",
]
