"""Scikit-learn compatible estimators on one pluggable, gradient-based solver module."""

from skgrad._version import __version__
from skgrad.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from skgrad.neural_network import MLPClassifier, MLPRegressor

__all__ = [
    "ElasticNet",
    "HuberRegressor",
    "Lasso",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
    "__version__",
]
