"""SDCA: exact steps along dual variables, a gap that is proved, and a linear rate."""

from itertools import product

import numpy as np
import pytest
from problems import LINEAR_LOSSES, Variant, make_data, make_loss, make_objective, sparse_rows
from scipy import sparse
from tolerances import SUBOPTIMALITY, coefficients

from skgrad import LinearSVC, LogisticRegression, row_duals
from skgrad.losses import Hinge, Logistic, SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, ElasticNet
from skgrad.row_duals import BlockDual, CompiledDual
from skgrad.solvers import SDCA, IncompatibleSolverError, Status, choose_solver

LOSSES = [name for name, loss in LINEAR_LOSSES.items() if not loss.coupled and name != "poisson"]
KINKED = [name for name in LOSSES if not LINEAR_LOSSES[name].smooth]
VARIANTS = [
    Variant(*values)
    for values in product(
        ["dense", "csr"], ["float64", "float32"], ["none", "rows", "outputs"], [True, False], [1, 2]
    )
]
both = pytest.mark.parametrize("rows", ["blocks", "single"])


@pytest.fixture
def kind(rows, monkeypatch):
    """Which way to walk; small data take the compiled one only here."""
    if rows == "single":
        monkeypatch.setattr(row_duals, "worth_compiling", lambda X: True)
    return {"single": CompiledDual, "blocks": BlockDual}[rows]


def best_value(objective):
    return (
        choose_solver(objective).run(objective, objective.start(), tol=1e-13, max_iter=5000).value
    )


def solve(objective, tol=1e-10, max_iter=1000, **options):
    return SDCA(**options).run(objective, objective.start(), tol=tol, max_iter=max_iter)


def dual_value(objective, point):
    """The dual's value of a model without intercept, from the variables alone."""
    data = objective._rows.data
    conjugate = data.sum(objective.loss.conjugate(data.y, point.theta))
    pulled = np.asarray(objective.X.T @ data.weigh(point.theta))
    return -conjugate - objective.penalty.conjugate(-pulled.T)


def problem(loss, penalty, rng, intercept=False, n_samples=300, n_features=40):
    X = sparse_rows(n_samples, n_features, rng, density=0.1)
    raw = X @ rng.normal(size=n_features) + rng.logistic(size=n_samples)
    y = {"binary01": (raw > 0) * 1.0, "sign": np.sign(raw)}.get(loss.target, raw)
    return Objective(LinearModel(n_features, 1, intercept), loss, penalty, X, y[:, None])


@both
@pytest.mark.parametrize("penalty", [L2(0.1), ElasticNet(0.15, 0.4)], ids=repr)
@pytest.mark.parametrize("loss_name", LOSSES)
def test_minimum(loss_name, penalty, rows, kind):
    case = 5 * LOSSES.index(loss_name) + (penalty.l1_strength > 0)
    for number in range(3):
        variant = VARIANTS[(case + 17 * number) % len(VARIANTS)]
        objective = make_objective(make_loss(loss_name), penalty, variant)
        result = solve(objective, 1e-8)
        assert type(result.state.dual) is kind
        best, tolerance = best_value(objective), SUBOPTIMALITY[variant.dtype, "first"]
        assert -1e-6 <= (result.value - best) / best <= tolerance, variant
        assert result.w.dtype == variant.dtype


@both
@pytest.mark.parametrize("penalty", [L2(0.02), ElasticNet(0.03, 0.4)], ids=repr)
@pytest.mark.parametrize("loss_name", LOSSES)
def test_the_dual_never_falls_and_the_gap_is_its_distance(loss_name, penalty, rows, kind, rng):
    objective = problem(make_loss(loss_name), penalty, rng)
    dual = objective.row_dual()
    assert type(dual) is kind
    point = dual.start(objective.start())
    values = [dual_value(objective, point)]
    for _ in range(8):
        point = dual.ascend(point, 1, rng)
        values.append(dual_value(objective, point))
        w = dual.primal(point)
        value, gap, point = dual.look(point, w)
        assert value == pytest.approx(objective.value(w), rel=1e-12)
        assert gap == pytest.approx(value - values[-1], abs=1e-11 * value)
    assert min(np.diff(values)) >= -1e-13 * abs(values[-1])
    assert gap < 0.5 * (objective.value(objective.start()) - values[0])


@both
def test_coefficients_follow_the_dual_variables(rows, kind):
    variant = Variant(weights="outputs", n_outputs=2)
    objective = make_objective(SquaredError(), ElasticNet(0.15, 0.4), variant)
    dual = objective.row_dual()
    point = dual.ascend(dual.start(objective.start()), 3, np.random.default_rng(0))
    weighted = objective._rows.data.weigh(point.theta)
    center = objective.standardization.center
    np.testing.assert_allclose(point.pulled, -weighted.T @ (objective.X - center), atol=1e-12)
    np.testing.assert_allclose(point.total, weighted.sum(axis=0), atol=1e-13)
    coef = objective.model.coef(objective.to_user(dual.primal(point)))
    np.testing.assert_allclose(
        coef, np.sign(point.pulled) * np.maximum(np.abs(point.pulled) - 0.06, 0) / 0.09, atol=1e-12
    )


@both
@pytest.mark.parametrize("loss_name", KINKED)
def test_a_step_is_exact_along_its_variable(loss_name, rows, kind, rng):
    # One row: a step ends at the minimum, and another one stays there.
    X, y = rng.normal(size=(1, 3)), np.ones((1, 1))
    for alpha in (0.01, 1.0, 100.0):
        objective = Objective(LinearModel(3, 1, False), make_loss(loss_name), L2(alpha), X, y)
        dual = objective.row_dual()
        point = dual.start(objective.start())
        for _ in range(2):
            point = dual.ascend(point, 1, rng)
            value, gap, _ = dual.look(point, dual.primal(point))
            assert gap <= 1e-13 * max(value, 1.0)


@both
@pytest.mark.parametrize("penalty", [L2(0.02), ElasticNet(0.025, 0.2)], ids=repr)
def test_linear_convergence(penalty, rows, kind, rng):
    objective = problem(Logistic(), penalty, rng, intercept=True)
    result = solve(objective, 1e-12, max_epochs=1)
    excess = (result.history["loss"] - best_value(objective)) / result.value
    epochs = np.flatnonzero(excess > 1e-11)
    slope, start = np.polyfit(epochs, np.log(excess[epochs]), 1)
    assert np.abs(np.log(excess[epochs]) - slope * epochs - start).max() < 3.0
    assert slope < -0.1
    assert result.status is Status.CONVERGED
    assert excess[-1] <= 1e-11
    assert (result.history["gap"] >= excess * result.value - 1e-13).all()


@both
@pytest.mark.parametrize("loss", [Logistic(), Hinge()], ids=repr)
def test_without_intercept_the_gap_is_a_proof(loss, rows, kind, rng):
    objective = problem(loss, L2(0.05), rng)
    best, result = best_value(objective), solve(objective, 1e-9)
    assert result.status is Status.CONVERGED
    assert (result.history["gap"] >= result.history["loss"] - best - 1e-12).all()
    assert result.state.bound == result.gap <= 1e-9 * result.value
    assert np.isnan(solve(problem(loss, L2(0.05), rng, intercept=True), 1e-3).state.bound)


@both
@pytest.mark.parametrize("intercept", [True, False])
def test_gaps_of_estimators_are_certified(intercept, rows, kind, rng):
    X, y = sparse_rows(400, 30, rng), rng.integers(0, 2, size=400)
    fits = [
        LinearSVC(C=0.02, loss="hinge", solver="sdca", fit_intercept=intercept),
        LogisticRegression(C=0.05, solver="sdca", fit_intercept=intercept),
        LogisticRegression(C=0.05, l1_ratio=0.5, solver="sdca", fit_intercept=intercept),
    ]
    for clf in fits:
        clf.set_params(tol=1e-7).fit(X, y)
        assert clf.converged_
        assert clf.gap_is_certified_
        assert clf.optimality_gap_ <= 1e-6


@both
def test_elastic_net_gives_exact_zeros(rows, kind, rng):
    X, y = sparse_rows(300, 20, rng), rng.integers(0, 2, size=300)
    ours, best = (
        LogisticRegression(C=0.1, l1_ratio=0.5, solver=solver, tol=1e-12, max_iter=3000)
        .fit(X, y)
        .coef_
        for solver in ("sdca", "proximal_newton")
    )
    np.testing.assert_array_equal(ours == 0.0, best == 0.0)
    assert 0 < (ours == 0.0).sum() < 20
    np.testing.assert_allclose(ours, best, atol=coefficients(float))


@both
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_weight_k_is_a_row_k_times_and_weight_zero_no_row(loss, rows, kind, rng):
    X, y = sparse_rows(120, 8, rng), rng.integers(0, 2, size=120)
    weight = rng.integers(0, 4, size=120)
    clf = LinearSVC(C=0.05, loss=loss, solver="sdca", tol=1e-9)
    weighted = clf.fit(X, y, weight)
    objective = weighted.history_["loss"][-1]
    repeated = clf.fit(np.repeat(X.toarray(), weight, axis=0), np.repeat(y, weight))
    assert repeated.history_["loss"][-1] == pytest.approx(objective, rel=1e-8)


@both
def test_heavy_rows_and_rows_of_weight_zero(rows, kind, rng):
    variant = Variant("csr")
    data = make_data(Logistic(), variant)
    data.sample_weight = np.ones((80, 1))
    data.sample_weight[:3], data.sample_weight[3:40] = 1e4, 0.0
    objective = data.objective(Logistic(), L2(0.1))
    result = solve(objective, 1e-9)
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(best_value(objective), rel=1e-8)


@both
def test_sparse_equals_dense(rows, kind, rng):
    X, y = sparse_rows(200, 20, rng), rng.integers(0, 2, size=200)
    wide = sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    clf = LogisticRegression(C=0.3, solver="sdca", tol=1e-10, fit_intercept=False)
    dense = clf.fit(X.toarray(), y).coef_
    for data in (X, wide):
        np.testing.assert_allclose(clf.fit(data, y).coef_, dense, rtol=1e-9, atol=1e-12)


@both
def test_rows_and_columns_of_zeros_and_constants(rows, kind, rng):
    X = np.column_stack([rng.normal(size=(50, 3)), np.zeros(50), np.full(50, 7.0)])
    X[:5, :4] = 0.0
    y = rng.integers(0, 2, size=50)
    for data, intercept in product([X, sparse.csr_array(X)], [True, False]):
        options = {"C": 0.2, "fit_intercept": intercept, "tol": 1e-11, "max_iter": 3000}
        ours, best = (
            LogisticRegression(solver=solver, **options).fit(data, y).coef_
            for solver in ("sdca", "newton")
        )
        np.testing.assert_allclose(ours, best, atol=10 * coefficients(float))


@pytest.mark.parametrize("rows", ["single"])
def test_rows_held_at_a_bound_are_left_out_and_come_back(rows, kind, rng):
    objective = problem(Hinge(), L2(0.01), rng, n_samples=2000)
    result = solve(objective, 1e-7)
    assert result.status is Status.CONVERGED
    active = result.state.point.active[0]
    assert len(active) < 1000
    # Wherever they stand, all rows come into the gap.
    assert result.value == pytest.approx(best_value(objective), rel=1e-7)
    epochs = result.history["passes"][-1]
    assert epochs < 10 * result.n_iter


def test_what_it_refuses():
    for loss, penalty in (
        (Logistic(), L1(0.1)),
        (make_loss("poisson"), L2(0.1)),
        (make_loss("multinomial"), L2(0.1)),
    ):
        objective = make_objective(loss, penalty, Variant())
        with pytest.raises(IncompatibleSolverError, match=r"SDCA needs a loss that.*Use .*SAGA"):
            solve(objective)
    data = make_data(Logistic(), Variant())
    data.X = np.asfortranarray(data.X)
    with pytest.raises(IncompatibleSolverError, match="X is stored by columns"):
        solve(data.objective(Logistic(), L2(0.1)))
