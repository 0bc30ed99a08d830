"""Newton's method from orthant to orthant, and what certifies its steps."""

from itertools import pairwise

import numpy as np
import pytest
from problems import Variant, make_loss, make_objective
from sklearn.datasets import load_breast_cancer
from tolerances import arithmetic, coefficients

from skgrad import LinearRegression, LogisticRegression
from skgrad.coordinate_penalty import Terms
from skgrad.penalties import L1
from skgrad.solvers import ProximalNewton
from skgrad.solvers._orthants import OrthantNewton


def quadratic(rng, n, rank, *, nonnegative, correlation=0.0):
    A = rng.normal(size=(rank, n)) + correlation * rng.normal(size=(rank, 1))
    l1, l2 = np.full(n, 0.3), rng.choice([0.0, 0.1], size=n)
    lower = np.where(rng.random(n) < 0.5, 0.0, -np.inf) if nonnegative else np.full(n, -np.inf)
    l1[-1] = l2[-1] = 0.0  # like an intercept
    lower[-1] = -np.inf
    return A.T @ A / rank, rng.normal(size=n), Terms(l1, l2, lower)


@pytest.mark.parametrize("rank", [60, 12], ids=["regular", "singular"])
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("correlation", [0.0, 3.0])
@pytest.mark.parametrize("start", ["zero", "anywhere"])
def test_optimality_conditions(start, correlation, nonnegative, rank, rng):
    for _ in range(20):
        H, gradient, terms = quadratic(
            rng, 20, rank, nonnegative=nonnegative, correlation=correlation
        )
        gradient = H @ gradient  # so that a minimum exists where H is singular
        w = np.zeros(20) if start == "zero" else rng.normal(size=20) * (rng.random(20) < 0.6)
        w[terms.lower == 0.0] = np.abs(w[terms.lower == 0.0])
        z = OrthantNewton(H, gradient, w, terms, ridge=1e-10).minimise()
        assert (z >= terms.lower).all()
        slope = gradient + H @ (z - w) + terms.l2 * z
        scale = coefficients("float64") * np.abs(gradient).max()
        moving = (z != 0.0) | (terms.l1 == 0.0)
        stationary = (slope + terms.l1 * np.sign(z))[moving]
        np.testing.assert_allclose(stationary, 0.0, atol=scale)
        assert (slope[~moving] >= -terms.l1[~moving] - scale).all()
        free_below = ~moving & np.isneginf(terms.lower)
        assert (slope[free_below] <= terms.l1[free_below] + scale).all()


def test_without_interaction_it_is_soft_thresholding(rng):
    gradient, curvature = rng.normal(size=30), rng.uniform(0.5, 2.0, size=30)
    terms = Terms(np.full(30, 0.4), np.zeros(30), np.full(30, -np.inf))
    newton = OrthantNewton(np.diag(curvature), gradient, np.zeros(30), terms, ridge=0.0)
    expected = -np.sign(gradient) * np.maximum(np.abs(gradient) - 0.4, 0.0) / curvature
    z = newton.minimise()
    np.testing.assert_allclose(z, expected, atol=arithmetic("float64"))
    np.testing.assert_array_equal(z == 0.0, expected == 0.0)


def test_nothing_to_do_without_free_coordinates():
    terms = Terms(np.ones(3), np.zeros(3), np.full(3, -np.inf))
    newton = OrthantNewton(np.eye(3), np.full(3, 0.5), np.zeros(3), terms, ridge=1e-10)
    np.testing.assert_array_equal(newton.minimise(), np.zeros(3))


@pytest.mark.parametrize("loss_name", ["logistic", "multinomial"])
@pytest.mark.parametrize("intercept", [False, True])
def test_dual_variables_of_the_model_certify_a_newton_step(intercept, loss_name):
    variant = Variant("dense", weights="rows", intercept=intercept)
    objective = make_objective(make_loss(loss_name), L1(0.02), variant, n_features=8)
    best = ProximalNewton().run(objective, objective.start(), tol=1e-14)
    path = []
    ProximalNewton().run(
        objective, objective.start(), tol=1e-13, callbacks=[lambda it: bool(path.append(it))]
    )
    w, target = next(
        (before.w, after.w)
        for before, after in pairwise(path)
        if after.state.step_size == 1.0 and after.state.value - best.value < 1e-5 * best.value
    )
    excess = objective.value(target) - best.value
    bound = objective.gap_after_step(w, target)
    assert bound >= excess - arithmetic("float64") * best.value
    # To second order, where the loss's own derivatives know the gap to first order only.
    assert bound <= 0.1 * objective.certified_gap(target)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_dual_bound_is_a_proof_at_a_settled_intercept_only(shift, rng):
    variant = Variant("dense", weights="none", intercept=True)
    objective = make_objective(make_loss("squared_error"), L1(0.1), variant, n_features=5)
    w = ProximalNewton().run(objective, objective.start(), tol=1e-13).w.copy()
    w[-1] += shift
    value, gradient = objective.value_and_gradient(w)
    assert objective.columns.dual_bound_is_proof(value, gradient) == (shift == 0.0)


def test_small_fits_take_few_certified_iterations():
    X, y = load_breast_cancer(return_X_y=True)
    clf = LogisticRegression(l1_ratio=1.0).fit((X - X.mean(0)) / X.std(0), y)
    steps, loss = clf.history_["step_size"], clf.history_["loss"]
    assert steps.max() > 1.5  # far from the minimum, where the loss flattens out
    assert (np.diff(loss) <= 0).all()
    assert clf.gap_is_certified_
    assert clf.n_iter_[0] <= 7
    reg = LinearRegression(alpha=0.01, l1_ratio=1.0).fit(X[:, 1:], X[:, 0])
    assert reg.gap_is_certified_
    assert reg.n_iter_ == 1
