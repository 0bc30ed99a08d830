"""Prediction models: maps from a flat parameter vector and data to raw predictions."""

from skgrad.models.linear import LinearModel
from skgrad.models.standardized import Standardization, StandardizedMatrix

__all__ = ["LinearModel", "Standardization", "StandardizedMatrix"]
