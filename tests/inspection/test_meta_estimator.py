"""`GradientImportance`, and selection of the user's columns by gradients."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from tolerances import arithmetic, coefficients

from skgrad import LogisticRegression, Ridge
from skgrad.inspection import (
    GradientImportance,
    NonDifferentiableError,
    gradient_importance,
    importance_getter,
)

COLUMNS = ["age", "income", "city", "noise", "debt"]


@pytest.fixture(scope="module")
def people():
    """Income and city matter."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, 400),
            "income": rng.lognormal(10.0, 0.5, 400),
            "city": rng.choice(["Bonn", "Ulm", "Kiel"], 400),
            "noise": rng.choice(["a", "b"], 400),
            "debt": rng.normal(size=400),
        }
    )
    score = np.log(frame["income"]) - 10.0 + 1.5 * (frame["city"] == "Ulm")
    frame.loc[::9, "income"] = np.nan
    return frame, np.where(score + 0.3 * rng.normal(size=400) > 0.4, "yes", "no")


@pytest.fixture
def pipeline():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), _of_kind("object")), (numbers, _of_kind("number"))
    )
    return make_pipeline(columns, LogisticRegression())


class _of_kind:
    """A selector of columns that works on what is left of them."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, frame):
        numeric = frame.select_dtypes("number").columns
        wanted = numeric if self.kind == "number" else frame.columns.difference(numeric)
        return [name for name in frame.columns if name in wanted]


@parametrize_with_checks(
    [GradientImportance(SklearnLogisticRegression()), GradientImportance(Ridge())]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_importances_are_those_of_the_function_in_sum_one(pipeline, people):
    X, y = people
    model = GradientImportance(pipeline, aggregation="rms", response_method="predict_proba")
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "feature_importances_")
    model.fit(X, y)
    rated = gradient_importance(
        pipeline.fit(X, y), X, aggregation="rms", response_method="predict_proba"
    )
    total = rated.importances_mean.sum()
    rtol = arithmetic("float64")
    expected = rated.importances_mean / total
    np.testing.assert_allclose(model.feature_importances_, expected, rtol=rtol)
    np.testing.assert_allclose(model.standard_errors_, rated.standard_error / total, rtol=rtol)
    assert model.feature_names_in_.tolist() == COLUMNS
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.feature_importances_, model.feature_importances_)
    assert not hasattr(clone(model), "feature_importances_")


def test_a_linear_model_is_rated_by_its_coefficients():
    X, y = load_breast_cancer(return_X_y=True)
    X = X / X.std(axis=0) * np.geomspace(1e-1, 1e1, X.shape[1])
    model = GradientImportance(SklearnLogisticRegression(max_iter=1000)).fit(X, y)
    size = np.abs(model.estimator_.coef_[0]) * X.std(axis=0)
    rtol = coefficients("float64")
    np.testing.assert_allclose(model.feature_importances_, size / size.sum(), rtol=rtol)
    ours = Ridge(alpha=1e-3).fit(X, y)
    wrapped = GradientImportance(Ridge(alpha=1e-3)).fit(X, y).feature_importances_
    np.testing.assert_allclose(ours.feature_importances_, wrapped, rtol=rtol)


def test_weights_reach_the_model_and_the_importances():
    X, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(1).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    options = {"response_method": "predict_proba", "target": 1}
    model = GradientImportance(LogisticRegression(), **options)
    weighted = clone(model).fit(X, y, sample_weight=weight).feature_importances_
    repeated = clone(model).fit(X[rows], y[rows]).feature_importances_
    np.testing.assert_allclose(weighted, repeated, rtol=coefficients("float64"))
    with config_context(enable_metadata_routing=True):
        estimator = LogisticRegression().set_fit_request(sample_weight=True)
        routed = GradientImportance(estimator, **options).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(routed.feature_importances_, weighted)


def test_methods_are_those_of_the_model(people):
    X, y = load_iris(return_X_y=True)
    classifier = GradientImportance(LogisticRegression())
    assert is_classifier(classifier)
    assert is_regressor(GradientImportance(Ridge()))
    assert hasattr(classifier, "predict_proba")
    assert not hasattr(GradientImportance(Ridge()), "predict_proba")
    assert not hasattr(classifier, "transform")
    classifier.fit(X, y)
    inner = classifier.estimator_
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(classifier, method)(X), getattr(inner, method)(X))
    assert classifier.score(X, y) == inner.score(X, y)
    np.testing.assert_array_equal(classifier.classes_, [0, 1, 2])
    assert cross_val_score(classifier, X, y).mean() > 0.9
    search = GridSearchCV(classifier, {"estimator__C": [0.1, 1.0]}).fit(X, y)
    np.testing.assert_array_equal(
        gradient_importance(search, X).importances_mean,
        gradient_importance(search.best_estimator_.estimator_, X).importances_mean,
    )


@pytest.mark.parametrize("method", ["integrated", "expected", "smooth", "loss"])
def test_every_method_rates_columns(method, people, pipeline):
    X, y = people
    model = GradientImportance(pipeline, method=method, random_state=0).fit(X, list(y))
    assert set(np.argsort(model.feature_importances_)[-2:]) == {1, 2}
    assert model.feature_importances_.sum() == pytest.approx(1.0)


def test_trees_are_refused_and_leave_nothing_fitted():
    X, y = load_iris(return_X_y=True)
    model = GradientImportance(DecisionTreeClassifier())
    with pytest.raises(NonDifferentiableError, match="DecisionTreeClassifier"):
        model.fit(X, y)
    assert not hasattr(model, "feature_importances_")
    assert not hasattr(model, "estimator_")
    with pytest.raises(ValueError, match="aggregation"):
        GradientImportance(Ridge(), aggregation="mean").fit(X, y)


def test_columns_of_a_frame_are_selected_through_a_pipeline(pipeline, people):
    X, y = people
    for selector in (
        SelectFromModel(GradientImportance(pipeline)),
        SelectFromModel(pipeline, importance_getter=importance_getter(X)),
        SelectFromModel(
            pipeline, importance_getter=pickle.loads(pickle.dumps(importance_getter(X)))
        ),
    ):
        selector.set_output(transform="pandas")
        selected = selector.fit(X, y).transform(X)
        assert selected.columns.tolist() == ["income", "city"]
        pd.testing.assert_frame_equal(selected, X[["income", "city"]])


def test_columns_are_eliminated_one_after_the_other():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    eliminated = RFE(
        GradientImportance(Ridge(alpha=0.1)), n_features_to_select=3,
        importance_getter="feature_importances_",
    ).fit(X, y)  # fmt: skip
    left = list(X.columns)
    while len(left) > 3:
        model = Ridge(alpha=0.1).fit(X[left], y)
        left.pop(int(np.argmin(np.abs(model.coef_) * X[left].std())))
    assert eliminated.get_feature_names_out().tolist() == left


def test_a_getter_follows_dropped_columns(pipeline, people):
    X, y = people
    getter = importance_getter(X, aggregation="rms")
    some = X[["city", "income"]]
    np.testing.assert_array_equal(
        getter(pipeline.fit(some, y)),
        gradient_importance(pipeline, some, aggregation="rms").importances_mean,
    )
    nameless = Ridge().fit(X[["debt"]].to_numpy(), y == "yes")
    with pytest.raises(ValueError, match="1 columns without names"):
        getter(nameless)
