"""Defaults solve problems as they come: no scaling, no warning (here an error), the optimum."""

from functools import cache

import numpy as np
import pytest
from problems import LINEAR_LOSSES, ill_scaled
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from tolerances import SUBOPTIMALITY

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression

# Of a sum of losses over the rows.
ROUNDING = 1e-13
LIMIT = SUBOPTIMALITY["float64", "first"]


def ill_scaled_classes():
    rng = np.random.default_rng(0)
    X = ill_scaled(300, 12, rng)
    score = ((X - X.mean(axis=0)) / X.std(axis=0)) @ rng.normal(size=12)
    return X, (rng.random(300) < expit(score)).astype(int)


def ill_scaled_targets():
    rng = np.random.default_rng(0)
    X = ill_scaled(300, 12, rng)
    return X, ((X - X.mean(axis=0)) / X.std(axis=0)) @ rng.normal(size=12) + rng.normal(size=300)


@cache
def data(name):
    loaders = {
        "breast_cancer": load_breast_cancer,
        "digits": load_digits,
        "wine": load_wine,
        "diabetes": load_diabetes,
    }
    made = {"ill_scaled_classes": ill_scaled_classes, "ill_scaled_targets": ill_scaled_targets}
    return made[name]() if name in made else loaders[name](return_X_y=True)


def unscaled_diabetes():
    return load_diabetes(return_X_y=True, scaled=False)


def assert_best(estimator, X, y):
    """Fit, and compare with a fit to all digits."""
    estimator.fit(X, y)
    assert estimator.converged_
    reached = objective_value(estimator, X, y)
    best = reached
    for coef, intercept in better_answers(estimator, X, y):
        best = min(best, objective_value(estimator, X, y, coef, intercept))
    assert reached - best <= LIMIT * abs(best)
    if estimator.gap_is_certified_:
        assert reached - best <= estimator.optimality_gap_ * abs(reached) + ROUNDING * abs(best)


def better_answers(estimator, X, y):
    """Yield the answers of tighter fits, by the default and by another solver."""
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils._testing import ignore_warnings

    tight = clone(estimator).set_params(tol=1e-9, max_iter=2000)
    with ignore_warnings(category=ConvergenceWarning):
        tight.fit(X, y)
    yield tight.coef_, tight.intercept_


def objective_value(estimator, X, y, coef=None, intercept=None):
    """The user's objective at these coefficients (the fitted ones by default)."""
    coef = estimator.coef_ if coef is None else coef
    intercept = estimator.intercept_ if intercept is None else intercept
    problem = estimator._problem(X, y, None, first=False)
    raw = X @ np.atleast_2d(coef).T + intercept
    values = problem.loss.value(problem.y, raw)
    weight = 1.0 if problem.sample_weight is None else problem.sample_weight
    total = problem.total_weight or np.sum(np.broadcast_to(weight, (len(X), 1)))
    return np.sum(weight * values) / total + problem.penalty.value(np.atleast_2d(coef))


CLASSES = ["breast_cancer", "digits", "wine", "ill_scaled_classes"]
TARGETS = ["diabetes", "ill_scaled_targets"]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", CLASSES)
def test_logistic_regression(name, l1_ratio):
    assert_best(LogisticRegression(l1_ratio=l1_ratio), *data(name))


def test_logistic_regression_without_penalty_does_not_warn():
    X, y = data("ill_scaled_classes")
    assert LogisticRegression(C=np.inf).fit(X, y).score(X, y) > 0.7


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("name", CLASSES)
def test_linear_svc(name, loss):
    assert_best(LinearSVC(loss=loss), *data(name))


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
@pytest.mark.parametrize("C", [1.0, 100.0])
@pytest.mark.parametrize("name", TARGETS)
def test_linear_svr(name, C, loss):
    assert_best(LinearSVR(C=C, loss=loss, epsilon=0.1), *data(name))


@pytest.mark.parametrize(
    "penalty",
    [
        {},
        {"alpha": 0.1},
        {"alpha": 0.1, "l1_ratio": 0.5},
        {"alpha": 0.1, "l1_ratio": 1.0},
        {"positive": True},
        {"alpha": 0.01, "l1_ratio": 1.0, "positive": True},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "name", [name for name in LINEAR_LOSSES if LINEAR_LOSSES[name].target == "continuous"]
)
def test_linear_regression(name, penalty):
    for X, y in [data("diabetes"), unscaled_diabetes(), data("ill_scaled_targets")]:
        y = np.round(np.exp(y / np.abs(y).max())) if name == "poisson" else y
        assert_best(LinearRegression(loss=name, **penalty), X, y)


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(), LinearSVC(loss="hinge")])
def test_float32_does_not_warn(estimator):
    for name in CLASSES:
        X, y = data(name)
        fitted = estimator.fit(X.astype(np.float32), y)
        assert fitted.coef_.dtype == np.float32


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_regression_in_float32_does_not_warn(loss):
    for name in TARGETS:
        X, y = data(name)
        fitted = LinearRegression(loss=loss, alpha=0.1, l1_ratio=0.5).fit(X.astype(np.float32), y)
        assert fitted.coef_.dtype == np.float32


def test_more_columns_than_rows(rng):
    X = rng.normal(size=(20, 100))
    for y in [rng.normal(size=20), X[:, 0]]:
        for options in [{}, {"alpha": 0.1}, {"alpha": 0.1, "l1_ratio": 1.0}]:
            assert LinearRegression(**options).fit(X, y).converged_
    assert LogisticRegression().fit(X, X[:, 0] > 0).converged_
    assert LinearSVC().fit(X, X[:, 0] > 0).converged_


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["breast_cancer", "wine", "ill_scaled_classes"])
def test_logistic_regression_is_certified(name, l1_ratio):
    clf = LogisticRegression(l1_ratio=l1_ratio).fit(*data(name))
    assert clf.gap_is_certified_
    assert clf.optimality_gap_ <= LIMIT


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("name", CLASSES)
def test_linear_svc_is_certified(name, loss):
    clf = LinearSVC(loss=loss).fit(*data(name))
    assert clf.gap_is_certified_
    assert clf.optimality_gap_ <= LIMIT


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "loss", ["squared_error", "epsilon_insensitive", "squared_epsilon_insensitive", "huber"]
)
@pytest.mark.parametrize("name", TARGETS)
def test_linear_regression_is_certified(name, loss, l1_ratio):
    reg = LinearRegression(loss, alpha=0.1, l1_ratio=l1_ratio).fit(*data(name))
    assert reg.gap_is_certified_
    assert reg.optimality_gap_ <= LIMIT
