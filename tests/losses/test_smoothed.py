"""Smoothed losses: their definition, known cases, and life in estimators."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV
from tolerances import COEFFICIENTS, FINITE_DIFFERENCE

from skgrad import LinearRegression, LinearSVC, MLPClassifier, MLPRegressor
from skgrad.losses import (
    AbsoluteError,
    EpsilonInsensitive,
    Hinge,
    Huber,
    Logistic,
    Multinomial,
    MultiQuantile,
    Quantile,
    Smoothed,
    SquaredError,
    get_loss,
)
from skgrad.solvers import LBFGS, SGD, Newton

MU = 0.3
KINKED = [AbsoluteError(), Quantile(0.8), EpsilonInsensitive(0.2), Hinge()]
every_loss = pytest.mark.parametrize("loss", [*KINKED, SquaredError()], ids=repr)


def draw(loss, n=60, dtype="float64"):
    rng = np.random.default_rng(0)
    y = rng.choice([-1.0, 1.0], size=(n, 2)) if loss.target == "sign" else rng.normal(size=(n, 2))
    return y.astype(dtype), (1.5 * rng.normal(size=(n, 2))).astype(dtype)


@every_loss
def test_value_is_the_envelope(loss):
    y, raw = draw(loss, n=10)
    values = Smoothed(loss, MU).value(y, raw)
    for index in np.ndindex(raw.shape):
        target, z = y[index].reshape(1, 1), raw[index]

        def cost(u, target=target, z=z):
            return loss.value(target, np.array([[u]]))[0, 0] + (u - z) ** 2 / (2 * MU)

        best = minimize_scalar(
            cost, bounds=(z - 2, z + 2), options={"xatol": 1e-12}, method="bounded"
        )
        assert values[index] == pytest.approx(best.fun, abs=1e-8)


@every_loss
def test_derivatives(loss):
    y, raw = draw(loss)
    smoothed, h = Smoothed(loss, MU), 1e-6
    slope = (smoothed.value(y, raw + h) - smoothed.value(y, raw - h)) / (2 * h)
    np.testing.assert_allclose(smoothed.gradient(y, raw), slope, atol=FINITE_DIFFERENCE)
    curve = (smoothed.gradient(y, raw + h) - smoothed.gradient(y, raw - h)) / (2 * h)
    np.testing.assert_allclose(smoothed.curvature(y, raw), curve, atol=FINITE_DIFFERENCE)
    assert curve.max() <= smoothed.max_curvature * (1 + FINITE_DIFFERENCE)


@every_loss
def test_fenchel_young_is_an_equality_at_the_gradient(loss):
    y, raw = draw(loss)
    smoothed = Smoothed(loss, MU)
    dual = smoothed.gradient(y, raw)
    sides = smoothed.value(y, raw) + smoothed.conjugate(y, dual), dual * raw
    np.testing.assert_allclose(*sides, atol=1e-12)


@every_loss
def test_prox_is_stationary(loss):
    y, raw = draw(loss)
    smoothed = Smoothed(loss, MU)
    for step in [0.1, np.full_like(raw, 2.0)]:
        point = smoothed.prox(y, raw, step)
        np.testing.assert_allclose(step * smoothed.gradient(y, point), raw - point, atol=1e-12)


@pytest.mark.parametrize("loss", KINKED, ids=repr)
def test_it_is_below_the_loss_by_half_of_mu_at_most(loss):
    y, raw = draw(loss)
    excess = loss.value(y, raw) - Smoothed(loss, MU).value(y, raw)
    assert excess.min() >= -1e-15
    assert excess.max() == pytest.approx(MU / 2 * np.abs(loss.gradient(y, raw)).max() ** 2)
    np.testing.assert_allclose(Smoothed(loss, 1e-9).value(y, raw), loss.value(y, raw), atol=1e-9)


def test_the_absolute_error_becomes_huber():
    y, raw = draw(AbsoluteError())
    huber, smoothed = Huber(delta=MU), Smoothed(AbsoluteError(), MU)
    for one, other in [
        (smoothed.value, huber.value),
        (smoothed.gradient, huber.gradient),
        (smoothed.curvature, huber.curvature),
    ]:
        np.testing.assert_allclose(one(y, raw), other(y, raw) / MU, rtol=1e-12)


@every_loss
def test_float32_stays(loss):
    y, raw = draw(loss, dtype="float32")
    smoothed = Smoothed(loss, np.float64(MU))
    results = [
        *smoothed.value_and_gradient(y, raw), smoothed.gradient(y, raw),
        smoothed.curvature(y, raw), smoothed.prox(y, raw, 0.5), smoothed.conjugate(y, raw),
    ]  # fmt: skip
    assert {result.dtype for result in results} == {np.dtype("float32")}


@pytest.mark.parametrize("loss", [Logistic(), Multinomial(), MultiQuantile((0.2, 0.8))], ids=repr)
def test_losses_without_a_proximal_operator_are_refused(loss):
    with pytest.raises(ValueError, match=f"Hinge, AbsoluteError.*{type(loss).__name__} has none"):
        get_loss(Smoothed(loss))


def test_bad_widths_are_refused():
    for mu in [0.0, -1.0, "wide"]:
        with pytest.raises(ValueError, match="'mu'"):
            get_loss(Smoothed(Hinge(), mu))


# Estimators


def test_regressors_take_smooth_solvers_and_agree():
    X, y = load_diabetes(return_X_y=True)
    huber = LinearRegression(Huber(20.0), alpha=0.0, tol=1e-12).fit(X, y)
    for solver in ["auto", Newton(), LBFGS()]:
        reg = LinearRegression(Smoothed(AbsoluteError(), 20.0), alpha=0.0, solver=solver, tol=1e-12)
        np.testing.assert_allclose(reg.fit(X, y).coef_, huber.coef_, rtol=COEFFICIENTS["float64"])


def test_a_narrow_smoothing_comes_near_the_minimum_of_the_loss():
    X, y = load_breast_cancer(return_X_y=True)
    exact = LinearSVC(loss="hinge", C=0.1).fit(X, y)
    gaps = []
    for mu in [0.3, 0.03, 0.003]:
        clf = LinearSVC(loss=Smoothed(Hinge(), mu), C=0.1).fit(X, y)
        raw = np.where(y == 1, 1.0, -1.0) * clf.decision_function(X)
        hinge = np.maximum(1.0 - raw, 0.0).mean()
        value = hinge + float(np.sum(clf.coef_**2)) / (2 * 0.1 * len(y))
        gaps.append(value - exact.history_["loss"][-1])
        assert 0 <= gaps[-1] <= mu / 2
    assert gaps[0] > gaps[1] > gaps[2]


def test_classifiers_search_over_mu():
    X, y = load_breast_cancer(return_X_y=True)
    clf = LinearSVC(loss=Smoothed(Hinge()), C=0.1)
    search = GridSearchCV(clf, {"loss__mu": [0.01, 1.0]}, cv=3, error_score="raise").fit(X, y)
    assert search.best_estimator_.loss.mu in (0.01, 1.0)
    assert search.best_score_ > 0.93
    assert clone(clf).loss.get_params()["mu"] == 0.1
    with pytest.raises(ValueError, match="labels of -1 and \\+1"):
        LinearSVC(loss=Smoothed(AbsoluteError())).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_and_stochastic_solvers():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    net = MLPClassifier((5,), loss=Smoothed(Hinge(), 0.5), solver="lbfgs", random_state=0)
    assert net.fit(X, y).score(X, y) > 0.95
    assert not hasattr(net, "predict_proba")
    svm = LinearSVC(loss=Smoothed(Hinge(), 0.5), solver=SGD("cosine"), random_state=0).fit(X, y)
    assert svm.score(X, y) > 0.95
    X, y = load_diabetes(return_X_y=True)
    reg = MLPRegressor((5,), "tanh", loss=Smoothed(Quantile(0.9), 5.0), random_state=0)
    assert np.mean(y <= reg.fit(X, y).predict(X)) > 0.8
