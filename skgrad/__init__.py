"""Scikit-learn compatible estimators on one pluggable, gradient-based solver module."""

from skgrad._version import __version__
from skgrad.linear_model import LinearRegression, LinearSVC, LinearSVR, LogisticRegression

__all__ = ["LinearRegression", "LinearSVC", "LinearSVR", "LogisticRegression", "__version__"]
