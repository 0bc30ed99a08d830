"""Solvers in a grid of parameters."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgrad import LinearRegression, LinearSVC, LogisticRegression
from skgrad.losses import Huber
from skgrad.solvers import LBFGS, SGD, SOLVERS, AdaGrad, Adam, Newton, RMSProp

pytestmark = pytest.mark.filterwarnings("ignore:.*has not converged:UserWarning")


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def pipeline(**parameters):
    return Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression(**parameters))])


def test_grid_of_solver_objects(iris):
    solvers = [SGD(learning_rate=0.1), Adam(), RMSProp(), AdaGrad(), LBFGS(), Newton()]
    before = deepcopy(solvers)
    search = GridSearchCV(pipeline(max_iter=50, random_state=0), {"clf__solver": solvers}, cv=3)
    search.fit(*iris)
    assert search.best_score_ > 0.9
    assert len(search.cv_results_["params"]) == len(solvers)
    assert {type(s) for s in search.cv_results_["param_clf__solver"]} == set(map(type, solvers))
    assert list(map(vars, solvers)) == list(map(vars, before))


def test_grid_of_solver_names_and_their_parameters(iris):
    grid = {
        "clf__solver": ["sgd", "adam", "lbfgs"],
        "clf__solver__learning_rate": [0.01, 0.3],
    }
    search = GridSearchCV(pipeline(max_iter=30, random_state=0), grid, cv=3).fit(*iris)
    assert len(search.cv_results_["params"]) == 6
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()
    best = search.best_estimator_["clf"].solver_
    assert best.name == search.best_params_["clf__solver"]
    assert best.learning_rate == search.best_params_["clf__solver__learning_rate"]


# Solvers that are made of others leave rates to their parts; SDCA's steps are exact.
WITHOUT_RATE = {"chain", "multi_start", "sdca"}


@pytest.mark.parametrize("name", sorted(SOLVERS.keys() - WITHOUT_RATE))
def test_every_solver_takes_a_learning_rate_by_name(name):
    clf = LogisticRegression().set_params(solver=name, solver__learning_rate=0.25)
    assert type(clf.solver) is SOLVERS[name]
    assert clf.solver.learning_rate == 0.25
    assert clf.get_params()["solver__learning_rate"] == 0.25


def test_a_promoted_name_belongs_to_one_clone(iris):
    from sklearn.base import clone

    original = LogisticRegression(solver="adam")
    copy = clone(original).set_params(solver__learning_rate=0.5)
    assert original.solver == "adam"
    other = clone(copy).set_params(solver__learning_rate=0.1)
    assert copy.solver.learning_rate == 0.5
    assert other.solver.learning_rate == 0.1


def test_auto_has_no_parameters():
    with pytest.raises(ValueError, match="solver='auto' has no parameters"):
        LogisticRegression().set_params(solver__learning_rate=0.1)


def test_parameters_of_a_loss_by_name():
    reg = LinearRegression(loss="huber").set_params(loss__delta=3.0)
    assert isinstance(reg.loss, Huber)
    assert reg.loss.delta == 3.0
    X, y = load_diabetes(return_X_y=True)
    search = GridSearchCV(LinearRegression(loss="huber"), {"loss__delta": [0.5, 50.0]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.3


def test_unknown_parameters_of_a_solver_are_refused():
    with pytest.raises(ValueError, match="Invalid parameter 'memory'"):
        LogisticRegression(solver="adam").set_params(solver__memory=3)


def test_other_searches(iris):
    halving = HalvingGridSearchCV(
        pipeline(random_state=0), {"clf__C": [0.1, 1.0, 10.0]}, random_state=0, cv=3
    )
    assert halving.fit(*iris).best_score_ > 0.9
    randomized = RandomizedSearchCV(
        pipeline(random_state=0), {"clf__C": loguniform(1e-2, 1e2)}, n_iter=3, random_state=0, cv=3
    )
    assert randomized.fit(*iris).best_score_ > 0.9


def test_two_processes_give_the_same_scores(iris):
    grid = {"clf__solver": [SGD(), "lbfgs"]}
    one, two = (
        GridSearchCV(pipeline(max_iter=20, random_state=0), grid, cv=3, n_jobs=n_jobs).fit(*iris)
        for n_jobs in [1, 2]
    )
    scores = [search.cv_results_["mean_test_score"] for search in (one, two)]
    np.testing.assert_array_equal(*scores)


def test_cross_validate_returns_estimators(iris):
    scores = cross_validate(
        LinearSVC(), *iris, cv=3, return_estimator=True, return_train_score=True
    )
    assert scores["test_score"].mean() > 0.9
    assert all(estimator.converged_ for estimator in scores["estimator"])


def table(n_rows=200):
    """A data frame with numbers and categories, and string labels."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows),
            "income": rng.lognormal(10, 1, n_rows),
            "city": rng.choice(["Bern", "Oslo", "Rome"], n_rows),
        }
    )
    late = (frame["age"] > 50) ^ (rng.random(n_rows) < 0.1)
    return frame, late.map({True: "late", False: "on time"})


def test_data_frame_with_categories_and_string_labels():
    X, y = table()
    columns = ColumnTransformer(
        [("number", StandardScaler(), ["age", "income"]), ("category", OneHotEncoder(), ["city"])]
    )
    pipe = make_pipeline(columns, LogisticRegression())
    grid = {"logisticregression__solver": [SGD(), Adam(), LBFGS(), Newton()]}
    search = GridSearchCV(pipe, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.8
    assert set(search.predict(X)) == {"late", "on time"}
    assert search.predict_proba(X).shape == (200, 2)


def test_data_frames_give_names_to_features():
    X, y = load_wine(return_X_y=True, as_frame=True)
    clf = LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(clf.feature_names_in_, X.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        clf.predict(X[X.columns[::-1]])
