"""CoCoA: the minimum of smooth losses by way of the dual, on halves of the rows."""

import itertools

import numpy as np
import pytest
from problems import Variant, make_data, make_loss, sparse_rows
from scipy import sparse
from threadpoolctl import threadpool_limits
from tolerances import coefficients

from skgrad import LogisticRegression
from skgrad._kernels.losses import dual_step
from skgrad.gaps import INTERCEPT_MARGIN
from skgrad.losses import LOSSES, Logistic, SquaredHinge
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2, ElasticNet
from skgrad.solvers import CoCoA, IncompatibleSolverError, Newton, SubsampledNewton, choose_solver

SMOOTH = [
    "logistic",
    "squared_hinge",
    "squared_error",
    "huber",
    "squared_epsilon_insensitive",
]


def solve(objective, tol=1e-10, solver=None, start=None):
    start = objective.start() if start is None else start
    return (solver or CoCoA()).run(objective, start, tol=tol, max_iter=1000)


def sparse_objective(rng, n_samples=400, n_features=150, alpha=0.01, intercept=False, loss=None):
    X = sparse_rows(n_samples, n_features, rng, density=0.05)
    loss = loss or Logistic()
    y = (X @ rng.normal(size=n_features) + rng.logistic(size=n_samples) > 0).astype(float)
    y = 2.0 * y - 1.0 if loss.target == "sign" else y
    return Objective(LinearModel(n_features, 1, intercept), loss, L2(alpha), X, y[:, None])


def dual_value(objective, point):
    """The dual's value for a model without intercept, computed from the variables alone."""
    data, mu = objective._rows.data, objective.penalty.strong_convexity
    conjugate = data.sum(objective.loss.conjugate(data.y, point.theta[:, None]))
    pulled = objective.X.T @ data.weigh(point.theta[:, None])[:, 0]
    return -conjugate - 0.5 * float(pulled @ pulled) / mu


@pytest.mark.parametrize("loss_name", SMOOTH)
@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_minimum_of_several_outputs(loss_name, weights, intercept, layout):
    loss = make_loss(loss_name)
    variant = Variant(layout, weights=weights, intercept=intercept, n_outputs=3)
    objective = make_data(loss, variant).objective(loss, L2(0.1))
    best = solve(objective, 1e-13, Newton())
    ours = solve(objective)
    assert ours.value == pytest.approx(best.value, rel=1e-9)
    np.testing.assert_allclose(
        objective.to_user(ours.w), objective.to_user(best.w), atol=100 * coefficients(float)
    )


@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge()], ids=repr)
@pytest.mark.parametrize("alpha", [1e-1, 1e-3, 1e-5])
def test_the_dual_never_falls(loss, alpha, rng):
    # At the least alpha a row alone pulls a thousand times as hard as the penalty: where its loss
    # is flat, Newton's step is then too long by that factor.
    objective = sparse_objective(rng, alpha=alpha, loss=loss)
    dual = objective.smooth_dual(0)
    point = dual.start(0.0)
    values = [dual_value(objective, point)]
    for _ in range(20):
        dual.ascend(point, dual.all_rows, rng)
        values.append(dual_value(objective, point))
    assert values[-1] > values[0]
    assert min(np.diff(values)) >= -1e-13 * abs(values[-1])


@pytest.mark.parametrize("intercept", [True, False])
def test_coefficients_follow_the_dual_variables(intercept, rng):
    objective = sparse_objective(rng, intercept=intercept)
    dual = objective.smooth_dual(0)
    point = dual.start(0.3)
    for _ in range(3):
        dual.ascend(point, dual.all_rows, rng)
    weighted = objective._rows.data.weigh(point.theta[:, None])[:, 0]
    mu = objective.penalty.strong_convexity
    np.testing.assert_allclose(point.coef, -(objective.X.T @ weighted) / mu, atol=1e-12)
    assert point.total == pytest.approx(weighted.sum(), abs=1e-14)
    assert (point.intercept != 0.3) == intercept


def test_every_row_is_visited_once(rng):
    # With an overwhelming penalty predictions stay zero: one visit makes a variable the loss's
    # derivative there.
    for n_samples in (1, 2, 3, 10, 101):
        X = np.ones((n_samples, 2))
        y = np.full((n_samples, 1), 1.0)
        objective = Objective(LinearModel(2, 1, False), Logistic(), L2(1e15), X, y)
        dual = objective.smooth_dual(0)
        point = dual.start(0.0)
        dual.ascend(point, dual.all_rows, rng)
        np.testing.assert_allclose(point.theta, -0.5, rtol=1e-12)


def test_the_gap_is_proved_and_shrinks_by_a_factor_each_epoch(rng):
    objective = sparse_objective(rng, alpha=0.05)
    best = solve(objective, 1e-13, Newton()).value
    result = solve(objective, 1e-10, CoCoA(max_epochs=1))
    excess = result.history["loss"] - best
    assert (result.history["gap"] >= excess - 1e-12).all()
    assert result.state.bound == result.gap <= 1e-10 * result.value
    assert result.n_iter < 30


def test_same_bits_with_any_number_of_threads(rng):
    X = sparse_rows(4000, 300, rng, density=0.1)
    y = rng.integers(0, 2, size=4000)
    clf = LogisticRegression(C=0.1, solver="cocoa")
    expected = clf.fit(X, y).coef_
    with threadpool_limits(1):
        np.testing.assert_array_equal(clf.fit(X, y).coef_, expected)


def test_sparse_equals_dense(rng):
    X, y = sparse_rows(300, 40, rng), rng.integers(0, 2, size=300)
    clf = LogisticRegression(C=0.3, solver="cocoa", tol=1e-6)
    dense = clf.fit(X.toarray(), y).coef_
    np.testing.assert_allclose(clf.fit(X, y).coef_, dense, rtol=1e-9, atol=1e-12)


def test_weight_two_is_a_row_twice(rng):
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 2, size=60)
    weight = rng.integers(1, 4, size=60)
    clf = LogisticRegression(C=0.1, solver="cocoa", tol=1e-12)
    weighted = clf.fit(X, y, weight).coef_
    repeated = clf.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).coef_
    np.testing.assert_allclose(weighted, repeated, atol=coefficients(float))


@pytest.mark.parametrize("intercept", [True, False])
def test_a_start_at_the_minimum_is_kept(intercept, rng):
    objective = sparse_objective(rng, intercept=intercept)
    best = solve(objective, 1e-12)
    again = solve(objective, 1e-7, CoCoA(max_epochs=1), best.w)
    assert again.n_iter == 1
    np.testing.assert_allclose(again.w, best.w, atol=coefficients(float))
    far = solve(objective, 1e-7, start=best.w + 1e3)
    assert far.value == pytest.approx(best.value, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_asked_for_too_much_it_ends_at_rounding(dtype, rng):
    X = sparse_rows(200, 30, rng).astype(dtype)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    y = rng.integers(0, 2, size=200)
    clf = LogisticRegression(C=0.1, solver="cocoa", tol=0.0, class_weight={0: 3.0}).fit(X, y)
    assert clf.converged_
    assert clf.n_iter_[0] < 20
    assert clf.coef_.dtype == dtype
    peer = LogisticRegression(C=0.1, solver="newton", tol=1e-12, class_weight={0: 3.0})
    expected = peer.fit(X.astype(float).toarray(), y).coef_
    np.testing.assert_allclose(clf.coef_, expected, atol=coefficients(dtype))


def test_rows_without_entries_and_columns_of_zeros(rng):
    X = np.column_stack([rng.normal(size=(50, 3)), np.zeros(50), np.full(50, 7.0)])
    X[:5] = 0.0
    y = rng.integers(0, 2, size=50)
    for intercept in (True, False):
        fits = [
            LogisticRegression(C=0.2, fit_intercept=intercept, solver=solver, tol=1e-11)
            .fit(sparse.csr_array(X), y)
            .coef_
            for solver in ("cocoa", "newton")
        ]
        np.testing.assert_allclose(*fits, atol=10 * coefficients(float))


def test_what_auto_takes(rng):
    def chosen(alpha, loss=None, n_features=2000):
        return type(
            choose_solver(sparse_objective(rng, 12_000, n_features, alpha=alpha, loss=loss))
        )

    # Rows have the squared norm 100: pull is 25 / (12,000 alpha).
    assert chosen(1e-2) is CoCoA
    assert chosen(1e-4) is SubsampledNewton
    # With a margin, the pull is 200 / (12,000 alpha).
    assert chosen(5e-3, SquaredHinge()) is CoCoA
    assert chosen(1e-3, SquaredHinge()) is SubsampledNewton


def test_what_it_refuses():
    for loss, penalty in ((Logistic(), ElasticNet(0.1, 0.5)), (make_loss("hinge"), L2(0.1))):
        objective = make_data(loss, Variant()).objective(loss, penalty)
        with pytest.raises(IncompatibleSolverError, match="CoCoA needs a smooth loss with a comp"):
            solve(objective)
    data = make_data(Logistic(), Variant())
    data.X = np.asfortranarray(data.X)
    with pytest.raises(IncompatibleSolverError, match="X is stored by columns"):
        solve(data.objective(Logistic(), L2(0.1)))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("pull", [0.0, 0.3, 7.0, 1e4])
def test_steps_of_one_variable(name, pull):
    loss = LOSSES[name]()
    formula, parameter = int(loss.formula.formula), float(loss.formula.parameter)

    def derivative(y, z):
        return loss.gradient(np.array([[y]]), np.array([[z]])).item()

    targets = {"binary01": (0.0, 1.0), "sign": (-1.0, 1.0)}.get(loss.target, (0.0, 0.3, 4.0))
    points = (-700.0, -1.7, -0.2, 0.0, 0.25, 0.6, 2.3, 50.0)
    for y, z, before in itertools.product(targets, points, points):
        theta = derivative(y, before)
        step, slope = dual_step(formula, parameter, y, z, theta, pull)
        there = derivative(y, z - pull * step)
        assert step * slope >= 0.0
        if name == "logistic":
            assert slope == pytest.approx(derivative(y, z) - theta, rel=1e-12, abs=1e-15)
            # Newton's step ends before the optimum, or less far behind it than it was ahead.
            assert abs(there - theta - step) <= abs(slope)
        else:
            assert theta + step == pytest.approx(there, rel=1e-9, abs=1e-9 * abs(slope))


def margin_objective(rng, intercept=False):
    """Most rows are beyond the margin, far or not."""
    X = sparse_rows(400, 60, rng, density=0.1)
    y = np.where(X @ rng.normal(size=60) > 0, 1.0, -1.0)
    return Objective(LinearModel(60, 1, intercept), SquaredHinge(), L2(1e-4), X, y[:, None])


@pytest.mark.parametrize("intercept", [True, False])
def test_rows_at_rest_are_those_beyond_the_margin(intercept, rng):
    objective = margin_objective(rng, intercept)
    result = solve(objective, 1e-12)
    ((dual, point),) = result.state.outputs
    slopes = objective.multipliers(result.w)
    rows = dual.moving_rows(point, slopes[:, 0])
    assert dual.is_restful(point)
    assert 0 < len(rows) < 0.8 * 400
    np.testing.assert_array_equal(rows, np.flatnonzero(slopes))
    assert dual.curved_share(point) == pytest.approx(len(rows) / 400)
    best = solve(objective, 1e-13, Newton())
    assert result.value == pytest.approx(best.value, rel=1e-9)


def test_rows_wake_up_from_rest(rng):
    objective = margin_objective(rng)
    ((dual, point),) = solve(objective, 1e-12).state.outputs
    point.theta[np.flatnonzero(point.theta)[::2]] = 0.0
    point = dual.start(0.0, point.theta)
    slopes = objective.multipliers(objective.smooth_dual_to_primal([point]))[:, 0]
    awake = np.flatnonzero((point.theta == 0.0) & (slopes != 0.0))
    assert len(awake) > 0
    assert np.isin(awake, dual.moving_rows(point, slopes)).all()


def test_an_epoch_over_some_rows_leaves_the_others(rng):
    objective = sparse_objective(rng)
    dual = objective.smooth_dual(0)
    point, rows = dual.start(0.0), np.flatnonzero(rng.random(400) < 0.3)
    dual.ascend(point, rows, rng)
    np.testing.assert_array_equal(np.flatnonzero(point.theta), rows)


def test_rows_that_pull_hard_move_one_after_the_other(rng):
    # In one part a step is twice as long as in two: the first one of a single row tells.
    for alpha, n_parts in ((1.0, 2), (1e-3, 1)):
        X, y = np.full((1, 1), 2.0), np.full((1, 1), 1.0)
        objective = Objective(LinearModel(1, 1, False), SquaredHinge(), L2(8.0 * alpha), X, y)
        dual = objective.smooth_dual(0)
        point = dual.start(0.0)
        dual.ascend(point, dual.all_rows, rng)
        pull = n_parts * 4.0 / (8.0 * alpha)
        assert point.theta[0] == pytest.approx(-2.0 / (1.0 + 2.0 * pull), rel=1e-12)


def test_gap_of_an_intercept_where_curvature_jumps():
    # Without features, F(b) is quadratic between the margins, with its minimum at a half.
    X, y = np.zeros((40, 1)), np.repeat([1.0, -1.0], [30, 10])
    objective = Objective(LinearModel(1, 1, True), SquaredHinge(), L2(1.0), X, y[:, None])
    at = [objective.value_and_gradient(np.array([0.0, b])) for b in (0.5, 0.6)]
    excess, w, gradient = at[1][0] - at[0][0], np.array([0.0, 0.6]), at[1][1]
    assert excess == pytest.approx(0.1**2)
    assert objective.gradient_gap(w, gradient) == pytest.approx(0.6 * 0.2)
    for share in (1.0, 0.5):
        estimate = objective.gradient_gap(w, gradient, np.array([share]))
        assert estimate == pytest.approx(2.0 * INTERCEPT_MARGIN * excess / share)
