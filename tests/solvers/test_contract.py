"""What holds for every solver: the loop, its report, and that a run leaves no trace."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from problems import LINEAR_SOLVERS, Variant, make_objective
from sklearn.base import clone
from tolerances import GAP_ESTIMATE

from skgrad.losses import AbsoluteError, Hinge, Logistic, SquaredError
from skgrad.penalties import L1, L2
from skgrad.penalties.constraints import L1Ball
from skgrad.solvers import (
    SGD,
    SOLVERS,
    Adam,
    DivergenceError,
    GradientDescent,
    Newton,
    ProximalGradient,
    Status,
    choose_solver,
    get_solver,
)

every_solver = pytest.mark.parametrize("name", LINEAR_SOLVERS)


def objective_for(solver, **options):
    """Smallest problem that a solver takes."""
    parts = [(Logistic(), L2(0.05)), (Hinge(), L2(0.05)), (Logistic(), L1Ball(0.6))]
    objectives = [make_objective(*pair, Variant(), **options) for pair in parts]
    return next(objective for objective in objectives if solver.needs <= objective.offers)


def run(solver, objective, w=None, **options):
    w = objective.start() if w is None else w
    options = {"tol": 0.0, "max_iter": 6, "rng": np.random.default_rng(1), **options}
    return solver.run(objective, w, **options)


@every_solver
def test_a_run_changes_neither_solver_nor_start(name):
    solver = SOLVERS[name]()
    objective = objective_for(solver)
    w, attributes = objective.start(), dict(vars(solver))
    run(solver, objective, w)
    assert vars(solver) == attributes
    np.testing.assert_array_equal(w, objective.start())


@every_solver
def test_a_run_changes_no_data(name):
    solver = SOLVERS[name]()
    objective = objective_for(solver)
    before = pickle.dumps(objective)
    run(solver, objective)
    objective.passes = 0.0
    assert pickle.dumps(objective) == before


@every_solver
def test_one_object_serves_threads(name):
    solver = SOLVERS[name]()
    objectives = [objective_for(solver, seed=seed) for seed in range(4)] * 3
    expected = [run(solver, objective).w for objective in objectives[:4]] * 3
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda objective: run(solver, objective).w, objectives))
    np.testing.assert_array_equal(results, expected)


@every_solver
def test_continuing_from_a_state_is_one_long_run(name):
    solver = SOLVERS[name]()
    objective = objective_for(solver)
    whole = run(solver, objective, max_iter=5, n_iter_no_change=100)
    rng = np.random.default_rng(1)
    first = run(solver, objective, max_iter=2, rng=rng, horizon=5, n_iter_no_change=100)
    kept = pickle.dumps(first.state)
    second = run(
        solver, objective, first.w, max_iter=3, rng=rng, horizon=5, n_iter_no_change=100,
        state=first.state,
    )  # fmt: skip
    np.testing.assert_array_equal(second.w, whole.w)
    np.testing.assert_array_equal(
        np.append(first.history["loss"], second.history["loss"]), whole.history["loss"]
    )
    assert pickle.dumps(first.state) == kept


@every_solver
def test_history_has_a_row_per_iteration(name):
    solver = SOLVERS[name]()
    objective = objective_for(solver)
    result = run(solver, objective)
    assert {len(column) for column in result.history.values()} == {result.n_iter}
    assert set(result.history) == {
        "loss", "gradient_norm", "step_size", "gap", "seconds", "passes"
    }  # fmt: skip
    assert all(a <= b for a, b in pairwise(result.history["seconds"]))
    assert all(a < b for a, b in pairwise(result.history["passes"]))
    assert np.isfinite(result.history["loss"]).all()


@every_solver
def test_the_value_returned_is_that_of_the_parameters(name):
    solver = SOLVERS[name]()
    objective = objective_for(solver)
    result = run(solver, objective)
    assert result.value == pytest.approx(objective.value(result.w), rel=1e-12)


@every_solver
def test_a_callback_sees_each_iteration_and_can_stop(name):
    solver, seen = SOLVERS[name](), []
    objective = objective_for(solver)

    def callback(iteration):
        seen.append((iteration.n_iter, iteration.w.copy(), iteration.state.value))
        return len(seen) == 2

    result = run(solver, objective, callbacks=[callback])
    assert [n_iter for n_iter, _, _ in seen] == [1, 2]
    assert result.n_iter == 2
    assert result.status is Status.STOPPED
    np.testing.assert_array_equal(seen[-1][1], result.w)
    np.testing.assert_array_equal([value for *_, value in seen], result.history["loss"])


@every_solver
def test_a_gap_reported_as_converged_is_true(name):
    solver = SOLVERS[name]()
    objective = objective_for(solver)
    tol = 1e-2 if solver.stochastic else 1e-4
    result = run(solver, objective, tol=tol, max_iter=1000)
    best = choose_solver(objective).run(objective, objective.start(), tol=1e-14).value
    assert result.status is Status.CONVERGED
    factor = GAP_ESTIMATE["stochastic"] if solver.stochastic else 1.0
    assert result.value - best <= factor * tol * abs(best) * (1 + 1e-6)


@every_solver
def test_max_iter_is_reported(name):
    solver = SOLVERS[name]()
    result = run(solver, objective_for(solver), max_iter=1)
    assert (result.n_iter, result.status) == (1, Status.MAX_ITER)


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_are_scikit_learn_objects(name):
    solver = SOLVERS[name]()
    assert repr(solver) == f"{type(solver).__name__}()"
    assert clone(solver).get_params() == solver.get_params()
    assert type(get_solver(name)) is type(solver)
    assert get_solver(solver) is solver
    for key in solver.get_params():
        with pytest.raises(ValueError, match=f"'{key}'"):
            clone(solver).set_params(**{key: -1j}).validate()


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (GradientDescent(1e12, line_search=None), "GradientDescent .* step size 1e.12"),
        (SGD(1e12), "SGD .* step size 1e.12"),
        (Adam(1e300), "Adam .* step size 1e.300"),
    ],
)
def test_divergence_names_the_step_size_and_a_remedy(solver, message):
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    with pytest.raises(DivergenceError, match=f"{message}.*Lower learning_rate"):
        solver.run(objective, objective.start(), max_iter=1000)


def test_unknown_names_get_the_closest_match():
    with pytest.raises(ValueError, match=r"'admm'.*Did you mean 'adam'.*'lbfgs'"):
        get_solver("admm")
    with pytest.raises(ValueError, match="Unknown solver 3"):
        get_solver(3)


def test_auto_takes_newton_for_few_columns_and_lbfgs_for_many():
    few = make_objective(Logistic(), L2(), Variant())
    many = make_objective(Logistic(), L2(), Variant(), n_features=1000)
    assert type(choose_solver(few)) is Newton
    assert type(choose_solver(many)).__name__ == "LBFGS"


@pytest.mark.parametrize("loss", [Logistic(), AbsoluteError()])
@pytest.mark.parametrize("penalty", [L1(0.1), L2(0.1)])
def test_auto_takes_what_the_objective_allows(loss, penalty):
    for n_features in [5, 1500]:
        objective = make_objective(loss, penalty, Variant(), n_features=n_features)
        choose_solver(objective).check(objective)


def test_a_line_that_only_a_smooth_loss_allows_is_explained():
    objective = make_objective(AbsoluteError(), L1(), Variant())
    with pytest.raises(ValueError, match="ProximalGradient needs a smooth loss; the AbsoluteError"):
        ProximalGradient().run(objective, objective.start())
