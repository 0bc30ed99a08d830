"""Pictures of importances, attributions and marginal effects."""

from skgrad.inspection.displays.attribution import AttributionDisplay
from skgrad.inspection.displays.effects import MarginalEffectDisplay
from skgrad.inspection.displays.importance import FeatureImportanceDisplay

__all__ = ["AttributionDisplay", "FeatureImportanceDisplay", "MarginalEffectDisplay"]
