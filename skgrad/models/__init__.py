"""Prediction models: maps from a flat parameter vector and data to raw predictions."""

from skgrad.models.linear import LinearModel, Standardization

__all__ = ["LinearModel", "Standardization"]
