"""Dual coordinate ascent: the same minimum as interior points, certified, on all kinds of data."""

import numpy as np
import pytest
from problems import Variant, make_data, make_loss, sparse_rows
from scipy import sparse
from tolerances import SUBOPTIMALITY, coefficients

from skgrad import LinearSVC, LinearSVR
from skgrad.losses import AbsoluteError, EpsilonInsensitive, Hinge
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2, ElasticNet
from skgrad.solvers import (
    AugmentedLagrangian,
    DualCoordinateAscent,
    IncompatibleSolverError,
    InteriorPoint,
    choose_solver,
)

LOSSES = ["hinge", "absolute_error", "quantile", "epsilon_insensitive"]


def minimum(objective):
    result = InteriorPoint().run(objective, objective.start(), tol=1e-12)
    return objective.to_user(result.w), result.value


def solve(objective, solver=None, tol=1e-10):
    solver = solver or DualCoordinateAscent()
    result = solver.run(objective, objective.start(), tol=tol, max_iter=3000)
    return objective.to_user(result.w), result


@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_minimum_of_several_outputs(loss_name, weights, intercept, layout):
    loss = make_loss(loss_name)
    variant = Variant(layout, weights=weights, intercept=intercept, n_outputs=3)
    objective = make_data(loss, variant).objective(loss, L2(0.02))
    w, best = minimum(objective)
    ours, result = solve(objective)
    assert result.value == pytest.approx(best, rel=1e-9)
    np.testing.assert_allclose(ours, w, atol=100 * coefficients(float))


@pytest.mark.parametrize("max_cg_iter", [0, 3, 100])
def test_more_free_rows_than_columns_can_tell_apart(rng, max_cg_iter):
    # A small C leaves most rows inside the box: the dual's Hessian on them is singular.
    X = rng.normal(size=(300, 4))
    y = np.where(X[:, 0] + rng.normal(size=300) > 0, 1.0, -1.0)[:, None]
    objective = Objective(LinearModel(4, 1, True), Hinge(), L2(1e-2), X, y)
    _, best = minimum(objective)
    _, result = solve(objective, DualCoordinateAscent(max_cg_iter=max_cg_iter), tol=1e-8)
    assert result.value == pytest.approx(best, rel=SUBOPTIMALITY["float64", "second"])


def test_conjugate_gradients_save_passes(rng):
    X = sparse_rows(600, 400, rng, density=0.05)
    y = np.where(X @ rng.normal(size=400) + rng.normal(size=600) > 0, 1.0, -1.0)[:, None]
    objective = Objective(LinearModel(400, 1, True), Hinge(), L2(1e-4), X, y)
    plain, accelerated = (
        solve(objective, DualCoordinateAscent(max_cg_iter=k), 1e-8)[1] for k in (0, 100)
    )
    assert accelerated.n_iter < 0.5 * plain.n_iter
    assert accelerated.value == pytest.approx(plain.value, rel=1e-7)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_columns_far_from_zero(rng, layout):
    X = rng.normal(size=(120, 6)) + 50.0
    y = np.where(X[:, 0] - 50.0 + rng.normal(size=120) > 0, 1.0, -1.0)[:, None]
    X = sparse.csr_array(X) if layout == "csr" else X
    objective = Objective(LinearModel(6, 1, True), Hinge(), L2(0.1), X, y)
    w, best = minimum(objective)
    ours, result = solve(objective)
    assert result.n_iter < 100  # uncentred rows would take thousands
    assert result.value == pytest.approx(best, rel=1e-9)
    np.testing.assert_allclose(ours, w, rtol=100 * coefficients(float), atol=1e-5)


@pytest.mark.parametrize("loss", [Hinge(), AbsoluteError(), EpsilonInsensitive(0.5)], ids=repr)
def test_gap_bounds_the_suboptimality(loss):
    objective = make_data(loss, Variant(intercept=False, weights="rows")).objective(loss, L2(0.05))
    _, best = minimum(objective)
    _, result = solve(objective, tol=1e-9)
    excess = result.history["loss"] - best
    assert (result.history["gap"] >= excess - 1e-12).all()
    assert result.history["gap"][-1] <= 1e-9 * result.value


def test_dual_variables_stay_in_their_box_and_balance():
    data = make_data(Hinge(), Variant(weights="rows"))
    objective = data.objective(Hinge(), L2(0.05))
    _, result = solve(objective)
    (output,) = result.state.outputs
    lower, upper, _, _ = output.form.box.T
    alpha = output.point.alpha
    assert ((alpha >= lower) & (alpha <= upper)).all()
    assert np.abs(alpha).sum() > 0
    assert alpha.sum() == pytest.approx(0.0, abs=1e-7 * np.abs(alpha).sum())
    # w = -sum_i alpha_i (x_i - c) = -X'alpha where alpha sums to zero
    np.testing.assert_allclose(
        objective.to_user(result.w)[:-1], -alpha @ data.X, rtol=1e-6, atol=1e-9
    )


def test_weight_two_is_a_row_twice(rng):
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 3, size=60)
    weight = rng.integers(1, 4, size=60)
    svm = LinearSVC(C=0.5, loss="hinge", solver="dual_coordinate_ascent", tol=1e-10)
    weighted = svm.fit(X, y, weight).coef_
    repeated = svm.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).coef_
    np.testing.assert_allclose(weighted, repeated, atol=100 * coefficients(float))


def test_rows_without_entries_and_constant_columns(rng):
    X = np.column_stack([rng.normal(size=(50, 3)), np.zeros(50), np.full(50, 7.0)])
    X[:5] = 0.0
    y = rng.integers(0, 2, size=50)
    for intercept in (True, False):
        fits = [
            LinearSVC(loss="hinge", C=0.2, fit_intercept=intercept, solver=solver, tol=1e-10)
            .fit(sparse.csr_array(X), y)
            .coef_
            for solver in ("dual_coordinate_ascent", "interior_point")
        ]
        np.testing.assert_allclose(*fits, atol=100 * coefficients(float))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_class_weights_and_long_indices(rng, dtype):
    X = sparse_rows(200, 30, rng).astype(dtype)
    y = rng.integers(0, 2, size=200)
    svm = LinearSVC(
        loss="hinge", class_weight={0: 3.0}, solver="dual_coordinate_ascent", tol=1e-9, C=0.1
    )
    coef = svm.fit(X, y).coef_
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    assert svm.converged_
    assert coef.dtype == dtype
    np.testing.assert_array_equal(svm.fit(X, y).coef_, coef)
    expected = LinearSVC(loss="hinge", class_weight={0: 3.0}, C=0.1, tol=1e-9).fit(X, y).coef_
    np.testing.assert_allclose(coef, expected, atol=10 * coefficients(dtype))


def test_support_vector_regression_as_in_scikit_learn(rng):
    from sklearn.svm import LinearSVR as Peer

    X = rng.normal(size=(150, 4))
    y = X @ [1.0, -2.0, 0.0, 0.5] + rng.standard_t(3, size=150)
    ours = LinearSVR(
        epsilon=0.3, C=0.7, fit_intercept=False, solver="dual_coordinate_ascent", tol=1e-10
    ).fit(X, y)
    peer = Peer(epsilon=0.3, C=0.7, fit_intercept=False, tol=1e-9, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=100 * coefficients(float))


def test_is_chosen_for_large_wide_data_stored_by_rows():
    def chosen(X, penalty):
        y = np.where(np.arange(X.shape[0]) % 2, 1.0, -1.0)[:, None]
        return choose_solver(Objective(LinearModel(X.shape[1], 1, True), Hinge(), penalty, X, y))

    wide = np.zeros((800, 1300))
    assert isinstance(chosen(wide, L2(1.0)), DualCoordinateAscent)
    assert isinstance(chosen(wide[:100], L2(1.0)), AugmentedLagrangian)
    assert isinstance(chosen(np.asfortranarray(wide), L2(1.0)), AugmentedLagrangian)
    assert isinstance(chosen(wide, ElasticNet(1.0)), AugmentedLagrangian)


def test_data_stored_by_columns_are_refused_in_words(rng):
    X, y = np.asfortranarray(rng.normal(size=(20, 3))), np.tile([[1.0], [-1.0]], (10, 1))
    objective = Objective(LinearModel(3, 1, True), Hinge(), L2(1.0), X, y)
    with pytest.raises(IncompatibleSolverError, match=r"stored by columns.*InteriorPoint"):
        DualCoordinateAscent().run(objective, objective.start())
