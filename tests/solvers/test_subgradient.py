"""Subgradient steps: rules by hand, Pegasos, targets, averages, refusals."""

import numpy as np
import pytest
from problems import Variant, make_data, make_objective, minimise
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes
from tolerances import KINKED_SUBOPTIMALITY, arithmetic, suboptimality

from skgrad import LinearSVC, MLPClassifier, QuantileRegressor
from skgrad.losses import AbsoluteError, Hinge
from skgrad.models import Standardization
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, ElasticNet, NoPenalty
from skgrad.solvers import IncompatibleSolverError, Status, Subgradient, _epochs


def hinge(penalty=None, **options):
    return make_objective(Hinge(), penalty or L2(0.1), Variant(**options))


def points(solver, objective, n_steps, **options):
    """Iterates, not the best points."""
    seen = []
    solver.run(
        objective, objective.start(), max_iter=n_steps, tol=0.0,
        callbacks=[lambda iteration: seen.append(iteration.state.iterate)], **options,
    )  # fmt: skip
    return seen


def evaluate(objective, w):
    value, gradient = objective.value_and_gradient(w)
    return value + objective.nonsmooth_value(w), gradient


@pytest.mark.parametrize("penalty", [L2(0.1), L1(0.05)], ids=repr)
def test_polyak_steps_to_a_target(penalty):
    objective = hinge(penalty)
    w, target = objective.start(), 0.3
    for moved in points(Subgradient(target=target), objective, 5):
        value, gradient = evaluate(objective, w)
        step = (value - target) / float(gradient @ gradient)
        w = objective.prox(w - step * gradient, step)
        np.testing.assert_allclose(moved, w, rtol=1e-12)


def test_polyak_steps_to_a_falling_level():
    objective = hinge()
    w = objective.start()
    value, gradient = evaluate(objective, w)
    best, amount = value, 0.1 * value
    for moved in points(Subgradient(decay=0.7), objective, 8):
        w = w - (value - (best - amount)) / float(gradient @ gradient) * gradient
        np.testing.assert_allclose(moved, w, rtol=1e-11)
        value, gradient = evaluate(objective, w)
        amount *= 1.0 if value <= best - amount else 0.7
        best = min(best, value)


def test_diminishing_steps():
    objective = hinge()
    w = objective.start()
    for t, moved in enumerate(points(Subgradient("diminishing", learning_rate=0.5), objective, 5)):
        _, gradient = evaluate(objective, w)
        w = w - 0.5 / np.sqrt(t + 1) * gradient / np.linalg.norm(gradient)
        np.testing.assert_allclose(moved, w, rtol=1e-12)


def test_averages_weigh_by_the_number_of_the_step():
    objective, iterates = hinge(), []
    solver = Subgradient("strongly_convex", average=True)
    result = solver.run(
        objective, objective.start(), max_iter=6, tol=0.0,
        callbacks=[lambda iteration: iterates.append(iteration.state.iterate)],
    )  # fmt: skip
    expected = np.average(iterates, axis=0, weights=np.arange(1, 7))
    np.testing.assert_allclose(result.state.average, expected, rtol=1e-12)


def test_only_steps_that_know_no_curvature_get_other_coordinates():
    objective = hinge()
    assert Subgradient("strongly_convex").in_coordinates(objective) is objective
    for steps in ["polyak", "diminishing"]:
        moved = Subgradient(steps).in_coordinates(objective)
        assert moved.standardization.rotation is not None


def test_polyak_reaches_the_minimum_of_a_sharp_function_fast():
    # No noise: the absolute loss has its minimum, 0, at the true coefficients, and is sharp there.
    rng = np.random.default_rng(0)
    data = make_data(AbsoluteError(), Variant(intercept=False))
    data.y = data.X @ rng.normal(size=(5, 1))
    objective = data.objective(AbsoluteError(), NoPenalty())
    result = Subgradient(target=0.0).run(objective, np.zeros(5), max_iter=1000, tol=0.0)
    assert result.status is Status.CONVERGED
    assert result.value <= arithmetic("float64")
    errors = np.log(result.history["loss"][:200:20])
    assert np.diff(errors).max() < -0.5  # at least a factor of 1.6 in 20 steps: linear


def test_a_target_that_is_the_minimum_makes_the_gap_exact():
    objective = hinge()
    best = minimise(objective).value
    result = Subgradient(target=best).run(objective, objective.start(), tol=1e-4, max_iter=5000)
    assert result.status is Status.CONVERGED
    assert result.gap == pytest.approx(result.value - best, abs=1e-15)


# Pegasos


def in_user_coordinates(data, loss, penalty):
    p, dtype = data.X.shape[1], data.X.dtype
    identity = Standardization(np.zeros(p, dtype), np.ones(p, dtype))
    return Objective(
        data.model, loss, penalty, data.X, data.y, data.sample_weight, standardization=identity
    )


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("compiled", [False, True])
def test_pegasos(layout, compiled, monkeypatch):
    monkeypatch.setattr(_epochs, "MANY_ELEMENTS", 0 if compiled else 1 << 60)
    monkeypatch.setattr(_epochs, "MANY_UPDATES", 1 << 60)
    data = make_data(Hinge(), Variant(layout, intercept=False))
    X = data.X.toarray() if layout == "csr" else data.X
    alpha, k = 0.2, 7
    objective = in_user_coordinates(data, Hinge(), L2(alpha))
    solver = Subgradient("strongly_convex", batch_size=k, average=True)
    result = solver.run(objective, np.zeros(5), max_iter=3, tol=0.0, rng=np.random.default_rng(5))
    rng, w, t = np.random.default_rng(5), np.zeros(5), 0
    average, weight = np.zeros(5), 0.0
    for _ in range(3):
        order = rng.permutation(len(X))
        for start in range(0, len(X), k):
            t, rows = t + 1, order[start : start + k]
            signs = data.y[rows, 0]
            violated = signs * (X[rows] @ w) < 1
            # Figure 2 of the paper, without the projection.
            w = (1 - 1 / t) * w + (signs * violated) @ X[rows] / (alpha * t * len(rows))
            average, weight = average + t * w, weight + t
    np.testing.assert_allclose(result.state.iterate, w, rtol=1e-10)
    np.testing.assert_allclose(result.state.average, average / weight, rtol=1e-10)


@pytest.mark.parametrize("steps", ["diminishing", "strongly_convex"])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_other_rules_and_batches_come_near_the_minimum(steps, batch_size):
    objective = hinge(L2(0.1))
    solver = Subgradient(steps, batch_size=batch_size, average=True)
    moved = solver.in_coordinates(objective)
    result = solver.run(moved, moved.start(), max_iter=500, rng=np.random.default_rng(0))
    best = minimise(objective).value
    assert -1e-9 <= result.value / best - 1.0 <= KINKED_SUBOPTIMALITY
    assert result.value == pytest.approx(moved.value(result.w), rel=1e-12)


def test_the_convexity_is_the_least_curvature_of_the_penalty(rng):
    data = make_data(Hinge(), Variant())
    objective = data.objective(Hinge(), L2(0.3))
    for moved in [objective, objective.decorrelated()]:
        columns = [curvature(moved, e) for e in np.eye(moved.n_params)]
        hessian = np.array(columns)[:-1, :-1]
        least = np.linalg.eigvalsh(hessian)[0]
        assert moved.penalty_convexity() == pytest.approx(least, rel=1e-9)


def curvature(objective, v):
    """Hessian of the penalty times v: its gradient is linear."""
    gradient = np.zeros_like(v)
    objective._penalty.add_to(v, gradient)
    return gradient


# Data


def test_a_weight_is_a_row_several_times():
    data = make_data(Hinge(), Variant(weights="rows"))
    times = data.sample_weight[:, 0].astype(int)
    weighted = data.objective(Hinge(), L2(0.1))
    data.X, data.y = np.repeat(data.X, times, axis=0), np.repeat(data.y, times, axis=0)
    data.sample_weight = None
    repeated = data.objective(Hinge(), L2(0.1))
    solver = Subgradient()
    # The best constant is at a kink: rounding would decide about its subgradient.
    start = weighted.start() + 0.1
    one, other = (solver.run(o, start, max_iter=10, tol=0.0) for o in (weighted, repeated))
    np.testing.assert_allclose(one.w, other.w, rtol=arithmetic("float64"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_estimators(dtype):
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(dtype)
    exact = LinearSVC(loss="hinge", C=0.1).fit(X, y)
    for data in [X, sparse.csr_array(X)]:
        clf = LinearSVC(loss="hinge", C=0.1, solver="subgradient", tol=1e-3, max_iter=2000)
        clf.fit(data, y)
        assert clf.converged_
        assert clf.coef_.dtype == dtype
        found, best = (fit.history_["loss"][-1] for fit in (clf, exact))
        assert found <= best * (1 + suboptimality(Subgradient(), dtype))


def test_quantiles():
    X, y = load_diabetes(return_X_y=True)
    reg = QuantileRegressor(alpha=0.0, quantile=0.8, solver=Subgradient()).fit(X, y)
    assert np.mean(y <= reg.predict(X)) == pytest.approx(0.8, abs=0.02)


def test_random_state_decides_about_batches():
    X, y = load_breast_cancer(return_X_y=True)
    solver = Subgradient("diminishing", batch_size=50)
    options = {"loss": "hinge", "solver": solver, "max_iter": 3, "tol": 10.0}
    with pytest.warns(UserWarning, match="has not converged"):
        fits = [LinearSVC(random_state=seed, **options).fit(X, y) for seed in [0, 0, 1]]
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    assert (fits[0].coef_ != fits[2].coef_).any()


# Refusals


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (Subgradient(batch_size=3), "batch_size=3 is not for step_size='polyak'"),
        (Subgradient("diminishing", target=0.0), "target=0.0 is for step_size='polyak' only"),
        (Subgradient("newton"), "'step_size'"),
    ],
)
def test_options_that_do_not_fit_are_explained(solver, message):
    objective = hinge()
    with pytest.raises(ValueError, match=message):
        solver.run(objective, objective.start())


def test_steps_that_need_strong_convexity_say_so():
    solver = Subgradient("strongly_convex")
    for penalty in [NoPenalty(), L1(0.1)]:
        objective = hinge(penalty)
        with pytest.raises(IncompatibleSolverError, match=r"L2 or elastic-net.*'polyak'"):
            solver.run(objective, objective.start())
    objective = hinge(ElasticNet(0.1, l1_ratio=0.5))
    solver.run(objective, objective.start(), max_iter=2)


def test_networks_are_refused():
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(ValueError, match=r"Subgradient needs .*model is a network.*Use .*SGD"):
        MLPClassifier(solver="subgradient").fit(X, y)
