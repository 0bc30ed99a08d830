"""Linear estimators: one objective each, any solver."""

from skgrad.linear_model.linear_regression import LinearRegression
from skgrad.linear_model.linear_svm import LinearSVC, LinearSVR
from skgrad.linear_model.logistic_regression import LogisticRegression

__all__ = ["LinearRegression", "LinearSVC", "LinearSVR", "LogisticRegression"]
