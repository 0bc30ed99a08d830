"""Chains of solvers: hand-overs, horizons, refusals, and life inside an estimator."""

import pickle

import numpy as np
import pytest
from problems import Variant, make_data, make_objective, minimise
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from tolerances import suboptimality

from skgrad import LinearSVC, LogisticRegression, MLPClassifier
from skgrad.losses import Hinge, Logistic
from skgrad.penalties import L1, L2
from skgrad.schedules import Cosine
from skgrad.solvers import (
    LBFGS,
    SGD,
    Adam,
    Chain,
    DualCoordinateAscent,
    GradientDescent,
    IncompatibleSolverError,
    Newton,
    ProximalGradient,
    ProximalNewton,
    Status,
)


def logistic(penalty=None, variant=None):
    return make_objective(Logistic(), penalty or L2(0.05), variant or Variant())


def test_parts_run_as_they_would_alone():
    objective = logistic()
    start, options = objective.start(), {"tol": 0.0, "n_iter_no_change": 100}
    sgd, finish = SGD(Cosine(0.1), batch_size=16), LBFGS()
    first = sgd.run(objective, start, max_iter=4, rng=np.random.default_rng(7), **options)
    second = finish.run(objective, first.w, max_iter=3, **options)
    chain = Chain([sgd, finish], [4, None])
    both = chain.run(objective, start, max_iter=7, rng=np.random.default_rng(7), **options)
    np.testing.assert_array_equal(both.w, second.w)
    # The entry of the hand-over holds the exact objective, not the mean over the batches.
    losses = np.concatenate([first.history["loss"][:3], [first.value], second.history["loss"]])
    np.testing.assert_array_equal(both.history["loss"], losses)
    steps = np.append(first.history["step_size"], second.history["step_size"])
    np.testing.assert_array_equal(both.history["step_size"], steps)


def test_a_hand_over_costs_no_pass_more_than_two_runs():
    # The last epoch of an automatic rate is not followed by a pass that only the next would need.
    objective = logistic()
    start, options = objective.start(), {"tol": 0.0, "n_iter_no_change": 100}
    first = SGD().run(objective, start, max_iter=2, rng=np.random.default_rng(7), **options)
    LBFGS().run(objective, first.w, max_iter=1, **options)
    alone, objective.passes = objective.passes, 0.0
    chain = Chain(epochs=[2, None])
    chain.run(objective, start, max_iter=3, rng=np.random.default_rng(7), **options)
    assert objective.passes == pytest.approx(alone)


def test_coordinates_and_batches_are_those_of_the_first():
    objective = logistic()
    for solvers in [[SGD(batch_size=16), Newton()], [Newton(), SGD(batch_size=16)]]:
        chain = Chain(solvers, [2, None])
        moved, expected = (part.in_coordinates(objective) for part in (chain, solvers[0]))
        rotations = moved.standardization.rotation, expected.standardization.rotation
        assert (rotations[0] is None) == (rotations[1] is None) == (solvers[0].name == "newton")
        assert chain.batching(80) == solvers[0].batching(80)


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("weights", ["none", "rows"])
@pytest.mark.parametrize("penalty", [L2(0.05), L1(0.02)], ids=repr)
def test_the_last_one_ends_at_the_minimum(penalty, weights, layout):
    objective = logistic(penalty, Variant(layout, weights=weights))
    for finish in [ProximalNewton(), ProximalGradient()]:
        chain = Chain([Adam(), finish], [3, None])
        moved = chain.in_coordinates(objective)
        result = chain.run(moved, moved.start(), tol=1e-8)
        best = minimise(objective).value
        assert result.status is Status.CONVERGED
        assert result.value - best <= suboptimality(finish, "float64") * best


def test_a_part_that_has_ended_hands_over_early():
    objective = logistic()
    # Of so long a patience only the schedule's end is left.
    chain = Chain([SGD(0.05), Newton()], [1000, None])
    result = chain.run(objective, objective.start(), n_iter_no_change=2, max_iter=1000)
    assert result.status is Status.CONVERGED
    assert result.n_iter < 500
    assert result.state.stage == 1


def test_a_number_for_the_last_one_ends_the_run():
    objective = logistic()
    result = Chain(epochs=[2, 3]).run(objective, objective.start(), tol=0.0)
    assert (result.status, result.n_iter, result.state.stage) == (Status.MAX_ITER, 5, 1)


def test_max_iter_may_end_a_run_before_the_last_solver():
    objective = logistic()
    result = Chain().run(objective, objective.start(), max_iter=3, tol=0.0)
    assert (result.status, result.state.stage, result.n_iter) == (Status.MAX_ITER, 0, 3)
    assert result.value == pytest.approx(objective.value(result.w), rel=1e-12)


def test_dual_variables_are_those_of_the_last_solver():
    data = make_data(Hinge(), Variant())
    objective = data.objective(Hinge(), L2(0.1))
    chain = Chain([SGD(), DualCoordinateAscent()], [2, None])
    result = chain.run(objective, objective.start(), tol=1e-6)
    multipliers = chain.multipliers(objective, result.state)
    assert objective.certified_gap(result.w, multipliers) <= 1e-5 * result.value


def test_needs_are_those_of_all_parts():
    mixed = Chain([SGD(), ProximalGradient()], [2, None])
    objective = logistic(L1(0.02))
    mixed.run(objective, objective.start(), max_iter=4, tol=0.0)
    with pytest.raises(IncompatibleSolverError, match="Chain needs a smooth penalty; the L1"):
        Chain([ProximalGradient(), LBFGS()]).run(objective, objective.start())
    assert Chain.needs == Chain().needs == SGD.needs | LBFGS.needs
    assert Chain([LBFGS(), SGD()], [2, 2]).acceptable_gap == SGD.acceptable_gap


@pytest.mark.parametrize(
    ("solvers", "epochs", "message"),
    [
        ([SGD()], [None], "two solvers or more.* 1 solvers"),
        ([SGD(), LBFGS()], [5], r"2 solvers and epochs=\[5\]"),
        ([SGD(), LBFGS()], [None, 5], r"epochs\[0\]=None"),
        ([SGD(), LBFGS()], [0, None], r"epochs\[0\]=0"),
        ([SGD(), LBFGS()], [5, 2.5], r"epochs\[1\]=2.5"),
        (["sgd", LBFGS()], [5, None], "solvers holds 'sgd'"),
        ([SGD(-1.0), LBFGS()], [5, None], "'learning_rate'"),
    ],
)
def test_bad_chains_are_explained(solvers, epochs, message):
    objective = logistic()
    with pytest.raises(ValueError, match=message):
        Chain(solvers, epochs).run(objective, objective.start())


# Inside an estimator


def test_estimators_search_clone_and_pickle_chains():
    X, y = load_iris(return_X_y=True)
    clf = LogisticRegression(solver=Chain([SGD(), LBFGS()], [3, None]), random_state=0)
    exact = LogisticRegression().fit(X, y)
    grid = {"solver": [Chain(), LBFGS(), Chain([Adam(), Newton()], [2, None])]}
    search = GridSearchCV(clf, grid, cv=3, error_score="raise").fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], exact.score(X, y), atol=0.05)
    GridSearchCV(clf, {"solver__epochs": [(1, None), (4, None)]}, cv=3, error_score="raise").fit(
        X, y
    )
    copy = pickle.loads(pickle.dumps(clone(clf).fit(X, y)))
    np.testing.assert_allclose(copy.coef_, exact.coef_, atol=1e-3)
    assert len(copy.history_["loss"]) == copy.n_iter_[0] > 3
    assert repr(clone(clf.solver)) == repr(clf.solver)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_random_state_decides():
    X, y = load_iris(return_X_y=True)
    fits = [
        LogisticRegression(
            solver=Chain([SGD(), GradientDescent()], [2, 1]), random_state=seed, max_iter=3, tol=0.1
        ).fit(X, y)
        for seed in [0, 0, 1]
    ]
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    assert (fits[0].coef_ != fits[2].coef_).any()


@pytest.mark.filterwarnings("ignore:MLPClassifier:sklearn.exceptions.ConvergenceWarning")
def test_by_name_in_linear_models_and_networks():
    X, y = load_iris(return_X_y=True)
    assert LogisticRegression(solver="chain", random_state=0).fit(X, y).converged_
    net = MLPClassifier((5,), "tanh", alpha=1.0, solver="chain", random_state=0).fit(X, y)
    assert net.score(X, y) > 0.95
    with pytest.raises(ValueError, match="Chain needs a smooth loss"):
        LinearSVC(loss="hinge", solver="chain").fit(X, y)
