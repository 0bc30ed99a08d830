"""Truncated Newton steps and the conjugate gradients inside."""

import numpy as np
import pytest
from problems import least_squares
from scipy import sparse
from sklearn.linear_model import LogisticRegression as Peer
from tolerances import GAP_ESTIMATE, coefficients, suboptimality

from skgrad import LogisticRegression
from skgrad.losses import Multinomial, SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2, NoPenalty
from skgrad.solvers import LBFGS, Newton, NewtonCG, Status, choose_solver
from skgrad.solvers._conjugate_gradient import conjugate_gradients, energy


def spd(values, rng):
    Q, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return (Q * values) @ Q.T


def digits(n_samples, n_features, n_classes, rng):
    """Nearly separable classes, correlated columns, some of them constant, some labels wrong."""
    mixing = rng.normal(size=(n_features, n_features)) * np.logspace(0, -2, n_features)[:, None]
    codes = np.arange(n_samples) % n_classes
    centers = 0.3 * rng.normal(size=(n_classes, n_features))
    X = (centers[codes] + rng.normal(size=(n_samples, n_features))) @ mixing
    X[:, ::10] = 0.0
    wrong = rng.random(n_samples) < 0.03
    return X, np.where(wrong, rng.integers(n_classes, size=n_samples), codes)


# Conjugate gradients


def test_conjugate_gradients_are_exact_after_as_many_steps_as_eigenvalues(rng):
    H = spd([1.0, 1.0, 1.0, 5.0, 5.0, 40.0], rng)
    g = rng.normal(size=6)
    model = conjugate_gradients(H.__matmul__, np.copy, g, forcing=1e-10, accuracy=0.0, max_iter=100)
    solution = -np.linalg.solve(H, g)
    assert model.n_iter == 3
    np.testing.assert_allclose(model.x, solution, rtol=1e-9)
    assert model.decrease == pytest.approx(-0.5 * float(g @ solution), rel=1e-12)
    assert model.flattest == pytest.approx(1.0, rel=1e-8)


def test_error_bounds_what_is_left(rng):
    """Before the first product nothing is known of the flattest direction; after some, all is."""
    H, g = spd(np.logspace(-3, 1, 40), rng), rng.normal(size=40)
    smallest = -0.5 * float(g @ np.linalg.solve(H, g))
    for accuracy in [1e-3, 1e-5, 1e-7]:
        model = conjugate_gradients(
            H.__matmul__, np.copy, g, forcing=0.0, accuracy=accuracy * -smallest, max_iter=1000
        )
        left = -smallest - model.decrease
        assert 0.0 < left <= 2 * model.error
        assert model.error <= accuracy * -smallest


def test_the_exact_inverse_solves_in_one_step(rng):
    H, g = spd([1e-3, 1.0, 1e3], rng), rng.normal(size=3)
    inverse = np.linalg.inv(H).__matmul__
    model = conjugate_gradients(H.__matmul__, inverse, g, forcing=1e-6, accuracy=0.0, max_iter=9)
    assert (model.n_iter, model.flattest) == (1, pytest.approx(1.0))
    assert model.decrease == pytest.approx(energy(g, inverse))


def test_no_curvature_gives_the_preconditioned_gradient(rng):
    g = rng.normal(size=3)
    model = conjugate_gradients(np.zeros_like, np.copy, g, forcing=0.1, accuracy=0.0, max_iter=9)
    np.testing.assert_array_equal(model.x, -g)


# Newton-CG


@pytest.mark.parametrize("penalty", [NoPenalty(), L2(0.3)])
def test_quadratics_take_one_direction(penalty, rng):
    X, y, *_ = least_squares([1e-2, 1.0, 1e3], 60, rng)
    objective = Objective(LinearModel(3, 1, True), SquaredError(), penalty, X, y[:, None])
    result = NewtonCG().run(objective, objective.start(), tol=1e-9)
    exact = Newton().run(objective, objective.start(), tol=1e-12)
    assert result.n_iter <= 2
    assert result.status is Status.CONVERGED
    assert result.value - exact.value <= 1e-9 * exact.value


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_same_coefficients_as_scikit_learn(layout, fit_intercept, rng):
    X, codes = digits(400, 40, 9, rng)
    weight = rng.integers(1, 4, size=400).astype(float)
    options = {"C": 0.3, "fit_intercept": fit_intercept, "class_weight": {0: 2.0}}
    ours = LogisticRegression(solver="newton_cg", tol=1e-13, **options)
    ours.fit(sparse.csr_array(X) if layout == "csr" else X, codes, weight)
    peer = Peer(solver="newton-cholesky", tol=1e-12, **options).fit(X, codes, weight)
    size = np.abs(peer.coef_).max()
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=coefficients(float) * size)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, atol=coefficients(float) * size)


def test_weights_are_repeated_rows(rng):
    X, codes = digits(200, 60, 6, rng)
    counts = rng.integers(1, 4, size=200)
    weighted = LogisticRegression(tol=1e-13, solver="newton_cg").fit(X, codes, counts)
    repeated = LogisticRegression(tol=1e-13, solver="newton_cg").fit(
        np.repeat(X, counts, axis=0), np.repeat(codes, counts)
    )
    np.testing.assert_allclose(
        weighted.coef_, repeated.coef_, atol=coefficients(float) * np.abs(repeated.coef_).max()
    )


@pytest.mark.parametrize(("C", "dtype"), [(1e-2, "float32"), (1e-2, "float64"), (1.0, "float64")])
def test_nearly_separable_classes_take_few_passes(C, dtype, rng):
    X, codes = digits(1000, 400, 5, rng)
    model, penalty = LinearModel(400, 5, True), L2(1.0 / (C * 1000))
    objective = Objective(model, Multinomial(), penalty, X.astype(dtype), codes)
    result = NewtonCG().run(objective, objective.start())
    assert result.status is Status.CONVERGED
    wide = Objective(model, Multinomial(), penalty, X, codes)
    best = LBFGS().run(wide, wide.start(), max_iter=2000)
    user = objective.to_user(result.w).astype(float)
    excess = wide.value(wide.from_user(user)) - best.value
    assert excess <= suboptimality(NewtonCG(), dtype) * best.value
    assert result.history["passes"][-1] < 0.6 * best.history["passes"][-1]


def test_more_columns_than_rows_make_exact_steps(rng):
    """All rank-one terms fit in the preconditioner then."""
    X, codes = rng.normal(size=(60, 3000)), np.arange(60) % 4
    objective = Objective(LinearModel(3000, 4, False), Multinomial(), L2(1e-4), X, codes)
    result = NewtonCG().run(objective, objective.start(), tol=1e-10)
    assert result.status is Status.CONVERGED
    # Once the preconditioner is there: a linearisation, an evaluation, and a product or two.
    assert np.diff(result.history["passes"])[-1] <= 4.0


def test_a_long_step_is_cut(rng):
    X, codes = digits(300, 30, 4, rng)
    objective = Objective(LinearModel(30, 4, True), Multinomial(), L2(1e-3), X, codes)
    start = 5.0 * rng.normal(size=objective.n_params)
    result = NewtonCG().run(objective, start)
    assert result.history["step_size"].min() < 1.0
    assert (np.diff(result.history["loss"]) <= 0).all()
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("max_inner", [1, 2, 4])
def test_truncated_directions_descend_and_claim_no_more_than_they_know(max_inner, rng):
    X, codes = digits(300, 30, 4, rng)
    objective = Objective(LinearModel(30, 4, True), Multinomial(), L2(1e-3), X, codes)
    full = NewtonCG().run(objective, objective.start(), tol=1e-10)
    result = NewtonCG(max_inner=max_inner).run(objective, objective.start(), max_iter=60)
    loss, gap = result.history["loss"], result.history["gap"]
    assert (np.diff(loss) <= 0).all()
    assert loss[-1] < loss[0]
    claimed = gap <= 0.01 * loss
    excess = (loss - full.value)[claimed]
    assert (excess <= GAP_ESTIMATE["second"] * gap[claimed]).all()


def test_auto_takes_it_for_many_classes_and_columns(rng):
    X, codes = digits(300, 60, 6, rng)
    objective = Objective(LinearModel(60, 6, True), Multinomial(), L2(1e-3), X, codes)
    assert type(choose_solver(objective)) is NewtonCG
