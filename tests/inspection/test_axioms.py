"""The checker of axioms: passes what is sound, and finds every kind of flaw."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from skgrad import LinearSVC, LogisticRegression, PoissonRegressor
from skgrad.inspection import check_attribution_axioms, register_jacobian


@pytest.mark.parametrize("response", ["raw", "decision_function", "predict_proba"])
def test_pipeline_of_mixed_columns_passes(pipeline, people, response):
    errors = check_attribution_axioms(pipeline, people[0], response_method=response)
    assert errors.dummy == 0.0
    assert errors.completeness < 1e-12


@pytest.mark.parametrize("model", [LogisticRegression(), LinearSVC(), PoissonRegressor()])
def test_models_pass(model):
    X, y = load_iris(return_X_y=True)
    check_attribution_axioms(model.fit(X, y), X)


class Cubes(TransformerMixin, BaseEstimator):
    """A step whose derivative the test gets wrong."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X**3


@pytest.mark.parametrize(
    ("jacobian", "broken"),
    [
        (lambda step, X, cotangent: 3.0 * X * X * cotangent, None),
        (lambda step, X, cotangent: 2.9 * X * X * cotangent, "finite differences.*completeness"),
        (lambda step, X, cotangent: 3.0 * X * X * np.abs(cotangent), "linearity"),
        (lambda step, X, cotangent: 0.0 * X, "finite differences.*completeness"),
    ],
)
def test_flaws_are_found(jacobian, broken):
    X, y = load_diabetes(return_X_y=True)
    X = 20.0 * X[:, :4]
    register_jacobian(Cubes, jacobian)
    model = make_pipeline(Cubes(), LinearRegression()).fit(X, y)
    if broken is None:
        check_attribution_axioms(model, X)
    else:
        with pytest.raises(AssertionError, match=broken):
            check_attribution_axioms(model, X)


class Sampled(RegressorMixin, BaseEstimator):
    """A predictor whose gradient depends on the units of its input."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.sin(X[:, 0])


def test_forward_differences_with_a_fixed_step_depend_on_units():
    def with_fixed_step(step, X, cotangent):
        slope = (np.sin(X[:, 0] + 1e-2) - np.sin(X[:, 0])) / 1e-2
        return np.column_stack([slope * cotangent[:, 0], 0.0 * X[:, 1]])

    register_jacobian(Sampled, with_fixed_step)
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(AssertionError, match="finite differences"):
        check_attribution_axioms(Sampled().fit(X), X)


def test_needs_a_number(people):
    from sklearn.preprocessing import OneHotEncoder

    frame = people[0][["city"]]
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, people[1])
    with pytest.raises(ValueError, match="numeric column"):
        check_attribution_axioms(model, frame)
