"""The same coefficients as scikit-learn, wherever it has the same model."""

import warnings

import numpy as np
import pytest
from problems import sparse_rows
from scipy import sparse
from sklearn import linear_model, svm
from sklearn.exceptions import ConvergenceWarning
from tolerances import coefficients

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression

TIGHT = {"tol": 1e-13, "max_iter": 20_000}


def assert_same_coefficients(ours, theirs):
    rtol = coefficients(float)
    atol = rtol * np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=rtol, atol=atol)
    assert np.shape(ours.coef_) == np.shape(theirs.coef_)
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)


def fit_both(ours, theirs, X, y, **options):
    """Fit; neither has anything to say about digits beyond rounding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ours.fit(X, y, **options), theirs.fit(X, y, **options)


def regression_data(rng, *, n_outputs=None):
    X = rng.normal(size=(80, 6)) + 1.0
    shape = (80,) if n_outputs is None else (80, n_outputs)
    coef = rng.normal(size=(6, *shape[1:]))
    return X, X @ coef + rng.normal(size=shape) + 2.0


def classification_data(rng, n_classes):
    X = rng.normal(size=(120, 5)) + 0.5
    scores = X @ rng.normal(size=(5, n_classes)) + rng.gumbel(size=(120, n_classes))
    return X, np.array(["a", "b", "c", "d"])[scores.argmax(axis=1)]


class_weights = pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 2.0, "b": 0.5}])
weighted = pytest.mark.parametrize("weighted", [False, True])
layouts = pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


def sample_weights(weighted, n_samples, rng):
    return {"sample_weight": rng.uniform(0.2, 2.0, n_samples)} if weighted else {}


# Logistic regression


@layouts
@weighted
@class_weights
@intercepts
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_logistic_regression(C, n_classes, fit_intercept, class_weight, weighted, layout, rng):
    X, y = classification_data(rng, n_classes)
    options = {"C": C, "fit_intercept": fit_intercept, "class_weight": class_weight}
    solver = "newton-cg" if layout is sparse.csr_array else "newton-cholesky"
    ours, theirs = fit_both(
        LogisticRegression(**options, **TIGHT),
        linear_model.LogisticRegression(**options, **TIGHT, solver=solver),
        layout(X), y, **sample_weights(weighted, 120, rng),
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@weighted
@intercepts
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_logistic_regression_with_l1(l1_ratio, n_classes, fit_intercept, weighted, rng):
    X, y = classification_data(rng, n_classes)
    options = {"C": 0.2, "fit_intercept": fit_intercept, "l1_ratio": l1_ratio}
    ours, theirs = fit_both(
        LogisticRegression(**options, **TIGHT),
        linear_model.LogisticRegression(
            **options, tol=1e-12, max_iter=5000, solver="saga", random_state=0
        ),
        X, y, **sample_weights(weighted, 120, rng),
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


def test_logistic_regression_without_penalty(rng):
    for n_classes in [2, 3]:
        X, y = classification_data(rng, n_classes)
        ours, theirs = fit_both(
            LogisticRegression(C=np.inf, **TIGHT),
            linear_model.LogisticRegression(C=np.inf, **TIGHT, solver="newton-cg"),
            X, y,
        )  # fmt: skip
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5)
        assert_same_coefficients(ours, theirs)


# Support vector machines


@weighted
@class_weights
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("C", [0.05, 1.0])
def test_linear_svc_without_intercept(C, loss, n_classes, class_weight, weighted, rng):
    X, y = classification_data(rng, n_classes)
    options = {"C": C, "loss": loss, "fit_intercept": False, "class_weight": class_weight}
    ours, theirs = fit_both(
        LinearSVC(**options, **TIGHT),
        svm.LinearSVC(**options, tol=1e-8, max_iter=100_000, random_state=0),
        X, y, **sample_weights(weighted, 120, rng),
    )  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=coefficients(float), atol=1e-6)
    np.testing.assert_array_equal(ours.decision_function(X) > 0, theirs.decision_function(X) > 0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_linear_svc_with_intercept(n_classes, rng):
    X, y = classification_data(rng, n_classes)
    X = X - X.mean(axis=0)
    ours, theirs = fit_both(
        LinearSVC(C=0.1, **TIGHT),
        svm.LinearSVC(C=0.1, dual=False, intercept_scaling=1e5, tol=1e-14, max_iter=100_000),
        X, y,
    )  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-4)
    assert ours.intercept_.shape == theirs.intercept_.shape


@weighted
@pytest.mark.parametrize("epsilon", [0.0, 0.4])
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_linear_svr_without_intercept(loss, epsilon, weighted, rng):
    X, y = regression_data(rng)
    options = {"C": 0.1, "loss": loss, "epsilon": epsilon, "fit_intercept": False}
    ours, theirs = fit_both(
        LinearSVR(**options, **TIGHT),
        svm.LinearSVR(**options, tol=1e-8, max_iter=200_000, random_state=0),
        X, y, **sample_weights(weighted, 80, rng),
    )  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=coefficients(float), atol=1e-6)


def test_linear_svr_with_intercept(rng):
    X, y = regression_data(rng)
    options = {"C": 0.1, "loss": "squared_epsilon_insensitive", "epsilon": 0.2}
    ours, theirs = fit_both(
        LinearSVR(**options, **TIGHT),
        svm.LinearSVR(**options, dual=False, intercept_scaling=1e5, tol=1e-14, max_iter=100_000),
        X - X.mean(axis=0), y,
    )  # fmt: skip
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-4)
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)


# Linear regression


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_least_squares(n_outputs, fit_intercept, weighted, layout, rng):
    X, y = regression_data(rng, n_outputs=n_outputs)
    ours, theirs = fit_both(
        LinearRegression(fit_intercept=fit_intercept),
        linear_model.LinearRegression(fit_intercept=fit_intercept),
        layout(X) if not fit_intercept else X, y, **sample_weights(weighted, 80, rng),
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)


@intercepts
def test_least_squares_without_a_unique_solution(fit_intercept, rng):
    wide = rng.normal(size=(10, 30)) + 1.0
    twice = np.repeat(rng.normal(size=(50, 3)), 2, axis=1)
    for X in [wide, twice]:
        ours, theirs = fit_both(
            LinearRegression(fit_intercept=fit_intercept, tol=1e-12),
            linear_model.LinearRegression(fit_intercept=fit_intercept),
            X, rng.normal(size=len(X)),
        )  # fmt: skip
        assert_same_coefficients(ours, theirs)


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("n_outputs", [None, 3])
def test_ridge(n_outputs, fit_intercept, weighted, layout, rng):
    X, y = regression_data(rng, n_outputs=n_outputs)
    weights = sample_weights(weighted, 80, rng)
    total = weights["sample_weight"].sum() if weighted else 80
    solver = "sparse_cg" if layout is sparse.csr_array else "cholesky"
    ours, theirs = fit_both(
        LinearRegression(alpha=0.3, fit_intercept=fit_intercept, tol=1e-12),
        linear_model.Ridge(0.3 * total, fit_intercept=fit_intercept, solver=solver, tol=1e-14),
        layout(X), y, **weights,
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_elastic_net(l1_ratio, positive, fit_intercept, weighted, layout, rng):
    X, y = regression_data(rng)
    options = {
        "alpha": 0.2, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "positive": positive
    }  # fmt: skip
    ours, theirs = fit_both(
        LinearRegression(**options, **TIGHT),
        linear_model.ElasticNet(**options, tol=1e-14, max_iter=100_000),
        layout(X), y, **sample_weights(weighted, 80, rng),
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


def test_lasso_of_several_outputs_is_a_lasso_for_each(rng):
    X, y = regression_data(rng, n_outputs=3)
    ours = LinearRegression(alpha=0.2, l1_ratio=1.0, tol=1e-14).fit(X, y)
    for k in range(3):
        theirs = linear_model.Lasso(0.2, tol=1e-14, max_iter=100_000).fit(X, y[:, k])
        np.testing.assert_allclose(ours.coef_[k], theirs.coef_, rtol=coefficients(float), atol=1e-8)


@intercepts
@pytest.mark.parametrize("n_outputs", [None, 2])
def test_positive_least_squares(n_outputs, fit_intercept, rng):
    X, y = regression_data(rng, n_outputs=n_outputs)
    ours, theirs = fit_both(
        LinearRegression(positive=True, fit_intercept=fit_intercept, **TIGHT),
        linear_model.LinearRegression(positive=True, fit_intercept=fit_intercept),
        X, y,
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)
    assert (ours.coef_ == 0).any()


@weighted
@intercepts
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_poisson_regression(alpha, fit_intercept, weighted, rng):
    X = rng.normal(size=(100, 4)) + 0.5
    y = rng.poisson(np.exp(X @ [0.3, -0.4, 0.2, 0.5])).astype(float)
    ours, theirs = fit_both(
        LinearRegression(loss="poisson", alpha=alpha, fit_intercept=fit_intercept, **TIGHT),
        linear_model.PoissonRegressor(
            alpha=alpha, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12
        ),
        X, y, **sample_weights(weighted, 100, rng),
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=coefficients(float))


@weighted
@intercepts
@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.9])
def test_quantile_regression(quantile, fit_intercept, weighted, rng):
    from skgrad.losses import Quantile

    X, y = regression_data(rng)
    ours, theirs = fit_both(
        LinearRegression(loss=Quantile(quantile), fit_intercept=fit_intercept, tol=1e-12),
        linear_model.QuantileRegressor(quantile=quantile, alpha=0.0, fit_intercept=fit_intercept),
        X, y, **sample_weights(weighted, 80, rng),
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)


def test_quantile_regression_with_l1(rng):
    from skgrad.losses import Quantile

    X, y = regression_data(rng)
    ours, theirs = fit_both(
        LinearRegression(loss=Quantile(0.3), alpha=0.1, l1_ratio=1.0, tol=1e-12),
        linear_model.QuantileRegressor(quantile=0.3, alpha=0.1),
        X, y,
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)


def test_huber_is_not_above_scikit_learns_fit(rng):
    from skgrad.losses import Huber

    X, y = regression_data(rng)
    y[:5] += 30
    theirs = linear_model.HuberRegressor(alpha=0.0, tol=1e-10, max_iter=10_000).fit(X, y)
    # Theirs also fits a scale; at that scale the coefficients minimise ours.
    ours = LinearRegression(loss=Huber(theirs.epsilon * theirs.scale_), **TIGHT).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)


def test_sparse_rows_of_a_wide_problem(rng):
    X = sparse_rows(60, 200, rng, density=0.05)
    y = rng.choice(["no", "yes"], 60)
    ours, theirs = fit_both(
        LogisticRegression(**TIGHT), linear_model.LogisticRegression(tol=1e-12, max_iter=10_000),
        X, y,
    )  # fmt: skip
    assert_same_coefficients(ours, theirs)
