"""What a fit leaves behind, and callbacks."""

import numpy as np
import pandas as pd
import pytest
from problems import LINEAR_LOSSES
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris

from skgrad import (
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
from skgrad.solvers import SOLVERS, Newton

ESTIMATORS = [
    LogisticRegression(),
    LinearSVC(),
    LinearSVR(C=10.0),
    LinearRegression(alpha=0.1),
    Ridge(),
    Lasso(alpha=0.1),
    HuberRegressor(),
    QuantileRegressor(alpha=0.01),
    PoissonRegressor(),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@every_estimator
def test_history_is_a_table(estimator, iris):
    fitted = clone(estimator).fit(*iris)
    frame = pd.DataFrame(fitted.history_)
    assert list(frame) == ["loss", "gradient_norm", "step_size", "gap", "seconds", "passes"]
    assert len(frame) == np.max(fitted.n_iter_) >= 1
    assert frame["loss"].iloc[-1] <= frame["loss"].iloc[0]
    assert (frame["passes"].diff().dropna() > 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_estimator
@pytest.mark.parametrize("name", SOLVERS)
def test_solver_attribute_is_the_one_that_ran(estimator, name, iris):
    estimator = clone(estimator).set_params(solver=name, max_iter=3)
    try:
        fitted = estimator.fit(*iris)
    except ValueError as error:
        assert "needs" in str(error)  # noqa: PT017
        return
    assert type(fitted.solver_) is SOLVERS[name]
    assert fitted.solver == name
    given = SOLVERS[name]()
    assert (
        clone(estimator).set_params(solver=given).fit(*iris).solver_.get_params()
        == given.get_params()
    )


def test_auto_stores_its_choice(iris):
    clf = LogisticRegression().fit(*iris)
    assert isinstance(clf.solver_, Newton)
    assert clf.solver == "auto"


@every_estimator
def test_gap_and_convergence(estimator, iris):
    fitted = clone(estimator).fit(*iris)
    assert fitted.converged_ is True
    assert fitted.optimality_gap_ <= 1e-6
    assert isinstance(fitted.optimality_gap_, float)


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC()], ids=repr)
def test_sparsify_and_back(estimator, iris):
    X, y = iris
    fitted = clone(estimator).fit(X, y)
    expected, coef = fitted.decision_function(X), fitted.coef_.copy()
    fitted.sparsify()
    assert sparse.issparse(fitted.coef_)
    np.testing.assert_allclose(fitted.decision_function(X), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(fitted.densify().coef_, coef)


@pytest.mark.parametrize("warm_start", [True, False])
def test_a_sparsified_model_can_be_fitted_again(warm_start, iris):
    clf = LogisticRegression(l1_ratio=1.0, warm_start=warm_start).fit(*iris)
    coef = clf.coef_.copy()
    clf.sparsify().fit(*iris)
    np.testing.assert_allclose(clf.coef_, coef, rtol=1e-3, atol=1e-3)


def test_probabilities(iris):
    X, y = iris
    clf = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(
        clf.predict_proba(X), softmax(clf.decision_function(X), axis=1), rtol=1e-12
    )
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X)), clf.predict_proba(X), rtol=1e-12)
    two = LogisticRegression().fit(X[:100], y[:100])
    np.testing.assert_allclose(
        two.predict_proba(X)[:, 1], expit(two.decision_function(X)), rtol=1e-12
    )


@pytest.mark.parametrize("n_rows", [100, 150])
def test_log_probabilities_stay_finite_far_away(n_rows, iris):
    X, y = iris
    clf = LogisticRegression().fit(X[:n_rows], y[:n_rows])
    log_proba = clf.predict_log_proba(1e6 * X)
    assert np.isfinite(log_proba).all()
    assert log_proba.min() < -1e4
    np.testing.assert_allclose(clf.predict_proba(1e6 * X).sum(axis=1), 1.0)


def test_the_svm_has_no_probabilities(iris):
    assert not hasattr(LinearSVC().fit(*iris), "predict_proba")


def test_shapes_of_several_outputs(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    reg = LinearRegression().fit(X, y)
    assert (reg.coef_.shape, reg.intercept_.shape, reg.predict(X).shape) == ((2, 3), (2,), (40, 2))
    flat = LinearRegression().fit(X, y[:, 0])
    assert (flat.coef_.shape, np.ndim(flat.intercept_), flat.predict(X).shape) == ((3,), 0, (40,))
    assert LinearRegression(fit_intercept=False).fit(X, y).intercept_ == 0.0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "loss", [name for name in LINEAR_LOSSES if LINEAR_LOSSES[name].target == "continuous"]
)
def test_positive_coefficients(loss, dtype, rng):
    X = rng.normal(size=(80, 6)).astype(dtype)
    y = np.exp(0.5 * X @ [1.0, -1.0, 1.0, 0.0, -0.5, 0.2] + 0.3 * rng.normal(size=80))
    for alpha in [0.0, 0.02]:
        reg = LinearRegression(loss=loss, positive=True, alpha=alpha, l1_ratio=1.0)
        coef = reg.fit(X, y, rng.uniform(0.5, 2.0, 80)).coef_
        assert (coef >= 0).all()
        assert (coef[[1, 4]] == 0).all()


# Callbacks


class Recorder:
    """A callback that keeps what each iteration would predict, and can stop the fit."""

    def __init__(self, stop_after=None):
        self.stop_after, self.predictions = stop_after, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **data):
        pass

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator, **data):
        if context.task_name != "iteration":
            return False
        self.predictions.append(fitted_estimator.predict(X))
        return len(self.predictions) == self.stop_after


@every_estimator
def test_progress_bar(estimator, iris, capsys):
    pytest.importorskip("rich")
    plain = clone(estimator).fit(*iris)
    shown = clone(estimator).set_callbacks(ProgressBar()).fit(*iris)
    np.testing.assert_array_equal(shown.coef_, plain.coef_)
    assert type(estimator).__name__ in capsys.readouterr().out


def test_scoring_monitor_sees_each_iteration():
    X, y = load_diabetes(return_X_y=True)
    monitor = ScoringMonitor(scoring="r2")
    reg = LinearRegression(solver="gradient_descent").set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs()
    assert log is not None
    assert reg.score(X, y) > 0.5


@every_estimator
def test_a_callback_can_stop(estimator, iris):
    recorder = Recorder(stop_after=1)
    fitted = clone(estimator).set_params(tol=0.0).set_callbacks(recorder).fit(*iris)
    assert np.max(fitted.n_iter_) == len(recorder.predictions) == 1
    np.testing.assert_allclose(recorder.predictions[0], fitted.predict(iris[0]))


@every_estimator
def test_a_callback_sees_every_iteration(estimator, iris):
    recorder = Recorder()
    fitted = clone(estimator).set_callbacks(recorder).fit(*iris)
    assert len(recorder.predictions) == np.max(fitted.n_iter_)
    np.testing.assert_allclose(recorder.predictions[-1], fitted.predict(iris[0]))
