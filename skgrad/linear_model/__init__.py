"""Linear estimators: one objective each, any solver."""

from skgrad.linear_model.elastic_net import ElasticNet, Lasso
from skgrad.linear_model.huber_regressor import HuberRegressor
from skgrad.linear_model.linear_regression import LinearRegression
from skgrad.linear_model.linear_svm import LinearSVC, LinearSVR
from skgrad.linear_model.logistic_regression import LogisticRegression
from skgrad.linear_model.poisson_regressor import PoissonRegressor
from skgrad.linear_model.quantile_regressor import QuantileRegressor
from skgrad.linear_model.ridge import Ridge

__all__ = [
    "ElasticNet",
    "HuberRegressor",
    "Lasso",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
]
