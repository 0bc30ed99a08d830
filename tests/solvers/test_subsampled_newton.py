"""Samples of rows that stand for all, and the solver that uses their Hessian."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression as SklearnLinearRegression
from tolerances import SUBOPTIMALITY, coefficients

from skgrad import LinearRegression, LinearSVC, LogisticRegression
from skgrad.losses import Logistic, SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2
from skgrad.solvers import LBFGS, IncompatibleSolverError, Newton, SubsampledNewton

LIMIT = SUBOPTIMALITY["float64", "second"]


def rare_categories(n_samples, rng):
    """Numeric columns of very different scale, and a category that twenty rows have."""
    X = rng.normal(size=(n_samples, 6)) * np.logspace(-2, 2, 6) + 3.0
    X[:, 5] = 0.0
    X[rng.choice(n_samples, 20, replace=False), 5] = 1.0
    score = (X[:, :5] - 3.0) @ np.logspace(2, -2, 5) / 2 + 2 * X[:, 5]
    return X, (score + rng.logistic(size=n_samples) > 0).astype(float)


def objective_of(X, y, weight=None, loss=None, alpha=1e-5):
    model = LinearModel(X.shape[1], 1, True)
    return Objective(model, loss or Logistic(), L2(alpha), X, y[:, None], weight)


def test_rare_rows_are_in_the_sample(rng):
    X, y = rare_categories(50_000, rng)
    sample = objective_of(X, y).subsample(800)
    assert 700 < sample.n_samples < 900
    assert sample.X[:, 5].sum() >= 15


@pytest.mark.parametrize("weighted", [False, True])
def test_sample_is_unbiased(weighted, rng):
    X, y = rare_categories(50_000, rng)
    weight = rng.integers(1, 5, size=(50_000, 1)).astype(float) if weighted else None
    objective = objective_of(X, y, weight)
    w = rng.normal(size=objective.n_params) / 3
    value = objective.value(w)
    assert objective.subsample(20_000).value(w) == pytest.approx(value, rel=0.05)
    hessian = objective.hessian(w)
    error = objective.subsample(20_000).hessian(w) - hessian
    assert np.abs(error).max() < 0.1 * np.abs(hessian).max()


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array, np.asfortranarray])
@pytest.mark.parametrize("weighted", [False, True])
def test_few_passes_whatever_the_scales(layout, weighted, rng):
    X, y = rare_categories(60_000, rng)
    weight = rng.integers(1, 5, size=(60_000, 1)).astype(float) if weighted else None
    objective = objective_of(layout(X), y, weight)
    result = SubsampledNewton().run(objective, objective.start(), tol=1e-9)
    assert result.n_iter < 12
    best = Newton().run(objective, objective.start(), tol=1e-13).value
    assert result.value - best <= LIMIT * best


def test_dominant_directions_do_for_wide_data(rng):
    directions = rng.normal(size=(5, 600))
    X = rng.normal(size=(3000, 600)) + 5 * rng.normal(size=(3000, 5)) @ directions
    y = (X @ rng.normal(size=600) / 60 + rng.logistic(size=3000) > 0).astype(float)
    objective = objective_of(X, y, alpha=1e-3)
    result = SubsampledNewton().run(objective, objective.start(), tol=1e-9)
    plain = LBFGS().run(objective, objective.start(), tol=1e-9)
    best = Newton().run(objective, objective.start(), tol=1e-12).value
    assert result.n_iter < 0.5 * plain.n_iter
    assert result.value - best <= LIMIT * best


def test_diagonal_does_for_text(rng):
    X = sparse.random_array((20_000, 5000), density=2e-3, format="csr", rng=rng)
    y = (X @ rng.normal(size=5000) * 3 + rng.logistic(size=20_000) > 0).astype(float)
    objective = objective_of(X, y, alpha=1e-4)
    result = SubsampledNewton().run(objective, objective.start(), tol=1e-9)
    assert result.n_iter < 60
    assert objective.certified_gap(result.w) <= LIMIT * result.value


def test_quadratics_take_one_pass_an_iteration(rng):
    X = rng.normal(size=(50_000, 20)) @ rng.normal(size=(20, 20))
    y = X @ rng.normal(size=20) + rng.normal(size=50_000)
    objective = objective_of(X, y, loss=SquaredError())
    result = SubsampledNewton().run(objective, objective.start(), tol=1e-10)
    assert np.diff(result.history["passes"]) == pytest.approx(np.ones(result.n_iter - 1))


def test_too_few_rows_for_coupled_outputs_are_refused(rng):
    X = rng.normal(size=(20, 6))
    clf = LogisticRegression(solver="subsampled_newton")
    with pytest.raises(IncompatibleSolverError, match="at least 4 rows"):
        clf.fit(X, np.arange(20) % 4)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_dependent_columns_of_tall_data_get_the_shortest_coefficients(fit_intercept, rng):
    X = rng.normal(size=(60_000, 20)) + 1.0
    X[:, 5], X[:, 6] = X[:, 3] + 2 * X[:, 4], 7.0
    y = X @ rng.normal(size=20) + rng.normal(size=60_000)
    ours = LinearRegression(fit_intercept=fit_intercept, solver="subsampled_newton", tol=1e-13).fit(
        X, y
    )
    theirs = SklearnLinearRegression(fit_intercept=fit_intercept).fit(X, y)
    np.testing.assert_allclose(
        ours.coef_, theirs.coef_, rtol=coefficients("float64"), atol=coefficients("float64")
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_default_of_tall_data(dtype, rng):
    X, y = rare_categories(200_000, rng)
    X = X.astype(dtype)
    for estimator in (LogisticRegression(), LinearSVC()):
        estimator.fit(X, y)
        assert isinstance(estimator.solver_, SubsampledNewton)
        assert estimator.converged_
        assert estimator.coef_.dtype == dtype


def test_auto_factorises_where_rows_are_too_few_for_a_sample(rng):
    X = rng.normal(size=(1200, 900)) @ rng.normal(size=(900, 900)) / 30
    y = X[:, 0] + rng.logistic(size=1200) > 0
    clf = LogisticRegression(C=10).fit(X, y)
    assert isinstance(clf.solver_, Newton)
    assert clf.gap_is_certified_
