"""Learning bit by bit: partial_fit, warm starts, early stopping."""

import pickle

import numpy as np
import pytest
from problems import LINEAR_SOLVERS
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression
from skgrad.solvers import SGD, SOLVERS, Adam

ESTIMATORS = [LogisticRegression(), LinearSVC(), LinearSVR(), LinearRegression(alpha=0.1)]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
every_stochastic = pytest.mark.parametrize(
    "name", [name for name in LINEAR_SOLVERS if SOLVERS[name].stochastic]
)
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def draw(estimator, rng, n_samples=100):
    X = rng.normal(size=(n_samples, 4)) + 1.0
    y = X @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=n_samples)
    return (
        (X, np.array(["no", "yes"])[(y > 0.5).astype(int)]) if is_classifier(estimator) else (X, y)
    )


def first_call(estimator, y):
    return {"classes": np.unique(y)} if is_classifier(estimator) else {}


def assert_equal(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)


@quiet
@every_stochastic
@every_estimator
def test_partial_fit_k_times_is_fit_with_k_iterations(estimator, name, rng):
    X, y = draw(estimator, rng)
    solver = SOLVERS[name](learning_rate=0.01)
    estimator = clone(estimator).set_params(solver=solver, random_state=3, tol=0.0, max_iter=4)
    whole = clone(estimator).fit(X, y)
    stream = clone(estimator)
    for _ in range(4):
        stream.partial_fit(X, y, **first_call(estimator, y))
    assert_equal(stream, whole)
    assert np.max(stream.n_iter_) == 4
    for key in ["loss", "step_size", "gradient_norm"]:
        np.testing.assert_array_equal(stream.history_[key], whole.history_[key])


@quiet
@pytest.mark.parametrize("schedule", ["cosine", "inverse_scaling", "auto"])
def test_partial_fit_follows_the_schedule(schedule, rng):
    X, y = draw(LogisticRegression(), rng)
    clf = LogisticRegression(solver=Adam(schedule), random_state=0, tol=0.0, max_iter=6)
    whole, stream = clone(clf).fit(X, y), clone(clf)
    for _ in range(6):
        stream.partial_fit(X, y, classes=["no", "yes"])
    assert_equal(stream, whole)


@quiet
def test_a_pickled_stream_goes_on(rng):
    X, y = draw(LinearRegression(), rng)
    reg = LinearRegression(solver=SGD(momentum=0.9), random_state=0).partial_fit(X, y)
    copy = pickle.loads(pickle.dumps(reg))
    assert_equal(reg.partial_fit(X, y), copy.partial_fit(X, y))


@quiet
@every_estimator
def test_chunks_are_learned(estimator, rng):
    X, y = draw(estimator, rng, n_samples=4000)
    stream = clone(estimator).set_params(random_state=0)
    for start in range(0, 4000, 500):
        rows = slice(start, start + 500)
        stream.partial_fit(X[rows], y[rows], **first_call(estimator, y))
    assert stream.score(X, y) > clone(estimator).fit(X, y).score(X, y) - 0.05


@quiet
def test_the_first_chunk_need_not_hold_all_classes(rng):
    X = rng.normal(size=(90, 2)) + np.repeat(4 * np.eye(3)[:, :2], 30, axis=0)
    y = np.repeat(["a", "b", "c"], 30)
    clf = LogisticRegression(random_state=0)
    for chunk in [slice(0, 60), slice(30, 90), slice(0, 90), slice(0, 90)]:
        clf.partial_fit(X[chunk], y[chunk], classes=["a", "b", "c"])
    assert clf.coef_.shape == (3, 2)
    assert clf.score(X, y) > 0.9


@quiet
def test_weights_in_a_stream(rng):
    X, y = draw(LinearRegression(), rng)
    twice = np.repeat(X, 2, axis=0), np.repeat(y, 2)
    options = {"solver": SGD(0.1, batch_size=1000), "random_state": 0}
    repeated = LinearRegression(**options).partial_fit(*twice)
    weighted = LinearRegression(**options).partial_fit(X, y, sample_weight=np.full(100, 2.0))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-10)


def test_partial_fit_refuses_what_it_cannot_do(rng):
    X, y = draw(LogisticRegression(), rng)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        LogisticRegression().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"LBFGS needs all data at once.*Use SGD"):
        LogisticRegression(solver="lbfgs").partial_fit(X, y, classes=["no", "yes"])
    with pytest.raises(ValueError, match="class_weight='balanced'"):
        LogisticRegression(class_weight="balanced").partial_fit(X, y, classes=["no", "yes"])
    with pytest.raises(ValueError, match="early_stopping"):
        LogisticRegression(early_stopping=True).partial_fit(X, y, classes=["no", "yes"])
    clf = LogisticRegression().partial_fit(X, y, classes=["no", "yes"])
    with pytest.raises(ValueError, match="not the same as on the last call"):
        clf.partial_fit(X, y, classes=["no", "maybe"])
    with pytest.raises(ValueError, match=r"'maybe'.* not among the classes"):
        clf.partial_fit(X, np.where(y == "no", "maybe", y))
    with pytest.raises(ValueError, match="X has 3 features"):
        clf.partial_fit(X[:, :3], y)


@quiet
def test_partial_fit_after_fit_starts_there(rng):
    X, y = draw(LinearRegression(), rng)
    reg = LinearRegression(alpha=0.1).fit(X, y)
    best = reg.coef_.copy()
    reg.set_params(solver=SGD(1e-6)).partial_fit(X, y)
    np.testing.assert_allclose(reg.coef_, best, rtol=1e-4)


@quiet
def test_fit_forgets_a_stream(rng):
    X, y = draw(LinearRegression(), rng)
    options = {"solver": SGD(0.01), "random_state": 0, "max_iter": 3}
    fresh = LinearRegression(**options).fit(X, y)
    used = LinearRegression(**options).partial_fit(X, -y).partial_fit(X, -y).fit(X, y)
    assert_equal(fresh, used)


# Warm starts


@every_estimator
def test_a_warm_start_at_the_optimum_ends_at_once(estimator, rng):
    X, y = draw(estimator, rng)
    estimator = clone(estimator).set_params(warm_start=True)
    first = estimator.fit(X, y)
    cold, coef = np.max(first.n_iter_), first.coef_.copy()
    warm = np.max(estimator.fit(X, y).n_iter_)
    assert warm <= cold
    np.testing.assert_allclose(estimator.coef_, coef, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("solver", ["lbfgs", "gradient_descent"])
def test_a_warm_start_saves_iterations(solver, rng):
    X, y = load_breast_cancer(return_X_y=True)
    clf = LogisticRegression(solver=solver, warm_start=True, max_iter=20_000).fit(X, y)
    cold = clf.n_iter_[0]
    assert clf.set_params(C=1.01).fit(X, y).n_iter_[0] < cold


@quiet
def test_a_warm_start_begins_at_the_coefficients(rng):
    X, y = draw(LinearRegression(), rng)
    reg = LinearRegression(solver=SGD(1e-9), warm_start=True, max_iter=1).fit(X, y)
    reg.coef_, reg.intercept_ = np.array([5.0, 6.0, 7.0, 8.0]), 9.0
    reg.fit(X, y)
    np.testing.assert_allclose(reg.coef_, [5.0, 6.0, 7.0, 8.0], rtol=1e-5)
    assert reg.intercept_ == pytest.approx(9.0, rel=1e-5)


def test_without_warm_start_fits_do_not_see_each_other(rng):
    X, y = draw(LinearRegression(), rng)
    reg = LinearRegression(loss="huber", solver="lbfgs")
    first = reg.fit(X, y).coef_.copy()
    reg.fit(X, -y)
    np.testing.assert_array_equal(reg.fit(X, y).coef_, first)


def test_a_warm_start_with_another_shape_starts_afresh(rng):
    X, y = draw(LogisticRegression(), rng)
    clf = LogisticRegression(warm_start=True).fit(X, y)
    assert clf.fit(X[:, :2], y).coef_.shape == (1, 2)
    three = np.array(["a", "b", "c"])[np.arange(100) % 3]
    assert clf.fit(X, three).coef_.shape == (3, 4)


# Early stopping


@quiet
@every_estimator
@pytest.mark.parametrize("solver", ["sgd", "auto"])
def test_early_stopping_keeps_the_best_validation_loss(estimator, solver, rng):
    X, y = draw(estimator, rng, n_samples=300)
    estimator = clone(estimator).set_params(
        early_stopping=True, solver=solver, random_state=0, n_iter_no_change=3, max_iter=200
    )
    estimator.fit(X, y)
    losses = estimator.history_["validation_loss"]
    assert len(losses) == len(estimator.history_["loss"]) == np.max(estimator.n_iter_)
    assert np.max(estimator.n_iter_) < 200
    assert estimator.converged_


@quiet
def test_early_stopping_stops_overfitting(rng):
    X = rng.normal(size=(80, 60))
    y = X[:, 0] + 2 * rng.normal(size=80)
    options = {"solver": SGD(0.05), "max_iter": 3000, "tol": 1e-4, "random_state": 0}
    plain = LinearRegression(**options).fit(X, y)
    stopped = LinearRegression(**options, early_stopping=True).fit(X, y)
    X_new = rng.normal(size=(2000, 60))
    y_new = X_new[:, 0] + 2 * rng.normal(size=2000)
    assert stopped.n_iter_ < plain.n_iter_
    assert stopped.score(X_new, y_new) > plain.score(X_new, y_new)


@quiet
def test_validation_rows_are_stratified_and_their_share_is_kept(rng):
    X = scale(rng.normal(size=(200, 3)))
    y = np.array([0] * 180 + [1] * 20)
    clf = LogisticRegression(early_stopping=True, validation_fraction=0.5, random_state=0)
    held_out = clf._hold_out(clf._problem(X, y, None, first=True), np.random.default_rng(0))[1]
    assert len(held_out.y) == 100
    assert held_out.y.sum() == 10


def test_max_iter_too_low_warns_with_advice(rng):
    X, y = draw(LogisticRegression(), rng)
    clf = LogisticRegression(solver="gradient_descent", max_iter=1)
    with pytest.warns(ConvergenceWarning, match=r"1 iterations.*Raise max_iter \(now 1\)"):
        clf.fit(X, y)
    assert clf.converged_ is False
    assert clf.optimality_gap_ > 1e-7
