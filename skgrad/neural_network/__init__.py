"""Multilayer perceptrons."""

from skgrad.neural_network.mlp_classifier import MLPClassifier
from skgrad.neural_network.mlp_regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
