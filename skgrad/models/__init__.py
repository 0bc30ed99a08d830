"""Prediction models: maps from a flat parameter vector and data to raw predictions."""

from skgrad.models.linear import LinearModel
from skgrad.models.selected import Selected
from skgrad.models.standardization import Standardization
from skgrad.models.standardized import StandardizedMatrix

__all__ = ["LinearModel", "Selected", "Standardization", "StandardizedMatrix"]
