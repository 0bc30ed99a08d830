"""Moments in single precision, the refined answers that follow from them, and when they are not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression as Peer
from tolerances import arithmetic, coefficients

from skgrad import LinearRegression, Ridge
from skgrad.losses import SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2
from skgrad.residuals import Residuals
from skgrad.second_moments import (
    MOST_TARGETS,
    PILOT_ROWS,
    PILOT_ROWS_PER_COLUMN,
    SecondMoments,
)
from skgrad.solvers import Newton

N_SAMPLES, N_FEATURES = 60_000, 17
SINGLE = float(np.finfo(np.float32).eps)
# Of well-conditioned least squares after one refinement: float64's digits, but for a few.
REFINED = 1e-10


def correlated(rng, n_outputs=1):
    """Columns with scales from 1e-4 to 1e4, means a thousand times as large, and targets."""
    Z = rng.normal(size=(N_SAMPLES, N_FEATURES))
    Z[:, 1:] += 0.5 * Z[:, :-1]
    y = Z @ rng.normal(size=(N_FEATURES, n_outputs)) + rng.normal(size=(N_SAMPLES, n_outputs)) + 3.0
    return (Z + 1e3) * np.logspace(-4, 4, N_FEATURES), y


def weights(rng):
    return 10.0 ** rng.uniform(-3, 3, (N_SAMPLES, 1))


def moments(X, y, weight=None, *, centered=True, ridge=0.0):
    return SecondMoments.of(X, y, weight, centered=centered, ridge=ridge)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_float64_to_single_precision(rng, dtype, weighted):
    X, y = (part.astype(dtype) for part in correlated(rng))
    weight = weights(rng).astype(dtype) if weighted else None
    found = moments(X, y, weight)
    share = np.ones(N_SAMPLES) if weight is None else weight[:, 0].astype(float)
    share /= share.sum()
    Z = X - share @ X.astype(float)
    expected = (Z.T * share) @ Z
    size = np.sqrt(expected.diagonal())
    scale = found.scale * size
    error = found.products / np.outer(scale, scale) - expected / np.outer(size, size)
    assert np.abs(error).max() < 10 * SINGLE
    assert_allclose(found.mean, share @ X.astype(float), rtol=10 * SINGLE)
    cross = (found.cross[:, 0] / scale - (Z.T * share) @ y[:, 0] / size) / y.std()
    assert np.abs(cross).max() < 10 * SINGLE


@pytest.mark.parametrize("n_outputs", [1, 3, MOST_TARGETS + 1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_answers_have_the_digits_of_double_precision(rng, n_outputs, weighted, fit_intercept):
    X, y = correlated(rng, n_outputs)
    if not fit_intercept:
        X -= X.mean(axis=0)
    weight = weights(rng)[:, 0] if weighted else None
    scale = X.std(axis=0)
    fitted = LinearRegression(fit_intercept=fit_intercept).fit(X, y, weight)
    assert moments(X, y, centered=fit_intercept) is not None
    assert type(fitted.solver_) is Newton
    # The peer treats columns of small scale as dependent ones, so it gets standardised ones.
    peer = Peer(fit_intercept=fit_intercept).fit(X / scale, y, weight)
    assert_allclose(fitted.coef_ * scale, peer.coef_, rtol=REFINED, atol=REFINED)


def test_float32_data(rng):
    X, y = (part.astype(np.float32) for part in correlated(rng))
    scale = X.std(axis=0)
    fitted = LinearRegression().fit(X, y[:, 0])
    exact = LinearRegression().fit(X.astype(float), y[:, 0].astype(float))
    assert fitted.coef_.dtype == np.float32
    assert_allclose(fitted.coef_ * scale, exact.coef_ * scale, rtol=coefficients(np.float32))


@pytest.mark.parametrize("weighted", [False, True])
def test_constant_columns_get_zero_coefficients(rng, weighted):
    X, y = correlated(rng)
    constant = [0, 3, 5, 9]
    X[:, constant] = [7.3, 1 / 3, -1e-7 * np.pi, 0.0]  # sums that are rounded, some of them
    X[:, 0] += np.spacing(7.3) * rng.integers(-1, 2, N_SAMPLES)  # and entries
    weight = weights(rng)[:, 0] if weighted else None
    assert moments(X, y) is not None
    fitted = LinearRegression().fit(X, y[:, 0], weight)
    assert not fitted.coef_[constant].any()
    others = np.delete(np.arange(N_FEATURES), constant)
    scale = X.std(axis=0)[others]
    alone = Peer().fit(X[:, others] / scale, y[:, 0], weight)
    # Relative to the largest coefficient: errors are those of the residual's projection.
    tolerance = REFINED * np.abs(alone.coef_).max()
    assert_allclose(fitted.coef_[others] * scale, alone.coef_, rtol=0, atol=tolerance)
    # In double precision, too.
    exact = LinearRegression(solver="newton").fit(X, y[:, 0], weight).coef_[others]
    assert_allclose(fitted.coef_[others] * scale, exact * scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("value", [1e-30, 1e150])
def test_columns_of_unknown_size_are_left_to_double_precision(rng, value):
    X, y = correlated(rng)
    X[:, 5] = 0.0
    X[1::9999, 5] = value  # between the rows that are looked at first
    assert moments(X, y) is None
    assert LinearRegression().fit(X, y[:, 0]).coef_[5] != 0.0


def test_rare_categories(rng):
    X, y = correlated(rng)
    X[:, 5] = 0.0
    X[1::9999, 5] = 1.0
    assert moments(X, y) is not None
    fitted = LinearRegression().fit(X, y[:, 0])
    exact = LinearRegression(solver="newton").fit(X, y[:, 0])
    assert_allclose(fitted.coef_, exact.coef_, rtol=REFINED)


def test_dependent_columns_need_double_precision_or_a_penalty(rng):
    X, y = correlated(rng)
    X /= X.std(axis=0)
    X[:, 4] = X[:, 2] - X[:, 3]
    assert moments(X, y) is None
    assert moments(X, y, ridge=0.1) is not None
    fitted, peer = LinearRegression().fit(X, y[:, 0]), Peer().fit(X, y[:, 0])
    assert_allclose(fitted.coef_, peer.coef_, rtol=1e3 * REFINED)  # the shortest of all answers
    penalised = Ridge(alpha=0.1 * N_SAMPLES).fit(X, y[:, 0])
    exact = Ridge(alpha=0.1 * N_SAMPLES, solver="newton").fit(X, y[:, 0])
    assert_allclose(penalised.coef_, exact.coef_, rtol=REFINED)


def test_dependence_that_some_rows_hide(rng):
    X, y = correlated(rng)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    step = N_SAMPLES // (PILOT_ROWS + PILOT_ROWS_PER_COLUMN * N_FEATURES)
    X[:, 4] = X[:, 2]
    assert moments(X, y) is None
    X[::step, 4] += 0.05 * rng.normal(size=len(X[::step]))  # the rows that are looked at first
    assert moments(X, y) is None
    X[:, 4] += 0.05 * rng.normal(size=N_SAMPLES)
    assert moments(X, y) is not None


def test_moments_lead_to_newton_for_many_columns_too(rng):
    X = rng.normal(size=(7000, 320))
    y = X @ rng.normal(size=320) + rng.normal(size=7000)
    fitted = LinearRegression().fit(X, y)
    assert type(fitted.solver_) is Newton
    assert_allclose(fitted.coef_, Peer().fit(X, y).coef_, rtol=REFINED, atol=REFINED)


@pytest.mark.parametrize("eigenvalue", [3e-2, 1e-3])
def test_refinement_goes_on_until_the_digits_are_there(rng, eigenvalue):
    X, y = correlated(rng)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    X[:, 4] = X[:, 2] + np.sqrt(2 * eigenvalue) * X[:, 4]
    assert moments(X, y) is not None
    fitted = LinearRegression(tol=1e-12).fit(X, y[:, 0])
    assert_allclose(fitted.coef_, Peer().fit(X, y[:, 0]).coef_, rtol=REFINED)


def test_moments_do_not_depend_on_the_number_of_threads(rng):
    from threadpoolctl import threadpool_limits

    X, y = correlated(rng)
    several = moments(X, y)
    with threadpool_limits(1):
        assert (moments(X, y).products == several.products).all()


def test_a_weight_is_a_repeated_row(rng):
    X, y = correlated(rng)
    repeats = rng.integers(1, 4, N_SAMPLES)
    weighted = LinearRegression().fit(X, y[:, 0], repeats)
    repeated = LinearRegression().fit(np.repeat(X, repeats, axis=0), np.repeat(y[:, 0], repeats))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=REFINED)


def test_warm_start_at_the_minimum_stays_there(rng):
    X, y = correlated(rng)
    model = LinearRegression(warm_start=True).fit(X, y[:, 0])
    coef = model.coef_.copy()
    assert_allclose(model.fit(X, y[:, 0]).coef_, coef, rtol=REFINED)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_residuals_in_one_pass(rng, dtype, weighted, fit_intercept):
    X, y = correlated(rng)
    X, y = ((part - part.mean(axis=0)).astype(dtype) for part in (X, y))
    weight = weights(rng).astype(dtype) if weighted else None
    model = LinearModel(N_FEATURES, 1, fit_intercept)
    objective = Objective(model, SquaredError(), L2(0.1), X, y, weight)
    assert objective._residuals is not None
    w = rng.normal(size=model.n_params).astype(dtype)
    value, gradient = objective.value_and_gradient(w)
    assert gradient.dtype == dtype
    objective._residuals = None
    expected = objective.value_and_gradient(w)
    assert_allclose(value, expected[0], rtol=arithmetic(dtype))
    largest = float(np.abs(expected[1]).max())
    assert_allclose(gradient, expected[1], rtol=0.0, atol=arithmetic(dtype) * largest)


def test_residuals_are_for_one_output_of_large_arrays_in_c_order(rng):
    X, _ = correlated(rng)
    data, scaling, model = None, None, LinearModel(N_FEATURES, 1, False)
    assert Residuals.of(X, data, model, SquaredError(), scaling) is not None
    assert Residuals.of(np.asfortranarray(X), data, model, SquaredError(), scaling) is None
    two = LinearModel(N_FEATURES, 2, False)
    assert Residuals.of(X, data, two, SquaredError(), scaling) is None


def test_parts_of_an_objective_forget_the_moments(rng):
    X, y = correlated(rng)
    model = LinearModel(N_FEATURES, 1, True)
    objective = Objective(model, SquaredError(), L2(0.1), X, y, moments=moments(X, y, ridge=0.1))
    assert objective.knows_hessian
    for part in (objective.subsample(100), objective.restrict(np.arange(3))[0]):
        assert not part.knows_hessian
        assert part.rough_expansion(np.zeros(part.n_params)) is None


@pytest.mark.parametrize("at_start", [False, True])
def test_rough_expansion_is_the_expansion(rng, at_start):
    X, y = correlated(rng, 2)
    weight = weights(rng)
    model = LinearModel(N_FEATURES, 2, True)
    known = moments(X, y, weight, ridge=0.1)
    objective = Objective(model, SquaredError(), L2(0.1), X, y, weight, moments=known)
    w = np.zeros(model.n_params) if at_start else rng.normal(size=model.n_params)
    model.rows(w)[:, -1] = 0.5  # not the mean
    value, gradient, hessian = objective.rough_expansion(w)
    expected = objective.value_and_gradient(w)
    assert_allclose(value, expected[0], rtol=arithmetic(X.dtype))
    largest = float(np.abs(expected[1]).max())
    assert_allclose(gradient, expected[1], rtol=0.0, atol=10 * SINGLE * largest)
    assert len(hessian) == 1  # shared by both outputs
    exact = objective.hessian(w)
    assert_allclose(np.broadcast_to(hessian, exact.shape), exact, rtol=0.0, atol=10 * SINGLE)
