"""Scores of rows, and the audit of convergence by the stationarity identity."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as peers
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tolerances import FINITE_DIFFERENCE, arithmetic

from skgrad import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    MLPRegressor,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from skgrad.inspection import loss_sensitivity

EXACT = arithmetic("float64")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4)) * [1.0, 2.0, 0.5, 1.0]
    score = X @ [1.0, -0.5, 0.7, 0.0] + rng.logistic(size=120)
    targets = {
        "binary": (score > 0).astype(int),
        "classes": np.digitize(score, [-1.0, 1.0]),
        "real": score,
        "counts": rng.poisson(np.exp(0.2 * X[:, 0])),
        "two": np.column_stack([score, -X[:, 1]]),
    }
    return X, targets


LINEAR = [
    (LogisticRegression(tol=1e-12), "binary"),
    (LogisticRegression(class_weight="balanced", tol=1e-12), "binary"),
    (LogisticRegression(tol=1e-12), "classes"),
    (LogisticRegression(C=0.05, l1_ratio=0.7, tol=1e-12), "classes"),
    (peers.LogisticRegression(solver="newton-cholesky", tol=1e-10), "binary"),
    (peers.LogisticRegression(tol=1e-10, max_iter=10_000), "classes"),
    (LinearRegression(tol=1e-12), "real"),
    (LinearRegression(fit_intercept=False), "real"),
    (LinearRegression(alpha=0.1, positive=True), "real"),
    (Ridge(alpha=3.0), "two"),
    (peers.Ridge(alpha=3.0), "two"),
    (Lasso(alpha=0.1, tol=1e-10), "real"),
    (peers.Lasso(alpha=0.1, tol=1e-12), "real"),
    (peers.ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-12), "real"),
    (PoissonRegressor(alpha=0.2, tol=1e-13), "counts"),
    (peers.PoissonRegressor(alpha=0.2, tol=1e-10), "counts"),
]


@pytest.mark.parametrize(("model", "kind"), LINEAR, ids=lambda case: str(case)[:60])
def test_gradient_of_the_objective_is_zero_at_the_optimum(data, model, kind):
    X, y = data[0], data[1][kind]
    weight = 1.0 + np.arange(120) % 3
    result = loss_sensitivity(model.fit(X, y, sample_weight=weight), X, y, sample_weight=weight)
    assert result.converged
    assert result.residual < 1e-6
    # The penalty alone, or the scores alone, would not do.
    if getattr(model, "fit_intercept", True) and kind == "binary" and model.class_weight is None:
        np.testing.assert_allclose(result.score_mean[0][:, -1], 0.0, atol=1e-9)
        assert np.abs(result.score_mean[0][:, :-1]).max() > 1e-5
    other = loss_sensitivity_without_warning(model, X, y)
    assert other.residual > 1e-3


def loss_sensitivity_without_warning(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return loss_sensitivity(model, X, y)


def test_fit_that_has_not_converged_is_noticed(data):
    X, y = data[0], data[1]["binary"]
    with pytest.warns(ConvergenceWarning):
        clf = peers.LogisticRegression(max_iter=2, C=100.0).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="LogisticRegression has not converged"):
        result = loss_sensitivity(clf, X, y)
    assert result.converged is False
    assert loss_sensitivity(clf, X, y, tolerance=1.0).converged


def test_logistic_scores_by_formula(data):
    X, y = data[0], data[1]["binary"]
    clf = LogisticRegression().fit(X, y)
    error = clf.predict_proba(X)[:, 1] - y
    scores = error[:, None] * np.column_stack([X, np.ones(120)])
    result = loss_sensitivity(clf, X, y, fisher=True)
    (mean,), (mean_abs,), (rms,) = result.score_mean, result.score_mean_abs, result.score_rms
    np.testing.assert_allclose(mean[0], scores.mean(axis=0), rtol=EXACT, atol=1e-15)
    np.testing.assert_allclose(mean_abs[0], np.abs(scores).mean(axis=0), rtol=EXACT)
    np.testing.assert_allclose(rms[0], np.sqrt(np.square(scores).mean(axis=0)), rtol=EXACT)
    np.testing.assert_allclose(result.fisher, scores.T @ scores / 120, rtol=1e-10, atol=1e-14)
    of_columns = error[:, None] * clf.coef_
    np.testing.assert_allclose(result.feature_mean_abs, np.abs(of_columns).mean(axis=0), rtol=EXACT)
    np.testing.assert_allclose(
        result.feature_rms, np.sqrt(np.square(of_columns).mean(axis=0)), rtol=EXACT
    )
    p = np.where(y == 1, clf.predict_proba(X)[:, 1], clf.predict_proba(X)[:, 0])
    np.testing.assert_allclose(result.loss, -np.log(p).mean(), rtol=EXACT)


def network(kind, **options):
    cls = MLPRegressor if kind in ("real", "two") else MLPClassifier
    return cls(
        (6, 6), solver="lbfgs", activation="tanh", alpha=0.5, max_iter=60, random_state=0,
        dtype="float64", **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("binary", {}),
        ("classes", {"input_scaling": "standard"}),
        ("real", {"input_scaling": "robust", "residual": True}),
        ("two", {}),
    ],
)
def test_scores_of_networks_match_differences(data, kind, options):
    X, y = data[0], data[1][kind]
    model = network(kind, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    result = loss_sensitivity(pipeline, X, y)

    def moved(layer, place, h):
        weights = model.coefs_[layer] if place[1] < len(model.coefs_[layer]) else None
        target = model.intercepts_[layer] if weights is None else weights.T
        place = place[:1] if weights is None else place
        before, target[place] = target[place].copy(), target[place] + h
        loss = loss_sensitivity(pipeline, X, y).loss
        target[place] = before
        return loss

    for layer, gradient in enumerate(result.score_mean):
        for place in ((0, 0), (gradient.shape[0] - 1, 2), (0, gradient.shape[1] - 1)):
            slope = (moved(layer, place, 1e-5) - moved(layer, place, -1e-5)) / 2e-5
            np.testing.assert_allclose(gradient[place], slope, rtol=FINITE_DIFFERENCE, atol=1e-9)

    rows = [loss_sensitivity(pipeline, X[i : i + 1], y[i : i + 1]) for i in range(30)]
    some = loss_sensitivity(pipeline, X[:30], y[:30])
    for layer in range(3):
        own = np.stack([row.score_mean[layer] for row in rows])
        np.testing.assert_allclose(some.score_mean_abs[layer], np.abs(own).mean(axis=0), rtol=1e-9)
        squares = np.sqrt(np.square(own).mean(axis=0))
        np.testing.assert_allclose(some.score_rms[layer], squares, rtol=1e-9)
    h = 1e-5 * X.std(axis=0)
    slopes = np.stack(
        [
            [
                (
                    loss_sensitivity(pipeline, X[i : i + 1] + step, y[i : i + 1]).loss
                    - loss_sensitivity(pipeline, X[i : i + 1] - step, y[i : i + 1]).loss
                )
                for step in np.diag(h)
            ]
            for i in range(3)
        ]
    ) / (2 * h)
    few = loss_sensitivity(pipeline, X[:3], y[:3])
    np.testing.assert_allclose(few.feature_mean_abs, np.abs(slopes).mean(axis=0), rtol=1e-5)


def test_audit_of_a_network_counts_its_penalty(data):
    X, y = data[0], data[1]["real"]
    model = MLPRegressor(
        (3,), solver="newton_cg", activation="tanh", alpha=5.0, max_iter=500, random_state=0,
        dtype="float64", tol=0.0, n_iter_no_change=np.inf,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    result = loss_sensitivity(model, X, y)
    assert result.converged
    assert np.abs(result.score_mean[0]).max() > 1e-4
    model.coefs_[0][0, 0] += 1.0  # far off, and no warning: networks may be stopped early
    assert loss_sensitivity(model, X, y).converged is False


def test_chunks_and_repeated_rows_make_no_difference(data):
    X, y = data[0], data[1]["classes"]
    weight = np.arange(120) % 3
    rows = np.repeat(np.arange(120), weight)
    clf = LogisticRegression(tol=1e-12).fit(X, y, sample_weight=weight)
    weighted = loss_sensitivity(clf, X, y, sample_weight=weight)
    chunked = loss_sensitivity(clf, X, y, sample_weight=weight, batch_size=7)
    repeated = loss_sensitivity(clf, X[rows], y[rows])
    for other in (chunked, repeated):
        np.testing.assert_allclose(other.score_rms[0], weighted.score_rms[0], rtol=EXACT)
        np.testing.assert_allclose(other.feature_rms, weighted.feature_rms, rtol=EXACT)
        np.testing.assert_allclose(other.loss, weighted.loss, rtol=EXACT)


def test_columns_are_the_users(data):
    X, y = data[0], data[1]["real"]
    frame = pd.DataFrame(X, columns=list("abcd"))
    scaled = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, y)
    plain = LinearRegression().fit(frame, y)
    table = loss_sensitivity(scaled, frame, y).to_frame()
    assert table["feature"].tolist() == list("abcd")
    here = loss_sensitivity(plain, frame, y)
    np.testing.assert_allclose(table["rms"], here.feature_rms, rtol=1e-9)


def test_losses_with_kinks_have_no_audit(data):
    X, y = data[0], data[1]["real"]
    result = loss_sensitivity(LinearRegression("quantile").fit(X, y), X, y)
    assert result.converged is None
    assert np.isnan(result.residual)
    assert (result.feature_rms > 0.0).all()
    assert loss_sensitivity(QuantileRegressor(alpha=0.0).fit(X, y), X, y).converged is None


def test_refusals(data):
    X, y = data[0], data[1]["binary"]
    clf = LogisticRegression().fit(X, y)
    normalized = MLPClassifier((3,), normalization="layer", max_iter=1, random_state=0)
    plain = MLPClassifier((3,), max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        normalized.fit(X, y)
        plain.fit(X, y)
    cases = [
        (clf, y[:5], {}, "y has 5 rows, but X has 120"),
        (clf, y + 7, {}, "none of the classes"),
        (normalized, y, {}, "normalization"),
        (plain, y, {"fisher": True}, "for linear models"),
        (peers.RidgeClassifier().fit(X, y), y, {}, "RidgeClassifier minimised is not known"),
    ]
    for model, target, options, message in cases:
        with pytest.raises(ValueError, match=message):
            loss_sensitivity(model, X, target, **options)
