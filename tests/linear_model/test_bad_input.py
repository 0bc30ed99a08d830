"""Bad input is refused with a sentence that says what is wrong, and leaves no trace."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skgrad import (
    ElasticNet,
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
from skgrad.losses import Huber, Logistic, Quantile
from skgrad.penalties import L1
from skgrad.penalties.constraints import L1Ball
from skgrad.solvers import (
    SGD,
    Adam,
    DivergenceError,
    GradientDescent,
    IncompatibleSolverError,
    Newton,
)

ESTIMATORS = [
    LogisticRegression(),
    LinearSVC(),
    LinearSVR(),
    LinearRegression(),
    Ridge(alpha=0.0),
    Lasso(alpha=0.0),
    ElasticNet(alpha=0.0),
    HuberRegressor(),
    QuantileRegressor(alpha=0.0),
    PoissonRegressor(),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def draw(estimator, rng):
    X = rng.normal(size=(30, 3))
    return X, (X[:, 0] > 0).astype(int) if is_classifier(estimator) else np.exp(X[:, 0])


def refused(estimator, X, y, match, error=ValueError, **options):
    """Fitting fails with a message, and the estimator stays unfitted."""
    estimator = clone(estimator)
    with pytest.raises(error, match=match):
        estimator.fit(X, y, **options)
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)
    with pytest.raises(NotFittedError):
        estimator.predict(X)
    assert vars(estimator) == estimator.get_params(deep=False)


@every_estimator
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_not_finite_in_large_data(layout, estimator, weighted, rng):
    X = rng.normal(size=(2, 500_000)).T.copy()
    y = (X[:, 0] > 0).astype(float)
    X[3, 1] = np.nan
    X = layout(X)
    weight = np.ones(X.shape[0])
    weight[3] = 0.0
    match = f"Input X contains NaN.\n{type(estimator).__name__} does not accept"
    refused(estimator, X, y, match, sample_weight=weight if weighted else None)


@every_estimator
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(estimator, bad, rng):
    X, y = draw(estimator, rng)
    spoiled = X.copy()
    spoiled[3, 1] = bad
    refused(estimator, spoiled, y, "contains (NaN|infinity)")
    refused(estimator, sparse.csr_array(spoiled), y, "contains (NaN|infinity)")
    weight = np.ones(30)
    weight[2] = bad
    refused(estimator, X, y, "contains (NaN|infinity)", sample_weight=weight)
    target = y.astype(float)
    target[0] = bad
    refused(estimator, X, target, "contains (NaN|infinity)")


@every_estimator
def test_shapes(estimator, rng):
    X, y = draw(estimator, rng)
    refused(estimator, X, y[:-1], "inconsistent numbers of samples")
    refused(estimator, X[:, 0], y, "Expected 2D array")
    refused(estimator, X[:0], y[:0], "0 sample")
    refused(estimator, X[:, :0], y, "0 feature")
    refused(estimator, X, y, "sample_weight.shape", sample_weight=np.ones(29))
    refused(estimator, X, None, "y")
    fitted = clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match="X has 2 features"):
        fitted.predict(X[:, :2])


@every_estimator
def test_weights(estimator, rng):
    X, y = draw(estimator, rng)
    refused(estimator, X, y, "[Nn]egative", sample_weight=np.linspace(-1, 1, 30))
    refused(estimator, X, y, "sample_weight.*at least one", sample_weight=np.zeros(30))


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC()], ids=repr)
def test_classes(estimator, rng):
    X, y = draw(estimator, rng)
    refused(estimator, X, np.full(30, "one"), "only one class: .*'one'")
    refused(estimator, X, y, "one class", sample_weight=(y == 1).astype(float))
    refused(estimator, X, rng.normal(size=30), "Unknown label type")
    refused(estimator, X, np.column_stack([y, y]), "1d array|multilabel|Unknown label")
    spoiled = clone(estimator).set_params(class_weight={5: 1.0})
    refused(spoiled, X, y, "class")


def test_poisson_targets(rng):
    X = rng.normal(size=(30, 3))
    reg = LinearRegression(loss="poisson")
    refused(reg, X, np.linspace(-1, 2, 30), "poisson loss needs y >= 0.*-1.0")
    refused(reg, X, np.zeros(30), "poisson loss needs a positive sum")


@every_estimator
@pytest.mark.parametrize(
    ("name", "hint"), [("adm", "'adam'"), ("LBFGS", "'lbfgs'"), ("newtn", "'newton'")]
)
def test_unknown_solvers_get_the_closest_match(estimator, name, hint, rng):
    spoiled = clone(estimator).set_params(solver=name)
    refused(spoiled, *draw(estimator, rng), f"Unknown solver '{name}'.*Did you mean {hint}.*'sgd'")


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LogisticRegression(l1_ratio=0.5, solver="lbfgs"), "LBFGS needs a smooth penalty"),
        (LogisticRegression(l1_ratio=0.5, solver=Newton()), "Newton needs a smooth penalty"),
        (LinearSVC(loss="hinge", solver="newton"), "Newton needs a smooth loss; the Hinge loss"),
        (LinearSVR(solver="gradient_descent"), "GradientDescent needs a smooth loss"),
        (LinearRegression(loss="quantile", solver="proximal_gradient"), "needs a smooth loss"),
        (LinearRegression(positive=True, solver="lbfgs"), "the NonNegative penalty"),
    ],
)
def test_incompatible_solvers_name_alternatives(estimator, message, rng):
    X, y = draw(estimator, rng)
    refused(estimator, X, y, f"{message}.*Use .*solver='auto'", IncompatibleSolverError)


@pytest.mark.parametrize(
    "solver", [SGD(1e9), Adam(1e200), GradientDescent(1e9, line_search=None)], ids=repr
)
def test_divergence_names_step_size_and_remedy(solver, rng):
    X, y = draw(LinearRegression(), rng)
    reg = LinearRegression(solver=solver, random_state=0)
    refused(reg, X, y, "diverged.*step size 1e.*Lower learning_rate", DivergenceError)


RANGES = {
    "C": [0.0, -1.0, "1", None],
    "alpha": [-0.1, "1", None],
    "epsilon": [-0.1, "1"],
    "quantile": [0.0, 1.0, "0.5"],
    "precompute": ["auto", None],
    "copy_X": ["yes"],
    "selection": ["best", None],
    "verbose": [-1, "1"],
    "l1_ratio": [-0.1, 1.1, "0"],
    "fit_intercept": ["yes", None],
    "positive": ["yes", None],
    "class_weight": ["even", 3],
    "penalty": ["l2", 1.0, L1],
    "constraint": ["l1", 1.0, L1(), L1Ball],
    "loss": ["square", 3, None],
    "solver": [3, None, Adam],
    "max_iter": [0, -1, 2.5, "10"],
    "tol": [-1e-3, "0", None],
    "warm_start": ["no", None],
    "early_stopping": ["no", None],
    "validation_fraction": [0.0, 1.0, -0.1, "0.1"],
    "n_iter_no_change": [0, 2.5],
    "random_state": ["seed", -1],
}


@every_estimator
def test_every_parameter_has_a_type_and_a_range(estimator, rng):
    X, y = draw(estimator, rng)
    for name in estimator.get_params():
        for value in RANGES[name]:
            spoiled = clone(estimator).set_params(**{name: value})
            refused(spoiled, X, y, f"'{name}' parameter of {type(estimator).__name__}")


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(solver=Adam(learning_rate=-1.0)),
        LinearRegression(solver=Adam(beta_1=1.0)),
        LinearRegression(solver=SGD(batch_size=0)),
        LinearRegression(solver=SGD(momentum=1.5)),
        LinearRegression(solver=SGD(learning_rate="linear")),
        LinearRegression(solver=GradientDescent(momentum="polyak")),
        LinearRegression(loss=Huber(delta=-1.0)),
        LinearRegression(loss=Quantile(quantile=1.0)),
    ],
    ids=repr,
)
def test_parameters_of_solvers_and_losses_are_checked(estimator, rng):
    refused(estimator, *draw(estimator, rng), "parameter of|Unknown learning rate schedule")


def test_losses_for_classes_are_no_regression(rng):
    X, y = draw(LinearRegression(), rng)
    refused(LinearRegression(loss=Logistic()), X, y, "loss for classification")
    refused(LinearRegression(loss="logistic"), X, y, "'loss' parameter")


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failed_refit_keeps_the_former_fit(estimator, method, rng):
    X, y = draw(estimator, rng)
    estimator = clone(estimator)
    if method == "partial_fit" and not hasattr(estimator, "partial_fit"):
        pytest.skip("learns no streams")
    if method == "partial_fit":
        options = {"classes": [0, 1]} if is_classifier(estimator) else {}
        estimator.partial_fit(X, y, **options)
    else:
        estimator.fit(X, y)
    before, expected = dict(vars(estimator)), estimator.predict(X)
    wide = np.column_stack([X, X])
    for spoiled, error in [
        ((np.full((30, 6), np.nan), y), ValueError),
        ((wide, y[:-1]), ValueError),
        ((wide, y, np.zeros(30)), ValueError),
    ]:
        with pytest.raises(error):
            estimator.fit(*spoiled)
        assert vars(estimator).keys() == before.keys()
        assert estimator.n_features_in_ == 3
        np.testing.assert_array_equal(estimator.predict(X), expected)


def test_a_diverging_refit_keeps_the_former_fit(rng):
    X, y = draw(LinearRegression(), rng)
    reg = LinearRegression().fit(X, y)
    expected = reg.predict(X)
    reg.set_params(solver=SGD(1e9))
    with pytest.raises(DivergenceError):
        reg.fit(np.column_stack([X, X]), y)
    np.testing.assert_array_equal(reg.predict(X), expected)
    with pytest.raises(ValueError, match="NaN"):
        reg.partial_fit(np.full_like(X, np.nan), y)
    np.testing.assert_array_equal(reg.predict(X), expected)


@every_estimator
def test_fit_partial_fit_predict_refuse_complex_and_text(estimator, rng):
    X, y = draw(estimator, rng)
    refused(estimator, X + 1j, y, "[Cc]omplex")
    refused(estimator, X.astype(str).astype(object) + "a", y, "could not convert string")


@every_estimator
def test_one_row_and_one_column(estimator, rng):
    X, y = draw(estimator, rng)
    assert clone(estimator).fit(X[:, :1], y).predict(X[:, :1]).shape == (30,)
    if is_classifier(estimator):
        refused(estimator, X[:1], y[:1], "one class")
    else:
        np.testing.assert_allclose(clone(estimator).fit(X[:1], y[:1]).predict(X[:1]), y[:1])


# Columns and targets at the limits of arithmetic


@every_estimator
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_whose_squares_overflow(estimator, dtype, rng):
    X, y = draw(estimator, rng)
    huge = X.astype(dtype)
    # Squares of float32 fit into float64, but the inverse of such a column not into float32.
    huge[:, 1] = np.where(huge[:, 1] > 0, 1e200 if dtype == "float64" else 3e38, 0.0)
    for layout in [np.asarray, sparse.csr_array]:
        refused(estimator, layout(huge), y, "Column 1 of X .* squares overflow. Rescale it")
    if not is_classifier(estimator):
        target = np.maximum(y, 0.1) * (1e180 if dtype == "float64" else 1e30)
        refused(estimator, X.astype(dtype), target, f"y holds values up to.*overflow in {dtype}")


@every_estimator
@pytest.mark.parametrize(("dtype", "factor"), [("float64", 1e150), ("float32", 1e30)])
def test_large_columns_are_as_good_as_others(estimator, dtype, factor, rng):
    X, y = overlapping(estimator, rng)
    X = X.astype(dtype)
    one = clone(estimator).set_params(solver="auto").fit(X, y)
    large = X * np.array([factor, 1.0, 1.0 / factor], dtype=dtype)
    other = clone(estimator).fit(large, y)
    assert np.isfinite(other.coef_).all()
    assert other.converged_
    if getattr(estimator, "C", None) is None and not getattr(estimator, "alpha", 0.0):
        np.testing.assert_allclose(other.predict(large), one.predict(X), rtol=1e-2, atol=1e-2)


@every_estimator
def test_constant_and_repeated_columns_change_nothing(estimator, rng):
    X, y = overlapping(estimator, rng)
    estimator = clone(estimator).set_params(tol=1e-10)
    one = clone(estimator).fit(X, y)
    constant = np.column_stack(
        [np.full(60, 7.0), X[:, 0], np.zeros(60), X[:, 1:], np.full(60, 1e9)]
    )
    other = clone(estimator).fit(constant, y)
    np.testing.assert_array_equal(np.atleast_2d(other.coef_)[:, [0, 2, 5]], 0.0)
    np.testing.assert_allclose(
        np.atleast_2d(other.coef_)[:, [1, 3, 4]], np.atleast_2d(one.coef_), rtol=1e-4, atol=1e-5
    )
    twice = clone(estimator).fit(np.repeat(X, 2, axis=1), y)
    assert twice.converged_
    assert np.isfinite(twice.coef_).all()
    if getattr(estimator, "C", None) is None and not getattr(estimator, "alpha", 0.0):
        repeated = np.repeat(X, 2, axis=1)
        np.testing.assert_allclose(twice.predict(repeated), one.predict(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_shortest_coefficients_beside_constant_columns(fit_intercept, solver, rng):
    X, y = draw(LinearRegression(), rng)
    wide = np.column_stack([np.zeros(30), X, np.full(30, 3.0), X[:, :1], np.zeros(30)])
    ours = LinearRegression(fit_intercept=fit_intercept, solver=solver, tol=1e-13).fit(wide, y)
    theirs = linear_model.LinearRegression(fit_intercept=fit_intercept).fit(wide, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-5)


@every_estimator
@pytest.mark.parametrize("factor", [1e4, 1e8])
def test_a_warm_start_far_off_is_not_taken(estimator, factor, rng):
    X, y = overlapping(estimator, rng)
    warm = clone(estimator).set_params(warm_start=True).fit(X, y)
    cold = clone(estimator).fit(factor * X, y)
    warm.fit(factor * X, y)  # the first raw predictions are of order factor, exp overflows
    assert warm.converged_
    np.testing.assert_allclose(warm.predict(X), cold.predict(X), rtol=1e-2, atol=1e-3)


@every_estimator
def test_more_columns_than_rows(estimator, rng):
    X, y = overlapping(estimator, rng)
    wide = np.column_stack([X, rng.normal(size=(60, 100))])
    fitted = clone(estimator).fit(wide, y)
    assert fitted.converged_
    assert np.isfinite(fitted.coef_).all()
    assert np.isfinite(fitted.predict(wide)).all() or is_classifier(estimator)


def overlapping(estimator, rng):
    """Sixty rows, which columns do not separate."""
    X = rng.normal(size=(60, 3))
    signal = X[:, 0] - X[:, 1] / 2 + rng.logistic(size=60)
    return X, (signal > 0).astype(int) if is_classifier(estimator) else np.exp(signal / 4)


def test_arrays_and_other_containers_are_checked_alike(rng):
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    for container in [list, np.asfortranarray, sparse.csr_array]:
        other = LinearRegression().fit(container(X), y)
        np.testing.assert_allclose(other.coef_, LinearRegression().fit(X, y).coef_, rtol=1e-10)
    for k, bad in enumerate([np.nan, np.inf, -np.inf]):
        broken = X.copy()
        broken[k, k] = bad
        refused(LinearRegression(), broken, y, "NaN|infinity")
        refused(LinearRegression(), X, np.where(np.arange(20) == k, bad, y), "NaN|infinity")
    for container in [np.asarray, sparse.csr_array, sparse.csr_matrix]:
        refused(LinearRegression(), container(X), y[:-1], "inconsistent")
        refused(LinearRegression(), container(X[:0]), y[:0], "0 sample")
        refused(LinearRegression(), container(X[:, :0]), y, "0 feature")
    refused(LinearRegression(), X[:, 0], y, "2D")


def test_names_of_columns_are_forgotten_when_an_array_is_fitted(rng):
    pandas = pytest.importorskip("pandas")
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model = LinearRegression().fit(pandas.DataFrame(X, columns=["a", "b", "c"]), y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    model.fit(X[:, :2], y)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 2
