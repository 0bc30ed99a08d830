"""Several starts: the best is kept, the first is the solver's own, chance is the caller's."""

import math
from dataclasses import replace

import numpy as np
import pytest
from problems import Variant, make_objective
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from skgrad import LogisticRegression, MLPClassifier
from skgrad.losses import Logistic
from skgrad.penalties import L1, L2
from skgrad.solvers import (
    LBFGS,
    DivergenceError,
    GradientDescent,
    IncompatibleSolverError,
    MultiStart,
    ProximalGradient,
    Solver,
    State,
    Status,
)

X, Y = load_iris(return_X_y=True)


class DoubleWell:
    """F(w) = sum (w^2 - 1)^2 + w / 4 with two local minima per coordinate; not convex."""

    convex = False
    continuous_curvature = False
    dtype = np.dtype("float64")
    n_samples = n_params = 3
    passes = 0.0
    offers = frozenset(LBFGS.needs)

    def value_and_gradient(self, w):
        self.passes += 1.0
        return (
            float(np.sum((w**2 - 1) ** 2 + w / 4)), 4 * w * (w**2 - 1) + 0.25
        )  # fmt: skip

    def smoothness(self, w):
        return type("Bounds", (), {"mean": 20.0, "row": 20.0})

    def displacement_scale(self, w):
        return 1.0

    def random_start(self, w, spread, rng):
        return w + spread * rng.standard_normal(3)

    def gradient_gap(self, w, gradient):
        return math.nan

    def decorrelated(self):
        return self


def test_more_starts_find_the_global_minimum():
    objective, start = DoubleWell(), np.ones(3)
    solver = GradientDescent(0.02, line_search=None)
    options = {"max_iter": 500, "tol": 0.0}
    alone = solver.run(objective, start, **options)
    assert (alone.w > 0.9).all()
    rng = np.random.default_rng(0)
    many = MultiStart(solver, 60, spread=3.0).run(objective, start, rng=rng, **options)
    assert (many.w < -1.0).all()
    np.testing.assert_allclose(objective.value_and_gradient(many.w)[1], 0.0, atol=1e-6)


def test_the_best_of_the_runs_one_by_one_is_kept():
    objective, start = DoubleWell(), np.zeros(3)
    solver, options = GradientDescent(0.02, line_search=None), {"max_iter": 30, "tol": 0.0}
    rng = np.random.default_rng(3)
    starts = [start] + [objective.random_start(start, 0.5, rng) for _ in range(4)]
    values = [solver.run(objective, own, **options).value for own in starts]
    rng = np.random.default_rng(3)
    result = MultiStart(solver, 5, spread=0.5).run(objective, start, rng=rng, **options)
    assert result.value == min(values) < values[0]
    assert [own.value for _, own in result.state.points] == values


def test_a_single_start_is_the_solver_alone():
    objective = make_objective(Logistic(), L2(0.05), Variant())
    alone, single = (
        solver.run(objective, objective.start(), tol=1e-9)
        for solver in [LBFGS(), MultiStart(LBFGS(), 1)]
    )
    np.testing.assert_array_equal(alone.w, single.w)
    np.testing.assert_array_equal(alone.history["loss"], single.history["loss"])
    assert alone.status is single.status is Status.CONVERGED


class Falls(Solver):
    """A solver that ends, or goes to infinity, when its start says so."""

    name = "falls"

    def __init__(self):
        pass

    def init(self, objective, w, run):
        return State(float(abs(w[0])))

    def step(self, objective, w, state, run):
        if w[0] > 1.0:
            return w, replace(state, value=math.inf)
        return w / 2, replace(
            state, value=float(abs(w[0])) / 2, status=Status.STALLED if abs(w[0]) < 0.1 else None
        )


def test_starts_that_end_wait_and_those_that_diverge_are_dropped():
    objective = DoubleWell()
    rng = np.random.default_rng(1)
    result = MultiStart(Falls(), 20, spread=2.0).run(objective, np.array([0.5]), rng=rng, tol=-1.0)
    assert result.status is Status.STALLED
    ends = {own.status for _, own in result.state.points}
    assert ends == {Status.STALLED, Status.DIVERGED}
    assert result.value == min(own.value for _, own in result.state.points)
    with pytest.raises(DivergenceError):
        MultiStart(Falls(), 3, spread=1e-9).run(objective, np.full(3, 9.0), rng=rng)


class Tells(Falls):
    """A solver that says at once that it is at the minimum, 1, or comes slowly down to zero."""

    name = "tells"

    def step(self, objective, w, state, run):
        if w[0] > 0.0:
            return w, State(1.0, gap=0.0)
        return w, State(0.8 * state.value, gap=0.8 * state.value)


def test_a_local_minimum_does_not_end_the_other_starts():
    rng = np.random.default_rng(1)
    start = np.array([0.5, 0.0, 0.0])
    result = MultiStart(Tells(), 10, spread=9.0).run(DoubleWell(), start, rng=rng, tol=1e-12)
    assert result.value < 1e-12
    assert result.n_iter > 50


def test_random_starts_of_linear_models_are_around_the_first():
    objective = make_objective(Logistic(), L2(0.05), Variant())
    w, rng = np.arange(6.0), np.random.default_rng(0)
    drawn = np.array([objective.random_start(w, 0.1, rng) for _ in range(400)])
    np.testing.assert_allclose(drawn.mean(axis=0), w, atol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0), 0.1, rtol=0.2)
    single = make_objective(Logistic(), L2(0.05), Variant(dtype="float32"))
    assert single.random_start(w.astype("float32"), 0.1, rng).dtype == "float32"


def test_needs_are_those_of_the_solver():
    objective = make_objective(Logistic(), L1(0.02), Variant())
    with pytest.raises(IncompatibleSolverError, match="MultiStart needs a smooth penalty"):
        MultiStart(LBFGS()).run(objective, objective.start())
    result = MultiStart(ProximalGradient(), 2).run(objective, objective.start(), tol=1e-8)
    assert result.status is Status.CONVERGED


def test_shuffled_weights_are_a_networks_other_starts():
    from skgrad.neural_network._base import build_objective, resolve_solver

    clf = MLPClassifier((6,), "tanh", alpha=1.0, random_state=0, solver="lbfgs")
    task = clf._task(X, Y, None, first=True)
    objective = build_objective(clf, task, resolve_solver(clf, task), None)
    w = np.arange(objective.n_params, dtype=objective.dtype)
    drawn = objective.random_start(w, 1.0, np.random.default_rng(0))
    assert (drawn != w).any()
    for group in objective.network.layout.groups:
        np.testing.assert_array_equal(np.sort(drawn[group.where]), w[group.where])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_by_random_state_and_in_a_search():
    options = {"alpha": 1.0, "random_state": 0, "n_iter_no_change": 100, "max_iter": 50}
    clf = MLPClassifier((3,), "tanh", solver=MultiStart(LBFGS(), 4), **options)
    one, same = clone(clf).fit(X, Y), clone(clf).fit(X, Y)
    np.testing.assert_array_equal(one.coefs_[0], same.coefs_[0])
    alone = clone(clf).set_params(solver=LBFGS()).fit(X, Y)
    assert one.loss_ <= alone.loss_
    grid = {"solver": [MultiStart(LBFGS(), 2), LBFGS()]}
    GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X, Y)
    named = MLPClassifier(solver="multi_start").set_params(solver__n_starts=2)
    assert named.solver.n_starts == 2
    nested = clf.set_params(solver__solver__memory=3)
    assert nested.solver.solver.memory == 3


def test_linear_models_take_it_too():
    clf = LogisticRegression(solver="multi_start", random_state=0).fit(X, Y)
    np.testing.assert_allclose(clf.coef_, LogisticRegression().fit(X, Y).coef_, atol=1e-3)
