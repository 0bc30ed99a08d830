"""Pictures of importances, attributions, marginal effects and solvers."""

from skgrad.inspection.displays.attribution import AttributionDisplay
from skgrad.inspection.displays.effects import MarginalEffectDisplay
from skgrad.inspection.displays.importance import FeatureImportanceDisplay
from skgrad.inspection.displays.solvers import SolverComparisonDisplay

__all__ = [
    "AttributionDisplay",
    "FeatureImportanceDisplay",
    "MarginalEffectDisplay",
    "SolverComparisonDisplay",
]
