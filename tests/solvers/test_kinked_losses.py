"""Solvers for losses with kinks, on problems that linear programming solves."""

import numpy as np
import pytest
from problems import Variant, groups, make_objective, minimise
from scipy.optimize import linprog
from tolerances import coefficients

from skgrad.losses import AbsoluteError, EpsilonInsensitive, Hinge, Quantile
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2, NoPenalty
from skgrad.solvers import LBFGS, AugmentedLagrangian, InteriorPoint, Status

every_solver = pytest.mark.parametrize("solver", [AugmentedLagrangian(), InteriorPoint()], ids=repr)


def objective_of(loss, X, y, penalty=None, *, intercept=True):
    model = LinearModel(X.shape[1], 1, intercept)
    return Objective(model, loss, penalty or NoPenalty(), X, y.reshape(-1, 1))


def solution(solver, objective):
    result = solver.run(objective, objective.start(), tol=1e-10)
    assert result.status is Status.CONVERGED
    return objective.to_user(result.w), result


@every_solver
def test_median_line_ignores_an_outlier(solver):
    X, y = np.arange(1.0, 6.0)[:, None], np.array([3.0, 5.0, 7.0, 100.0, 11.0])
    w, result = solution(solver, objective_of(AbsoluteError(), X, y))
    np.testing.assert_allclose(w, [2.0, 1.0], rtol=coefficients(float))
    assert result.value == pytest.approx(91 / 5, rel=1e-9)


@every_solver
def test_median_slope_through_the_origin_is_a_weighted_median(solver, rng):
    X, y = rng.normal(size=(31, 1)), rng.normal(size=31)
    ratios = y / X[:, 0]
    order = np.argsort(ratios)
    cumulated = np.cumsum(np.abs(X[order, 0]))
    median = ratios[order][np.searchsorted(cumulated, 0.5 * cumulated[-1])]
    w, _ = solution(solver, objective_of(AbsoluteError(), X, y, intercept=False))
    assert w[0] == pytest.approx(median, rel=coefficients(float))


@every_solver
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_quantile_regression_is_a_linear_program(solver, quantile, rng):
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, -1.0, 2.0] + rng.standard_t(3, size=60)
    A = np.column_stack([X, np.ones(60), -X, -np.ones(60), np.eye(60), -np.eye(60)])
    cost = np.concatenate([np.zeros(8), np.full(60, quantile), np.full(60, 1 - quantile)]) / 60
    program = linprog(cost, A_eq=A, b_eq=y, bounds=(0, None))
    w, result = solution(solver, objective_of(Quantile(quantile), X, y))
    assert result.value == pytest.approx(program.fun, rel=1e-8)
    np.testing.assert_allclose(w, program.x[:4] - program.x[4:8], rtol=coefficients(float))


@every_solver
def test_groups_get_their_own_medians(solver, rng):
    sizes = [5, 9, 3]  # odd: the medians are unique
    y = rng.normal(size=sum(sizes))
    expected = [np.median(part) for part in np.split(y, np.cumsum(sizes)[:-1])]
    w, _ = solution(solver, objective_of(AbsoluteError(), groups(sizes), y, intercept=False))
    np.testing.assert_allclose(w, expected, rtol=coefficients(float))


@every_solver
def test_maximum_margin_of_two_points(solver):
    # max(0, 1 - 2 a w) + alpha w^2 / 2 on two mirrored points: w = 1 / 2 while alpha is small.
    X, y = np.array([[-2.0], [2.0]]), np.array([-1.0, 1.0])
    w, _ = solution(solver, objective_of(Hinge(), X, y, L2(0.1)))
    np.testing.assert_allclose(w, [0.5, 0.0], atol=1e-6)


@every_solver
@pytest.mark.parametrize("loss", [Hinge(), AbsoluteError(), EpsilonInsensitive(0.5)], ids=repr)
def test_reported_gap_bounds_the_suboptimality(solver, loss):
    objective = make_objective(loss, L2(0.05), Variant(weights="rows"))
    best = minimise(objective).value
    result = solver.run(objective, objective.start(), tol=1e-9)
    excess = result.history["loss"] - best
    known = ~np.isnan(result.history["gap"])
    assert (result.history["gap"][known] >= excess[known] - 1e-12).all()


def test_the_inner_solver_can_be_chosen():
    objective = make_objective(Hinge(), L2(0.05), Variant())
    expected = minimise(objective).value
    for inner in ["auto", LBFGS()]:
        result = AugmentedLagrangian(inner=inner).run(objective, objective.start(), tol=1e-8)
        assert result.value == pytest.approx(expected, rel=1e-7)
