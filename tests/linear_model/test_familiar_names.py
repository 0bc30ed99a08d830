"""An import can be swapped: scikit-learn's names, parameters, objectives and answers."""

import inspect

import numpy as np
import pytest
from problems import least_squares
from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from tolerances import COEFFICIENTS, GENERAL_PURPOSE_PEER, coefficients

import skgrad
from skgrad import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from skgrad.losses import Huber
from skgrad.solvers import LBFGS, SOLVERS, Newton

TIGHT = {"tol": 1e-15, "max_iter": 20_000}
FAMILIAR = [
    Ridge(),
    Lasso(alpha=0.1),
    ElasticNet(alpha=0.1),
    HuberRegressor(),
    QuantileRegressor(alpha=0.1),
    PoissonRegressor(),
]
every_regressor = pytest.mark.parametrize("regressor", FAMILIAR, ids=repr)
layouts = pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
weighted = pytest.mark.parametrize("weighted", [False, True])
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


def theirs_of(regressor):
    return getattr(linear_model, type(regressor).__name__)


def draw(rng, *, n_outputs=None, n_samples=80):
    X = rng.normal(size=(n_samples, 6)) + 1.0
    X[rng.random(X.shape) < 0.3] = 0.0
    shape = (n_samples,) if n_outputs is None else (n_samples, n_outputs)
    return X, X @ rng.normal(size=(6, *shape[1:])) + rng.normal(size=shape) + 2.0


def counts(rng):
    X = rng.normal(size=(100, 6)) / 2
    return X, rng.poisson(np.exp(X @ [0.3, -0.4, 0.2, 0.5, 0.0, 0.1] + 0.5)).astype(float)


def outliers(rng):
    X, y = draw(rng)
    y[:10] += 50.0 * rng.standard_t(2, size=10)
    return X, y


def target(regressor, rng):
    return counts(rng) if isinstance(regressor, PoissonRegressor) else draw(rng)


def weights(weighted, n_samples, rng):
    """Weights of which some are zero."""
    return {"sample_weight": rng.integers(0, 4, n_samples) / 2} if weighted else {}


def assert_same(ours, theirs, tolerance=COEFFICIENTS["float64"]):
    scale = tolerance * np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=tolerance, atol=scale)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=tolerance, atol=scale)
    assert np.shape(ours.coef_) == np.shape(theirs.coef_)
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)


# The same parameters


@every_regressor
def test_parameters_come_in_scikit_learns_order_with_its_defaults(regressor):
    ours = inspect.signature(type(regressor)).parameters
    theirs = inspect.signature(theirs_of(regressor)).parameters
    left_out = {"solver_options"}  # of HiGHS
    assert list(ours)[: len(theirs.keys() - left_out)] == [n for n in theirs if n not in left_out]
    for name in theirs.keys() - left_out - {"solver", "tol", "max_iter"}:
        assert ours[name].default == theirs[name].default
        assert ours[name].kind == theirs[name].kind
    assert ours["solver"].default == "auto"
    assert {"warm_start", "random_state"} <= ours.keys()


@pytest.mark.parametrize(
    ("regressor", "name", "similar"),
    [
        *((Ridge(), name, "newton") for name in ["svd", "cholesky"]),
        *((Ridge(), name, "lbfgs") for name in ["lsqr", "sparse_cg"]),
        *((QuantileRegressor(), f"highs{s}", "interior_point") for s in ["", "-ds", "-ipm"]),
        (PoissonRegressor(), "newton-cholesky", "newton"),
        (skgrad.LogisticRegression(), "newton-cg", "newton_cg"),
        (skgrad.LogisticRegression(), "liblinear", "proximal_newton"),
    ],
)
def test_names_of_scikit_learns_solvers_lead_to_ours(regressor, name, similar, rng):
    X, y = draw(rng)
    with pytest.raises(
        ValueError, match=f"'{name}' is a solver of scikit-learn.*'auto'.*{similar}"
    ):
        clone(regressor).set_params(solver=name).fit(X, y > y.mean())
    assert similar in SOLVERS


def test_parameters_without_effect(rng):
    X, y = draw(rng)
    X.flags.writeable = False
    expected = Lasso(alpha=0.1).fit(X, y).coef_
    other = Lasso(alpha=0.1, precompute=X.T @ X, copy_X=False, selection="random", random_state=0)
    np.testing.assert_array_equal(other.fit(X, y).coef_, expected)
    np.testing.assert_array_equal(Ridge(copy_X=False).fit(X, y).coef_, Ridge().fit(X, y).coef_)
    with pytest.raises(ValueError, match="'selection' parameter of Lasso"):
        Lasso(selection="best").fit(X, y)
    X, y = counts(rng)
    assert_same(PoissonRegressor(verbose=3).fit(X, y), PoissonRegressor().fit(X, y))


@every_regressor
def test_there_is_no_early_stopping_and_no_stream(regressor):
    assert not hasattr(regressor, "partial_fit")
    with pytest.raises(ValueError, match="Invalid parameter 'early_stopping'"):
        clone(regressor).set_params(early_stopping=True)


# The same answers


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
@pytest.mark.parametrize("alpha", [0.0, 7.0])
def test_ridge(alpha, n_outputs, positive, fit_intercept, weighted, layout, rng):
    X, y = draw(rng, n_outputs=n_outputs)
    options = {"alpha": alpha, "fit_intercept": fit_intercept, "positive": positive}
    ours, theirs = Ridge(**options, **TIGHT), linear_model.Ridge(**options, tol=1e-14)
    more = weights(weighted, 80, rng)
    # Their sign-constrained solver needs dense data, and is a quasi-Newton method.
    their_X = X if positive or alpha == 0 else layout(X)
    tolerance = GENERAL_PURPOSE_PEER if positive else coefficients(float)
    assert_same(ours.fit(layout(X), y, **more), theirs.fit(their_X, y, **more), tolerance)
    np.testing.assert_allclose(ours.predict(layout(X)), theirs.predict(X), rtol=1e-4)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)


@intercepts
@weighted
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alpha", [[0.1, 3.0, 200.0], [0.0, 5.0, 1e5], [2.0, 2.0, 2.0], [4.0]])
def test_ridge_with_a_strength_for_each_output(alpha, positive, fit_intercept, weighted, rng):
    X, y = draw(rng, n_outputs=3)
    options = {"alpha": alpha, "fit_intercept": fit_intercept, "positive": positive}
    more = weights(weighted, 80, rng)
    ours = Ridge(**options, **TIGHT).fit(X, y, **more)
    theirs = linear_model.Ridge(**options, tol=1e-14).fit(X, y, **more)
    assert_same(ours, theirs, GENERAL_PURPOSE_PEER if positive else coefficients(float))
    for k in range(3):
        single = Ridge(**{**options, "alpha": alpha[k % len(alpha)]}, **TIGHT).fit(
            X, y[:, k], **more
        )
        assert_same(clone(ours).set_params(alpha=single.alpha).fit(X, y[:, k], **more), single)
        np.testing.assert_allclose(ours.coef_[k], single.coef_, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("solver", ["lbfgs", "gradient_descent", "proximal_newton", "newton"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_strengths_for_each_output_with_any_solver(solver, dtype, rng):
    X, y = (array.astype(dtype) for array in draw(rng, n_outputs=3))
    alpha = np.array([0.1, 3.0, 200.0])
    ours = Ridge(alpha, solver=solver).fit(X, y)
    assert ours.converged_
    assert ours.coef_.dtype == dtype
    tight = Ridge(alpha, **TIGHT).fit(X.astype(float), y.astype(float))
    scale = np.abs(tight.coef_).max()
    np.testing.assert_allclose(ours.coef_, tight.coef_, atol=COEFFICIENTS["float32"] * scale)


def test_bad_strengths(rng):
    X, y = draw(rng, n_outputs=3)
    with pytest.raises(ValueError, match="alpha has 2 strengths, but there are 3 outputs"):
        Ridge(alpha=[1.0, 2.0]).fit(X, y)
    for bad in [[1.0, -1.0, 0.0], [np.nan, 0.0, 0.0], [np.inf] * 3]:
        with pytest.raises(ValueError, match="must be finite and not negative"):
            Ridge(alpha=bad).fit(X, y)
    with pytest.raises(ValueError, match="'alpha' parameter of Ridge"):
        Ridge(alpha=-1.0).fit(X, y)


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
@pytest.mark.parametrize("name", ["Lasso", "ElasticNet"])
def test_lasso_and_elastic_net(name, n_outputs, positive, fit_intercept, weighted, layout, rng):
    X, y = draw(rng, n_outputs=n_outputs)
    options = {"alpha": 0.2, "fit_intercept": fit_intercept, "positive": positive}
    options |= {"l1_ratio": 0.3} if name == "ElasticNet" else {}
    more = weights(weighted, 80, rng)
    ours = getattr(skgrad, name)(**options, **TIGHT).fit(layout(X), y, **more)
    theirs = getattr(linear_model, name)(**options, tol=1e-14, max_iter=100_000)
    assert_same(ours, theirs.fit(layout(X), y, **more))
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_array_equal(ours.sparse_coef_.toarray(), np.atleast_2d(ours.coef_))
    assert ours.predict(layout(X)).shape == theirs.predict(layout(X)).shape


@pytest.mark.parametrize("lasso", [Lasso(0.1), ElasticNet(0.1), ElasticNet(0.1, l1_ratio=0.9)])
def test_dual_gap_bounds_the_distance_to_the_minimum(lasso, rng):
    X, y = draw(rng)

    def objective(fitted):
        share = getattr(fitted, "l1_ratio", 1.0)
        penalty = share * np.abs(fitted.coef_).sum() + (1 - share) / 2 * fitted.coef_ @ fitted.coef_
        return 0.5 * np.mean((y - fitted.predict(X)) ** 2) + fitted.alpha * penalty

    best = objective(clone(lasso).set_params(**TIGHT).fit(X, y))
    rough = clone(lasso).set_params(solver="proximal_gradient", tol=1e-3).fit(X, y)
    assert 0 < objective(rough) - best <= rough.dual_gap_
    assert rough.dual_gap_ <= 1e-3 * objective(rough)
    assert not hasattr(lasso, "dual_gap_")


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_quantile_regressor(alpha, quantile, fit_intercept, weighted, layout, rng):
    X, y = draw(rng, n_samples=79)  # not a multiple of ten: the quantile is unique
    options = {"quantile": quantile, "alpha": alpha, "fit_intercept": fit_intercept}
    more = {"sample_weight": rng.uniform(0.2, 2.0, 79)} if weighted else {}
    ours = QuantileRegressor(**options, tol=1e-12).fit(layout(X), y, **more)
    assert_same(ours, linear_model.QuantileRegressor(**options).fit(layout(X), y, **more))


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_poisson_regressor(alpha, fit_intercept, weighted, layout, rng):
    X, y = counts(rng)
    options = {"alpha": alpha, "fit_intercept": fit_intercept}
    more = weights(weighted, 100, rng)
    ours = PoissonRegressor(**options, **TIGHT).fit(layout(X), y, **more)
    theirs = linear_model.PoissonRegressor(**options, solver="newton-cholesky", tol=1e-12)
    assert_same(ours, theirs.fit(X, y, **more))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)
    assert ours.score(layout(X), y, **more) == pytest.approx(theirs.score(X, y, **more), rel=1e-6)


def test_deviance_explained_is_zero_for_the_mean_and_one_for_the_truth(rng):
    X, y = counts(rng)
    model = PoissonRegressor(alpha=1e12).fit(X, y)
    assert model.score(X, y) == pytest.approx(0.0, abs=1e-6)
    model.coef_ = model.coef_ - 1e4  # exp underflows
    assert model.score(np.abs(X), y) < -1e3
    one = PoissonRegressor(alpha=0.0, tol=1e-12).fit(np.eye(3), [1.0, 2.0, 5.0])
    assert one.score(np.eye(3), [1.0, 2.0, 5.0]) == pytest.approx(1.0)
    assert one.score(np.eye(3), [2.0, 2.0, 2.0]) == 0.0
    with pytest.raises(ValueError, match="needs y >= 0"):
        model.score(X, -y)


# Huber's joint estimate of coefficients and scale


def huber_objective(model, X, y, sample_weight=None):
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    r = np.abs(y - model.predict(X)) / model.scale_
    near = np.minimum(r, model.epsilon)
    losses = model.scale_ * (1.0 + near * (2 * r - near))
    return weight @ losses + model.alpha * model.coef_ @ model.coef_


@layouts
@weighted
@intercepts
@pytest.mark.parametrize("unit", [1e-2, 1.0, 1e3])
@pytest.mark.parametrize(
    "options", [{}, {"epsilon": 2.5, "alpha": 3.0}, {"epsilon": 1.1, "alpha": 0.0}], ids=str
)
def test_huber_regressor(options, unit, fit_intercept, weighted, layout, rng):
    X, y = outliers(rng)
    y = unit * y
    more = weights(weighted, 80, rng)
    ours = HuberRegressor(fit_intercept=fit_intercept, **options, tol=1e-13)
    theirs = linear_model.HuberRegressor(fit_intercept=fit_intercept, **options)
    ours.fit(layout(X), y, **more)
    theirs.set_params(tol=1e-10, max_iter=100_000).fit(layout(X), y, **more)
    assert_same(ours, theirs, GENERAL_PURPOSE_PEER)
    assert ours.scale_ == pytest.approx(theirs.scale_, rel=GENERAL_PURPOSE_PEER)
    np.testing.assert_array_equal(ours.outliers_, theirs.outliers_)
    best = huber_objective(ours, X, y, **more)
    assert best <= huber_objective(theirs, X, y, **more) * (1 + 1e-13)
    default = HuberRegressor(fit_intercept=fit_intercept, **options).fit(layout(X), y, **more)
    assert huber_objective(default, X, y, **more) <= best * (1 + default.tol)
    assert default.optimality_gap_ <= default.tol


@pytest.mark.parametrize("epsilon", [1.2, 1.35, 3.0])
def test_the_clipped_residuals_have_unit_variance(epsilon, rng):
    X, y = outliers(rng)
    weight = rng.uniform(0.5, 2.0, 80)
    huber = HuberRegressor(epsilon=epsilon, alpha=1.0, tol=1e-13).fit(X, y, weight)
    clipped = ((y - huber.predict(X)) / huber.scale_).clip(-epsilon, epsilon)
    assert np.average(clipped**2, weights=weight) == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(weight @ clipped, 0.0, atol=1e-6 * weight.sum())
    np.testing.assert_allclose(
        (weight * clipped) @ X, huber.alpha * huber.coef_, atol=1e-6 * weight.sum()
    )
    same = LinearRegression(
        loss=Huber(epsilon * huber.scale_), alpha=huber.scale_ / weight.sum(), tol=1e-13
    ).fit(X, y, weight)
    assert_same(huber, same, 1e-5)


def test_without_outliers_the_scale_is_the_standard_deviation_of_the_residuals(rng):
    X, y, coef, intercept, value = least_squares([3.0, 2.0, 1.0], 60, rng)
    huber = HuberRegressor(epsilon=10.0, alpha=0.0, tol=1e-13).fit(X, y)
    np.testing.assert_allclose(huber.coef_, coef, rtol=1e-7)
    assert huber.intercept_ == pytest.approx(intercept)
    assert huber.scale_ == pytest.approx(np.sqrt(2 * value))
    assert not huber.outliers_.any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("n_samples", [4, 80])
def test_an_exact_fit_has_scale_zero(n_samples, alpha, dtype, rng):
    X = rng.normal(size=(n_samples, 6)).astype(dtype)
    y = X @ np.arange(6, dtype=dtype) + 3
    huber = HuberRegressor(alpha=alpha).fit(X, y)
    assert huber.converged_
    assert 0 < huber.scale_ < 1e-3 * y.std()
    scale = np.abs(y).max()
    np.testing.assert_allclose(huber.predict(X), y, atol=COEFFICIENTS["float32"] * scale)
    constant = HuberRegressor(alpha=alpha).fit(X, np.full(n_samples, 7.0))
    np.testing.assert_allclose(constant.predict(X), 7.0, rtol=1e-5)


def test_a_majority_that_fits_exactly_has_scale_zero(rng):
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, 2.0, 3.0]
    y[:15] += rng.uniform(10.0, 20.0, 15)
    huber = HuberRegressor().fit(X, y)
    assert huber.scale_ < 1e-5
    np.testing.assert_allclose(huber.coef_, [1.0, 2.0, 3.0], rtol=1e-5)
    np.testing.assert_array_equal(np.flatnonzero(huber.outliers_ & (np.arange(60) < 15)), range(15))


def test_the_strictest_epsilon_is_absolute_error_at_worst(rng):
    X, y = outliers(rng)
    huber = HuberRegressor(epsilon=1.0, alpha=0.3).fit(X, y)
    assert huber.converged_
    theirs = linear_model.HuberRegressor(epsilon=1.0, alpha=0.3, max_iter=10_000).fit(X, y)
    assert huber_objective(huber, X, y) <= huber_objective(theirs, X, y) * (1 + huber.tol)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "gradient_descent", LBFGS(memory=5)])
def test_any_solver_finds_the_scale(solver, rng):
    X, y = outliers(rng)
    best = HuberRegressor(tol=1e-13).fit(X, y)
    other = HuberRegressor(solver=solver).fit(X, y)
    assert other.converged_
    assert other.scale_ == pytest.approx(best.scale_, rel=1e-3)
    assert huber_objective(other, X, y) <= huber_objective(best, X, y) * (1 + 1e-6)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_stochastic_solvers_come_near_the_scale(solver, rng):
    X, y = outliers(rng)
    best = HuberRegressor(tol=1e-13).fit(X, y)
    rough = HuberRegressor(solver=solver, tol=1e-3, random_state=0).fit(X, y)
    assert huber_objective(rough, X, y) <= huber_objective(best, X, y) * 1.02


def test_history_is_that_of_the_joint_objective(rng):
    X, y = outliers(rng)
    huber = HuberRegressor().fit(X, y)
    history = huber.history_
    assert huber.n_iter_ == len(history["loss"])
    assert history["loss"][-1] * 80 == pytest.approx(huber_objective(huber, X, y), rel=1e-6)
    assert (np.diff(history["loss"]) < 1e-3 * history["loss"][0]).all()
    assert (np.diff(history["seconds"]) >= 0).all()
    assert (np.diff(history["passes"]) > 0).all()
    best = huber_objective(HuberRegressor(tol=1e-13).fit(X, y), X, y) / 80
    assert (history["loss"] - best <= history["gap"] + 1e-9)[-3:].all()


def test_the_scale_is_found_in_a_handful_of_runs(rng):
    X, y = outliers(rng)
    assert HuberRegressor().fit(X, y).n_iter_ <= 25
    assert HuberRegressor(epsilon=3.0).fit(X, y).n_iter_ <= 25


def test_too_few_iterations_are_reported(rng):
    X, y = outliers(rng)
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match="HuberRegressor with Newton.*after 3 iterations"):
        huber = HuberRegressor(max_iter=3).fit(X, y)
    assert huber.n_iter_ == 3
    assert not huber.converged_


def test_warm_start_keeps_the_scale(rng):
    X, y = outliers(rng)
    huber = HuberRegressor(warm_start=True).fit(X, y)
    first, scale = huber.n_iter_, huber.scale_
    assert huber.fit(X, y).n_iter_ < first / 2
    assert huber.scale_ == pytest.approx(scale, rel=1e-3)


def test_a_failed_refit_keeps_the_scale(rng):
    X, y = outliers(rng)
    huber = HuberRegressor().fit(X, y)
    before = dict(vars(huber))
    with pytest.raises(ValueError, match="NaN"):
        huber.fit(np.full_like(X, np.nan), y)
    assert vars(huber) == before


# Inside scikit-learn


@every_regressor
def test_float32_stays_and_agrees(regressor, rng):
    X, y = target(regressor, rng)
    one = clone(regressor).fit(X, y)
    other = clone(regressor).set_params(tol=1e-6).fit(X.astype(np.float32), y)
    assert other.coef_.dtype == np.float32
    assert other.predict(X.astype(np.float32)).dtype == np.float32
    scale = np.abs(one.coef_).max()
    np.testing.assert_allclose(other.coef_, one.coef_, atol=5 * coefficients("float32") * scale)


@every_regressor
def test_weight_k_is_the_row_k_times(regressor, rng):
    X, y = target(regressor, rng)
    times = rng.integers(0, 4, len(y))
    tight = clone(regressor).set_params(tol=1e-12)
    repeated = clone(tight).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_same(tight.fit(X, y, times), repeated)


@every_regressor
def test_warm_start_needs_fewer_iterations(regressor, rng):
    X, y = target(regressor, rng)
    warm = clone(regressor).set_params(warm_start=True, tol=1e-9)
    first, coef = warm.fit(X, y).n_iter_, warm.coef_
    assert warm.fit(X, y).n_iter_ <= first
    np.testing.assert_allclose(warm.coef_, coef, rtol=1e-3, atol=1e-4)


@every_regressor
def test_solvers_and_their_parameters_are_hyper_parameters(regressor, rng):
    X, y = target(regressor, rng)
    model = clone(regressor).set_params(solver="sgd", solver__learning_rate=0.01, random_state=0)
    assert model.solver.learning_rate == 0.01
    grid = {"alpha": [0.01, 1.0], "solver": ["auto", "augmented_lagrangian"]}
    if not isinstance(regressor, QuantileRegressor):
        grid["solver"] = ["auto", "proximal_newton"]
    search = GridSearchCV(clone(regressor), grid, cv=3, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"].reshape(2, 2)
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], rtol=1e-3, atol=1e-2)
    assert np.isfinite(scores).all()


@every_regressor
def test_names_of_columns(regressor, rng):
    import pandas as pd

    X, y = target(regressor, rng)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    fitted = clone(regressor).fit(frame, pd.Series(y))
    assert list(fitted.feature_names_in_) == list("abcdef")
    assert_same(fitted, clone(regressor).fit(X, y))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[list("fedcba")])


def test_the_solver_that_ran(rng):
    X, y = draw(rng)
    assert isinstance(Ridge().fit(X, y).solver_, Newton)
    assert isinstance(HuberRegressor().fit(X, y).solver_, Newton)
