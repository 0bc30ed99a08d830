"""Compiled epochs: the same updates as in Python, to rounding."""

import pickle
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from problems import (
    LINEAR_LOSSES,
    LINEAR_SOLVERS,
    PENALTIES,
    Variant,
    make_data,
    make_loss,
    make_penalty,
)
from scipy import sparse
from tolerances import GAP_ESTIMATE, arithmetic

from skgrad import LogisticRegression
from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad.capabilities import Capability
from skgrad.coordinates import uniform
from skgrad.losses import Logistic, Multinomial
from skgrad.models import Standardization
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, NoPenalty
from skgrad.row_epochs import Plan, walks_non_zeros
from skgrad.schedules import Cosine
from skgrad.solvers import (
    SGD,
    SOLVERS,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AMSGrad,
    Nadam,
    RMSProp,
    _epochs,
    _newton_gap,
)

UPDATES = [
    SGD(0.02),
    SGD(0.02, momentum=0.8),
    SGD(0.02, momentum=0.8, nesterov=True),
    SGD(0.02, clip=0.3),
    SGD(0.02, clip=("value", 0.1)),
    SGD(0.02, average=True),
    SGD(0.02, shuffle=False),
    # Large epsilons: signs of a kinked loss that cancel would leave rounding errors divided by
    # their own size.
    Adam(0.02, beta_1=0.8, beta_2=0.95, epsilon=0.05),
    RMSProp(0.02, momentum=0.5, rho=0.8, epsilon=0.05),
    AdaGrad(0.02, epsilon=0.05),
    Adadelta(0.5, rho=0.8, epsilon=0.05),
    Adamax(0.02, beta_1=0.8, beta_2=0.95, epsilon=0.05),
    AMSGrad(0.02, beta_1=0.8, beta_2=0.95, epsilon=0.05),
    Nadam(0.02, beta_1=0.8, beta_2=0.95, epsilon=0.05, momentum_decay=0.3),
]
COORDINATES = ["standard", "uniform", "rotated"]
# The variants of one case in the grid below: every pair of values meets in some case.
VARIANTS = list(
    product(
        COORDINATES, [1, 7, 16], ["float64", "float32"], ["none", "rows", "outputs"],
        [True, False], [1, 2],
    )
)  # fmt: skip
LAYOUTS = {"dense": "dense", "fortran": "dense", "csr": "csr", "csr64": "csr"}


def force(monkeypatch, *, compiled):
    monkeypatch.setattr(_epochs, "MANY_ELEMENTS", 0 if compiled else 1 << 60)
    monkeypatch.setattr(_epochs, "MANY_UPDATES", 1 << 60)


def build(loss, penalty, layout, coordinates, variant):
    data = make_data(loss, variant)
    if layout == "fortran":
        data.X = np.asfortranarray(data.X)
    if layout == "csr64":
        data.X.indices, data.X.indptr = (
            data.X.indices.astype(np.int64), data.X.indptr.astype(np.int64),
        )  # fmt: skip
    objective = data.objective(loss, penalty)
    if coordinates == "uniform":
        p = data.X.shape[1]
        scaling = Standardization(np.zeros(p, objective.dtype), np.full(p, 0.7, objective.dtype))
        return objective._moved(scaling)
    return objective.decorrelated() if coordinates == "rotated" else objective


def three_epochs(solver, objective):
    start = objective.start()
    start += objective.dtype.type(0.1)
    return solver.run(
        objective, start, max_iter=3, tol=0.0, rng=np.random.default_rng(0), n_iter_no_change=100
    )


def both(monkeypatch, solver, objective):
    force(monkeypatch, compiled=False)
    expected = three_epochs(solver, objective)
    force(monkeypatch, compiled=True)
    return three_epochs(solver, objective), expected


def assert_same(actual, expected, dtype):
    # Three epochs: errors of some hundred updates add up.
    scale = max(1.0, float(np.abs(expected.w).max()))
    np.testing.assert_allclose(actual.w, expected.w, rtol=0, atol=arithmetic(dtype) * scale)
    np.testing.assert_allclose(
        actual.history["loss"], expected.history["loss"], rtol=arithmetic(dtype)
    )
    assert actual.w.dtype == dtype
    assert actual.state.t == expected.state.t


@pytest.mark.parametrize("loss_name", LINEAR_LOSSES)
@pytest.mark.parametrize("kind", PENALTIES)
def test_compiled_epochs_make_the_same_updates(loss_name, kind, monkeypatch):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    for number, (layout, solver) in enumerate(product(LAYOUTS, UPDATES)):
        case = 7 * number + 5 * list(LINEAR_LOSSES).index(loss_name) + PENALTIES.index(kind)
        coordinates, batch_size, dtype, weights, intercept, n_outputs = VARIANTS[
            case % len(VARIANTS)
        ]
        variant = Variant(LAYOUTS[layout], dtype, weights, intercept, n_outputs)
        objective = build(loss, penalty, layout, coordinates, variant)
        solver = type(solver)(**{**solver.get_params(), "batch_size": batch_size})
        if loss_name == "poisson":  # its gradient is not Lipschitz: 0.02 may be too long a step
            solver.learning_rate = 0.001
        actual, expected = both(monkeypatch, solver, objective)
        assert_same(actual, expected, dtype)


@pytest.mark.parametrize("loss_name", LINEAR_LOSSES)
@pytest.mark.parametrize("kind", PENALTIES)
def test_walks_over_non_zeros_make_the_same_updates(loss_name, kind, monkeypatch):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    rate = 0.001 if loss_name == "poisson" else 0.05
    weights = ["none", "rows", "outputs"]
    variants = product(["float64", "float32"], weights, [True, False], [1, 2])
    for number, variant in enumerate(variants):
        variant = Variant("csr", *variant)
        objective = build(loss, penalty, "csr", "uniform", variant)
        solver = SGD(rate, batch_size=[1, 7][number % 2], shuffle=number % 3 > 0)
        actual, expected = both(monkeypatch, solver, objective)
        assert_same(actual, expected, variant.dtype)


@pytest.mark.parametrize("penalty", [L2(0.1), L1(0.02), NoPenalty()], ids=repr)
def test_gradient_norms_are_the_same_too(penalty, monkeypatch):
    for layout, solver in product(["dense", "csr"], [SGD(0.02, batch_size=16), Adam(0.02)]):
        for coordinates in ["standard", "uniform"]:
            objective = build(Logistic(), penalty, layout, coordinates, Variant(layout))
            actual, expected = both(monkeypatch, solver, objective)
            lazy = coordinates == "uniform" and layout == "csr" and isinstance(solver, SGD)
            if lazy and not penalty.smooth:
                continue  # the displacement holds the penalty's subgradient as well
            np.testing.assert_allclose(
                actual.history["gradient_norm"], expected.history["gradient_norm"],
                rtol=arithmetic("float64"),
            )  # fmt: skip


@pytest.mark.parametrize("penalty", [L2(1.5), L1(1.5), make_penalty(PENALTIES[2])], ids=repr)
def test_a_factor_that_vanishes_is_multiplied_out(penalty, monkeypatch):
    # Shrinkage by (1 - 0.5 * 0.49 * 1.5) per row: below any threshold after a few dozen rows.
    objective = build(Logistic(), penalty, "csr", "uniform", Variant("csr"))
    for rate in [0.5, 1.0 / (0.49 * 1.5)]:  # the second one makes the factor zero
        actual, expected = both(monkeypatch, SGD(rate, batch_size=1), objective)
        assert_same(actual, expected, "float64")


@pytest.mark.parametrize("batch_size", [1, 3])
def test_schedules_are_read_at_the_same_times(batch_size, monkeypatch):
    data = make_data(Logistic(), Variant("csr"), n_samples=700)
    objective = data.objective(Logistic(), L2(0.1))
    for moved in [objective, objective._moved(Standardization(np.zeros(5), np.ones(5)))]:
        solver = SGD(Cosine(0.05, warmup=1), batch_size=batch_size)
        actual, expected = both(monkeypatch, solver, moved)
        assert_same(actual, expected, "float64")
        np.testing.assert_array_equal(actual.history["step_size"], expected.history["step_size"])


def test_an_epoch_leaves_state_and_data_alone(monkeypatch):
    force(monkeypatch, compiled=True)
    for coordinates, solver in product(["standard", "uniform"], [SGD(0.1, batch_size=1), Adam()]):
        objective = build(Logistic(), L2(0.1), "csr", coordinates, Variant("csr"))
        first = solver.run(objective, objective.start(), max_iter=1, tol=0.0)
        before = pickle.dumps((first.state, first.w, objective.X))
        solver.run(objective, first.w, max_iter=2, tol=0.0, state=first.state)
        assert pickle.dumps((first.state, first.w, objective.X)) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", [name for name in LINEAR_SOLVERS if SOLVERS[name].stochastic])
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_partial_fit_k_times_is_fit_with_k_iterations(name, layout, rng, monkeypatch):
    force(monkeypatch, compiled=True)
    X = rng.normal(size=(300, 4)) * (rng.random((300, 4)) < 0.6)
    y = (X @ [1.0, -1.0, 0.5, 0.0] + rng.logistic(size=300) > 0).astype(int)
    X = sparse.csr_array(X) if layout == "csr" else X
    solver = SOLVERS[name](batch_size=1)
    options = {"solver": solver, "random_state": 3, "tol": 0.0, "max_iter": 3}
    whole, stream = LogisticRegression(**options).fit(X, y), LogisticRegression(**options)
    for _ in range(3):
        stream.partial_fit(X, y, classes=[0, 1])
    np.testing.assert_array_equal(stream.coef_, whole.coef_)
    np.testing.assert_array_equal(stream.history_["loss"], whole.history_["loss"])


# Which way is taken


def test_a_class_of_its_own_formula_is_not_taken_for_its_base():
    class Backwards(SGD):
        def update(self, gradient, moments, t, learning_rate):
            return learning_rate * gradient, learning_rate, moments

    class Doubled(Logistic):
        def gradient(self, y, raw):
            return 2.0 * super().gradient(y, raw)

    class Renamed(Logistic):
        name = "other"

    assert Backwards().compiled_update() is None
    assert Doubled().formula is None
    assert Renamed().formula == Logistic().formula
    data = make_data(Logistic(), Variant())
    assert Capability.ROW_EPOCHS not in data.objective(Doubled(), L2()).offers
    assert Capability.ROW_EPOCHS in data.objective(Renamed(), L2()).offers


def test_every_loss_and_every_solver_has_a_compiled_formula():
    assert all(make_loss(name).formula is not None for name in LINEAR_LOSSES)
    for name in LINEAR_SOLVERS:
        if SOLVERS[name].stochastic:
            assert SOLVERS[name]().compiled_update() is not None


def test_small_runs_do_not_import_the_compiler():
    script = """
import sys
from sklearn.datasets import load_breast_cancer
from skgrad import LogisticRegression
from skgrad.solvers import SGD
X, y = load_breast_cancer(return_X_y=True)
for solver in ["sgd", "adam", SGD(batch_size=1)]:
    LogisticRegression(solver=solver, max_iter=10, tol=1.0).fit(X, y)
    LogisticRegression(solver=solver, max_iter=10).partial_fit(X, y, classes=[0, 1])
assert "numba" not in sys.modules
LogisticRegression(solver=SGD(batch_size=1), max_iter=100, tol=1.0).fit(X, y)
assert "numba" in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr


def test_only_plain_updates_of_sparse_rows_walk_non_zeros():
    X = make_data(Logistic(), Variant("csr")).X
    uniform = Standardization(np.zeros(5), np.full(5, 0.7))
    plan = Plan(1, np.array([0.1]), 1, np.inf, np.inf, 0.0)
    plain = CompiledUpdate(UpdateFormula.SGD, (0.0, 0.0))
    assert walks_non_zeros(X, plan, plain, uniform)
    assert not walks_non_zeros(X.toarray(), plan, plain, uniform)
    assert not walks_non_zeros(X, plan, CompiledUpdate(UpdateFormula.SGD, (0.5, 0.0)), uniform)
    assert not walks_non_zeros(X, plan, Adam().compiled_update(), uniform)
    for change in [{"largest_norm": 1.0}, {"largest_entry": 1.0}, {"averaging": 8.0}]:
        assert not walks_non_zeros(X, plan._replace(**change), plain, uniform)
    centred = Standardization(np.eye(5)[0], np.full(5, 0.7))
    assert not walks_non_zeros(X, plan, plain, centred)
    assert not walks_non_zeros(X, plan, plain, Standardization(np.zeros(5), np.arange(1.0, 6.0)))


# Coordinates


def wide(rng, sizes=1.0):
    """CSR rows of ten non-zeros among 5000 columns, too many for an array in cache."""
    columns = np.sort(rng.permuted(np.tile(np.arange(5000), (400, 1)), axis=1)[:, :10], axis=1)
    values = rng.uniform(0.5, 1.5, size=(400, 10)) * np.broadcast_to(sizes, 5000)[columns]
    indptr = np.arange(0, 4001, 10)
    return sparse.csr_array((values.ravel(), columns.ravel(), indptr), shape=(400, 5000))


def wide_objective(rng, sizes=1.0):
    data = make_data(Logistic(), Variant("csr"), n_samples=400)
    data.X, data.model = wide(rng, sizes), type(data.model)(5000, 1, True)
    return data.objective(Logistic(), L2(0.01))


def test_sparse_rows_stay_sparse_for_plain_updates(rng):
    objective = wide_objective(rng)
    for solver in [SGD(), SGD(batch_size=1)]:
        moved = solver.in_coordinates(objective)
        assert moved.standardization.is_uniform
        w = objective.from_user(rng.normal(size=objective.n_params))
        assert moved.value(moved.from_user(objective.to_user(w))) == pytest.approx(
            objective.value(w), rel=1e-12
        )
    for solver in [SGD(momentum=0.5), SGD(clip=1.0), SGD(average=True), Adam()]:
        assert not solver.in_coordinates(objective).standardization.is_uniform


@pytest.mark.parametrize("solver", [SGD(batch_size=4), SGD(momentum=0.5), Adam()], ids=repr)
def test_coordinates_that_batches_ask_for_are_there_from_the_start(solver, rng):
    objective = wide_objective(rng)
    data = objective._rows.data
    direct = Objective(
        objective.model, objective.loss, objective.penalty, objective.X, data.y,
        batching=solver.batching(objective.n_samples),
    )  # fmt: skip
    moved = solver.in_coordinates(objective).standardization
    np.testing.assert_array_equal(direct.standardization.scale, moved.scale)
    np.testing.assert_array_equal(direct.standardization.center, moved.center)
    assert solver.in_coordinates(direct) is direct


def test_a_common_scale_is_refused_where_squares_overflow(rng):
    X = wide(rng)
    assert uniform(X) is not None
    X.data[17] = 1e160
    assert uniform(X) is None
    with pytest.raises(ValueError, match="squares overflow"):
        LogisticRegression(solver=SGD(0.1, batch_size=1), max_iter=1).fit(X, rng.random(400) < 0.5)


def test_batches_of_weighted_sparse_rows_find_their_rate(rng, monkeypatch):
    monkeypatch.setattr("skgrad.coordinates.SPECTRUM_ROWS", 50)
    data = make_data(Logistic(), Variant("csr", weights="rows"), n_samples=400)
    data.X, data.model = wide(rng), type(data.model)(5000, 1, True)
    objective = data.objective(Logistic(), L2(0.01))
    moved = SGD(batch_size=8).in_coordinates(objective)
    start = objective.start()
    result = SGD(batch_size=8).run(moved, start, max_iter=3, tol=0.0)
    assert result.value < objective.value(start)


def test_unlike_columns_keep_a_scale_each(rng, monkeypatch):
    monkeypatch.setattr("skgrad.moments.COMMON", 1)
    objective = wide_objective(rng, sizes=np.logspace(-2, 2, 5000))
    assert SGD(batch_size=1).in_coordinates(objective) is objective


def test_columns_are_decorrelated_where_batches_pay_for_it():
    objective = make_data(Logistic(), Variant(), n_features=30).objective(Logistic(), L2(0.1))
    for batch_size, rotated in [(1, False), (3, False), (4, True), (80, True)]:
        moved = SGD(batch_size=batch_size).in_coordinates(objective)
        assert (moved.standardization.rotation is not None) == rotated
    assert SGD(batch_size=80).in_coordinates(
        make_data(Multinomial(), Variant()).objective(Multinomial(), L1(0.1))
    ).standardization.rotation is None  # fmt: skip


@pytest.mark.parametrize("penalty", [L2(0.01), L1(0.002)], ids=repr)
def test_the_gap_estimated_from_some_rows_is_that_from_all(penalty, monkeypatch):
    data = make_data(Logistic(), Variant(), n_samples=40_000)
    objective = data.objective(Logistic(), penalty)
    w = objective.start()
    gradient = objective.value_and_gradient(w)[1]
    some = _newton_gap.newton_gap(objective, w, gradient)
    monkeypatch.setattr(_newton_gap, "ROWS", 1 << 40)
    every = _newton_gap.newton_gap(objective, w, gradient)
    assert every / GAP_ESTIMATE["stochastic"] < some < every * GAP_ESTIMATE["stochastic"]
    assert some != every
