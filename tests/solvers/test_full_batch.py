"""Full-batch solvers on problems with known answers."""

import numpy as np
import pytest
from problems import (
    Variant,
    from_singular_values,
    least_squares,
    make_objective,
    minimise,
    orthogonal_lasso,
)
from tolerances import GAP_ESTIMATE, coefficients, order

from skgrad.losses import Logistic, SquaredError
from skgrad.models import LinearModel, Standardization
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, NoPenalty
from skgrad.solvers import LBFGS, GradientDescent, Newton, ProximalGradient, Status

DESCENTS = [
    GradientDescent(momentum=momentum, line_search=line_search)
    for momentum in ["none", "heavy_ball", "nesterov"]
    for line_search in ["backtracking", "strong_wolfe", None]
]


def objective_of(X, y, penalty=None, *, loss=None, intercept=True, plain=False):
    """Objective; plain: in the user's coordinates."""
    p = X.shape[1]
    coordinates = Standardization(np.zeros(p), np.ones(p)) if plain else None
    return Objective(
        LinearModel(p, 1, intercept), loss or SquaredError(), penalty or NoPenalty(), X,
        y.reshape(-1, 1), standardization=coordinates,
    )  # fmt: skip


def user_solution(solver, objective, **options):
    options = {"tol": 1e-14, "max_iter": 20_000, **options}
    return objective.to_user(solver.run(objective, objective.start(), **options).w)


@pytest.mark.parametrize("solver", [LBFGS(), Newton(), ProximalGradient(), *DESCENTS], ids=repr)
def test_least_squares_with_known_coefficients(solver, rng):
    X, y, coef, intercept, smallest = least_squares([1.0, 3.0, 10.0], 60, rng)
    objective = objective_of(X, y)
    result = solver.run(objective, objective.start(), tol=1e-14, max_iter=20_000)
    assert result.value == pytest.approx(smallest, rel=1e-10)
    expected = np.append(coef, intercept)
    np.testing.assert_allclose(
        objective.to_user(result.w), expected, rtol=1e-5, atol=coefficients(float)
    )


def test_newton_solves_quadratics_in_one_step(rng):
    X, y, coef, intercept, smallest = least_squares([1e-2, 1.0, 1e3], 60, rng)
    for penalty in [NoPenalty(), L2(0.3)]:
        objective = objective_of(X, y, penalty)
        result = Newton().run(objective, objective.start(), tol=1e-12)
        assert (result.n_iter, result.status) == (1, Status.CONVERGED)
        if not penalty.strong_convexity:
            assert result.value == pytest.approx(smallest, rel=1e-12)
            np.testing.assert_allclose(
                objective.to_user(result.w), [*coef, intercept], rtol=coefficients(float)
            )


def test_newton_survives_singular_hessians(rng):
    wide = rng.normal(size=(10, 30))
    twice = np.repeat(rng.normal(size=(50, 3)), 2, axis=1)
    for X in [wide, twice]:
        y = X[:, 0] + rng.normal(size=len(X))
        objective = objective_of(X, y)
        best = 0.5 * np.mean((y - y.mean() - _fitted(X, y)) ** 2)
        result = Newton().run(objective, objective.start(), tol=1e-10)
        assert result.value <= best + 1e-9 * objective.value(objective.start())
        assert result.n_iter <= 5
        assert np.abs(result.w).max() < 1e3


def _fitted(X, y):
    Z = X - X.mean(axis=0)
    return Z @ np.linalg.lstsq(Z, y - y.mean())[0]


def test_newton_survives_separable_classes():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    objective = objective_of(X, np.array([0.0, 0.0, 1.0, 1.0]), loss=Logistic())
    result = Newton().run(objective, objective.start(), tol=1e-7, max_iter=100)
    assert result.value < 1e-6


def test_damped_newton_takes_shorter_steps(rng):
    X, y, *_ = least_squares([1.0, 2.0], 40, rng)
    objective = objective_of(X, y)
    start = objective.start()
    full, half = (Newton(rate).run(objective, start, max_iter=1, tol=0.0).w for rate in [1.0, 0.5])
    np.testing.assert_allclose(half - start, 0.5 * (full - start), rtol=1e-10, atol=1e-14)


def test_lbfgs_ends_a_quadratic_within_its_dimension(rng):
    X = from_singular_values(np.sqrt(60) * np.arange(1.0, 6.0), 60, rng)
    objective = objective_of(X, X @ rng.normal(size=5) + rng.normal(size=60), plain=True)
    result = LBFGS(memory=20).run(objective, objective.start(), tol=1e-12)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 20


def test_lbfgs_memory_helps(rng):
    X = from_singular_values(np.sqrt(200) * np.logspace(0, 2, 20), 200, rng)
    objective = objective_of(X, X @ rng.normal(size=20) + rng.normal(size=200), plain=True)
    few, many = (
        LBFGS(memory).run(objective, objective.start(), tol=0.0, max_iter=100).value
        for memory in [1, 20]
    )
    best = minimise(objective).value
    assert many - best < 0.1 * (few - best)


@pytest.mark.parametrize(
    "solver", [LBFGS(memory=1), LBFGS(), ProximalGradient(), *DESCENTS[::3]], ids=repr
)
def test_without_a_bound_the_gap_is_estimated_well(solver, rng):
    X = from_singular_values(np.sqrt(200) * np.logspace(0, 2, 20), 200, rng)
    y = X @ rng.normal(size=20) + rng.normal(size=200)
    objective = objective_of(X, y, plain=True)
    result = solver.run(objective, objective.start(), tol=1e-6, max_iter=20_000)
    best = minimise(objective).value
    assert result.status is Status.CONVERGED
    heavy = getattr(solver, "momentum", None) == "heavy_ball"
    factor = GAP_ESTIMATE["heavy ball" if heavy else order(solver)]
    assert result.value - best <= factor * 1e-6 * best


@pytest.mark.parametrize("solver", [GradientDescent(), LBFGS(), Newton()], ids=repr)
def test_line_searches_never_increase_the_loss(solver):
    objective = make_objective(Logistic(), L2(0.01), Variant())
    result = solver.run(objective, objective.start() + 1.0, tol=0.0, max_iter=30)
    noise = 1e-13 * result.history["loss"][0]
    assert (np.diff(result.history["loss"]) <= noise).all()


def test_fixed_steps_follow_the_formula():
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    w = previous = objective.start()
    for momentum, expected in [("none", []), ("heavy_ball", [])]:
        w = previous = objective.start()
        for _ in range(4):
            _, gradient = objective.value_and_gradient(w)
            beta = 0.8 if momentum == "heavy_ball" else 0.0
            w, previous = w + beta * (w - previous) - 0.05 * gradient, w
            expected.append(w)
        solver = GradientDescent(0.05, line_search=None, momentum=momentum, beta=0.8)
        actual = []
        solver.run(
            objective, objective.start(), tol=0.0, max_iter=4,
            callbacks=[lambda iteration: actual.append(iteration.w)],  # noqa: B023
        )  # fmt: skip
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


def test_nesterov_fixed_steps_follow_the_formula():
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    w = previous = objective.start()
    expected = []
    for t in range(4):
        z = w + t / (t + 3) * (w - previous)
        w, previous = z - 0.05 * objective.value_and_gradient(z)[1], w
        expected.append(w)
    actual = []
    GradientDescent(0.05, line_search=None, momentum="nesterov").run(
        objective, objective.start(), tol=0.0, max_iter=4,
        callbacks=[lambda iteration: actual.append(iteration.w)],
    )  # fmt: skip
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


def test_momentum_pays_on_ill_conditioned_problems(rng):
    X = from_singular_values(np.sqrt(200) * np.logspace(0, 2, 10), 200, rng)
    objective = objective_of(X, X @ rng.normal(size=10) + rng.normal(size=200), plain=True)

    best, step = minimise(objective).value, 0.9 / objective.smoothness().mean

    def excess(momentum):
        solver = GradientDescent(step, line_search=None, momentum=momentum)
        return solver.run(objective, objective.start(), tol=0.0, max_iter=800).value - best

    plain = excess("none")
    assert excess("heavy_ball") < 0.1 * plain
    assert excess("nesterov") < 0.1 * plain


@pytest.mark.parametrize("acceleration", ["none", "nesterov"])
def test_lasso_on_an_orthogonal_design_is_soft_thresholding(acceleration, rng):
    X, y, coef = orthogonal_lasso(100, 6, 0.7, rng)
    objective = objective_of(X, y, L1(0.7))
    actual = user_solution(ProximalGradient(acceleration), objective)
    np.testing.assert_allclose(actual[:-1], coef, rtol=coefficients(float), atol=1e-9)
    np.testing.assert_array_equal(actual[:-1] == 0, coef == 0)
    assert 0 < (coef == 0).sum() < 6


def test_lasso_is_zero_from_the_largest_correlation_on(rng):
    X, y, _ = orthogonal_lasso(100, 6, 0.0, rng)
    largest = np.abs(X.T @ (y - y.mean())).max() / 100
    for factor, empty in [(1.001, True), (0.99, False)]:
        objective = objective_of(X, y, L1(factor * largest))
        coef = user_solution(ProximalGradient(), objective)[:-1]
        assert (not coef.any()) == empty


def test_proximal_gradient_step_is_ista(rng):
    X, y, _ = orthogonal_lasso(50, 3, 0.0, rng)
    objective = objective_of(X, y, L1(0.2), plain=True)
    start = objective.start()
    step = 1e-3
    result = ProximalGradient("none", learning_rate=step).run(objective, start, tol=0.0, max_iter=1)
    step = result.history["step_size"][0]
    moved = start - step * objective.value_and_gradient(start)[1]
    coef = np.sign(moved[:-1]) * np.maximum(np.abs(moved[:-1]) - step * 0.2, 0.0)
    np.testing.assert_allclose(result.w, np.append(coef, moved[-1]), rtol=1e-12, atol=1e-15)
