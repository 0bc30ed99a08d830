"""Inside scikit-learn's meta-estimators."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skgrad import (
    HuberRegressor,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from skgrad.solvers import SGD, Adam

ESTIMATORS = [
    LogisticRegression(),
    LinearSVC(),
    LinearSVR(C=10.0),
    LinearRegression(),
    Ridge(),
    HuberRegressor(),
    QuantileRegressor(alpha=0.1),
    PoissonRegressor(),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.mark.parametrize(
    "meta",
    [
        CalibratedClassifierCV(LinearSVC(), cv=3),
        OneVsRestClassifier(LogisticRegression()),
        OneVsRestClassifier(LinearSVC(), n_jobs=2),
        BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0),
        VotingClassifier([("a", LogisticRegression()), ("b", LinearSVC())]),
        VotingClassifier(
            [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))], voting="soft"
        ),
        StackingClassifier([("a", LinearSVC())], LogisticRegression(), cv=3),
        make_pipeline(
            FeatureUnion([("plain", StandardScaler()), ("pairs", PolynomialFeatures(2))]),
            LinearSVC(),
        ),
        make_pipeline(SelectFromModel(LogisticRegression(l1_ratio=1.0, C=0.1)), LinearSVC()),
        RFE(LogisticRegression(), n_features_to_select=5, step=4),
    ],
    ids=lambda meta: type(meta).__name__,
)
def test_classifiers(meta, wine):
    assert meta.fit(*wine).score(*wine) > 0.9


def test_selection_by_coefficients(wine):
    selector = SelectFromModel(LogisticRegression(l1_ratio=1.0, C=0.1)).fit(*wine)
    assert 0 < selector.get_support().sum() < 13
    np.testing.assert_array_equal(
        selector.get_support(), np.abs(selector.estimator_.coef_).sum(axis=0) > 1e-5
    )


def test_multi_output(wine):
    X, y = wine
    both = np.column_stack([y, y == 1])
    assert MultiOutputClassifier(LogisticRegression()).fit(X, both).predict(X).shape == (178, 2)
    X, y = load_diabetes(return_X_y=True)
    separate = MultiOutputRegressor(LinearSVR(C=10.0)).fit(X, np.column_stack([y, -y]))
    np.testing.assert_allclose(separate.predict(X).sum(axis=1), 0.0, atol=1e-2)


@every_estimator
def test_clones_and_pickles(estimator, wine):
    X, y = wine
    assert clone(estimator).get_params() == estimator.get_params()
    fitted = clone(estimator).fit(X, y)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict(X), fitted.predict(X))
    assert len(pickle.dumps(fitted)) < X.nbytes + 20_000
    wide = clone(estimator).fit(np.repeat(X, 10, axis=0), np.repeat(y, 10))
    grown = len(pickle.dumps(wide)) - len(pickle.dumps(fitted))
    assert grown < X.nbytes / 2  # no data inside


@every_estimator
def test_repr_is_short_and_runs(estimator):
    assert eval(repr(estimator)).get_params() == estimator.get_params()
    assert "solver=Adam(learning_rate=0.1)" in repr(clone(estimator).set_params(solver=Adam(0.1)))


def test_set_output_pandas(wine):
    X, y = load_wine(return_X_y=True, as_frame=True)
    pipe = make_pipeline(
        StandardScaler(), SelectFromModel(LinearSVC(), max_features=4), LogisticRegression()
    ).set_output(transform="pandas")
    pipe.fit(X, y)
    assert isinstance(pipe[:-1].transform(X), pd.DataFrame)
    assert list(pipe[-1].feature_names_in_) == list(pipe[:-1].get_feature_names_out())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_estimator
def test_one_solver_object_in_parallel_fits(estimator, wine):
    X, y = wine
    clf = clone(estimator).set_params(solver=SGD(), max_iter=20, tol=0.1, random_state=0)
    one = GridSearchCV(clf, {"fit_intercept": [True, False]}, cv=3, n_jobs=1).fit(X, y)
    with joblib.parallel_backend("threading"):
        two = GridSearchCV(clf, {"fit_intercept": [True, False]}, cv=3, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )


def test_metadata_routing(wine):
    X, y = wine
    weight = np.linspace(0.1, 1.0, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        clf = LogisticRegression().set_fit_request(sample_weight=True)
        clf.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, clf).fit(X, y, sample_weight=weight)
        search = GridSearchCV(clf, {"C": [1.0]}, cv=3).fit(X, y, sample_weight=weight)
        for estimator in ESTIMATORS:
            clone(estimator).set_fit_request(sample_weight=True)
            if hasattr(estimator, "partial_fit"):
                clone(estimator).set_partial_fit_request(sample_weight=True)
    direct = LogisticRegression().fit(StandardScaler().fit_transform(X), y, weight)
    np.testing.assert_allclose(pipe[-1].coef_, direct.coef_, rtol=1e-5, atol=1e-7)
    expected = LogisticRegression().fit(X, y, weight).coef_
    np.testing.assert_allclose(search.best_estimator_.coef_, expected, rtol=1e-5, atol=1e-7)
