"""SAG, SAGA and SVRG: unbiased, convergent at a linear rate, on rows and on blocks of rows."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from problems import (
    LINEAR_LOSSES,
    PENALTIES,
    Variant,
    make_data,
    make_loss,
    make_objective,
    make_penalty,
    sparse_rows,
)
from scipy import sparse
from tolerances import ARITHMETIC, coefficients, suboptimality

from skgrad import ElasticNet, LogisticRegression, finite_sum, single_rows
from skgrad.finite_sum import Blocks, Estimator
from skgrad.losses import Logistic, Poisson, SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, NoPenalty
from skgrad.single_rows import SingleRows
from skgrad.solvers import (
    SAG,
    SAGA,
    SOLVERS,
    SVRG,
    DivergenceError,
    IncompatibleSolverError,
    Status,
    choose_solver,
)

NAMES = ["sag", "saga", "svrg"]
SMOOTH = [name for name, loss in LINEAR_LOSSES.items() if loss.smooth]
every = pytest.mark.parametrize("name", NAMES)
VARIANTS = [
    Variant("dense"),
    Variant("csr"),
    Variant("csr", weights="rows"),
    Variant("dense", weights="outputs", n_outputs=2),
    Variant("csr", weights="outputs", n_outputs=2, intercept=False),
    Variant("csr", "float32"),
    Variant("dense", "float32", "rows"),
]


@pytest.fixture
def compiled(monkeypatch):
    """Small data are walked by rows, as large ones are."""
    for module in (finite_sum, single_rows):
        monkeypatch.setattr(module, "worth_compiling", lambda X: True)


def best_value(objective):
    return (
        choose_solver(objective).run(objective, objective.start(), tol=1e-13, max_iter=5000).value
    )


def assert_minimum(solver, objective, dtype="float64", best=None):
    walked = objective.for_rows()
    result = solver.run(walked, walked.start(), tol=1e-9, max_iter=1000)
    best = best_value(objective) if best is None else best
    value = walked.value(result.w)
    assert value - best <= suboptimality(solver, dtype) * abs(best), result.status
    return result


@pytest.mark.parametrize("loss_name", SMOOTH)
@pytest.mark.parametrize("kind", PENALTIES)
def test_minimum_on_single_rows(loss_name, kind, compiled):
    # (On blocks of rows: the grid of all solvers.)
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    case = SMOOTH.index(loss_name) + PENALTIES.index(kind)
    for number, name in enumerate(NAMES):
        variant = VARIANTS[(case + number) % len(VARIANTS)]
        objective = make_objective(loss, penalty, variant)
        if SOLVERS[name].needs <= objective.offers:
            # Single precision is no yardstick for itself.
            exact = make_objective(loss, penalty, replace(variant, dtype="float64"))
            best = best_value(exact)
            result = assert_minimum(SOLVERS[name](), objective, variant.dtype, best)
            assert type(result.state.parts) is SingleRows


@pytest.mark.parametrize("layout", ["dense", "csr", "csr64"])
@pytest.mark.parametrize("weights", ["none", "rows"])
@pytest.mark.parametrize("uneven", [0.0, np.inf])
@pytest.mark.parametrize("kind", [Blocks, SingleRows])
def test_the_estimate_of_the_gradient_is_unbiased(
    kind, layout, weights, uneven, request, monkeypatch
):
    # A step from one point after each part in turn, weighted by the parts' chances.
    if kind is SingleRows:
        request.getfixturevalue("compiled")
    monkeypatch.setattr(finite_sum, "UNEVEN", uneven)
    data = make_data(Logistic(), Variant(layout.removesuffix("64"), weights=weights))
    if layout == "csr64":
        data.X.indices, data.X.indptr = (
            data.X.indices.astype(np.int64), data.X.indptr.astype(np.int64),
        )  # fmt: skip
    objective = data.objective(Logistic(), NoPenalty()).for_rows()
    parts = objective.finite_sum()
    assert type(parts) is kind
    assert (parts._chances is None) == (uneven > 0.0)
    rng = np.random.default_rng(0)
    w, before = rng.normal(size=(2, objective.n_params))
    _, memory = parts.remember(before)
    chances = np.full(parts.n_parts, 1 / parts.n_parts) if uneven else parts._chances
    assert chances.sum() == pytest.approx(1.0)
    mean = np.zeros_like(w)
    for row, chance in enumerate(chances):
        copies = type(memory)(memory.slopes.copy(), memory.gradient.copy())
        order, how = np.array([row]), Estimator(biased=False, refresh=False)
        moved, after, _ = parts._walk(w.copy(), copies, order, how, 1e-3)
        np.testing.assert_allclose(after.gradient, memory.gradient, rtol=1e-13)
        if layout != "dense" and kind is SingleRows:
            zeros = data.X.toarray()[row] == 0
            np.testing.assert_allclose(moved[:-1][zeros], w[:-1][zeros], rtol=1e-14)
        mean += chance * (w - moved) / 1e-3
    np.testing.assert_allclose(mean, objective.value_and_gradient(w)[1], atol=1e-11)


@pytest.mark.parametrize("kind", [Blocks, SingleRows])
@pytest.mark.parametrize("layout", ["dense", "csr"])
@every
def test_memory_is_what_the_rows_said_last(name, kind, layout, request):
    if kind is SingleRows:
        request.getfixturevalue("compiled")
    objective = make_objective(Logistic(), L2(0.05), Variant(layout, weights="rows")).for_rows()
    result = SOLVERS[name]().run(objective, objective.start(), tol=0.0, max_iter=7)
    memory, data = result.state.memory, objective._rows.data
    assert type(result.state.parts) is kind
    gradient = objective.model.backward(data.A, memory.slopes)
    np.testing.assert_allclose(memory.gradient.ravel(), gradient, atol=ARITHMETIC["float64"])


def test_a_row_without_zeros_is_the_same_row_sparse_or_dense(compiled, rng):
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 2, size=(60, 1)).astype(float)
    walked = []
    for data in (X, sparse.csr_array(X)):
        objective = Objective(LinearModel(4, 1, False), Logistic(), L1(0.01), data, y)
        parts = objective.finite_sum()
        assert type(parts) is SingleRows
        w, memory = objective.start(), parts.remember(objective.start())[1]
        generator = np.random.default_rng(0)
        walked.append(parts.walk(w, memory, SAGA.estimator, 0.3, 200, generator)[0])
    np.testing.assert_allclose(*walked, rtol=1e-12)
    assert np.abs(walked[0]).min() >= 0.0 < np.abs(walked[0]).max()


@pytest.mark.parametrize("rows", ["blocks", "single"])
@every
def test_linear_convergence(name, rows, request, rng):
    if rows == "single":
        request.getfixturevalue("compiled")
    X = sparse_rows(600, 40, rng, density=0.1)
    y = (X @ rng.normal(size=40) + rng.logistic(size=600) > 0).astype(float)[:, None]
    objective = Objective(LinearModel(40, 1, True), Logistic(), L2(0.01), X, y)
    best, walked = best_value(objective), objective.for_rows()
    values = []
    result = SOLVERS[name]().run(
        walked, walked.start(), tol=1e-11, max_iter=400,
        callbacks=[lambda iteration: values.append(walked.value(iteration.w))],
    )  # fmt: skip
    excess = (np.array(values) - best) / best
    epochs = np.flatnonzero(excess > 1e-11)
    slope, intercept = np.polyfit(epochs, np.log(excess[epochs]), 1)
    # A straight line: at a sublinear rate the ends would lie above it by far.
    assert np.abs(np.log(excess[epochs]) - slope * epochs - intercept).max() < 3.0
    assert slope < -0.1
    assert result.status is Status.CONVERGED
    assert excess[-1] <= 1e-11


@pytest.mark.parametrize("rows", ["blocks", "single"])
@every
def test_weight_k_is_a_row_k_times_and_weight_zero_no_row(name, rows, request, rng):
    if rows == "single":
        request.getfixturevalue("compiled")
    X, y = sparse_rows(120, 8, rng), rng.integers(0, 2, size=120)
    weight = rng.integers(0, 4, size=120)
    clf = LogisticRegression(C=0.1, solver=name, tol=1e-13)
    weighted = clf.fit(X, y, weight)
    repeated = LogisticRegression(C=0.1, solver="newton", tol=1e-13)
    repeated.fit(np.repeat(X.toarray(), weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=coefficients(float))
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, atol=coefficients(float))


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("rows", ["blocks", "single"])
@every
def test_heavy_rows_do_not_slow_the_others_down(name, rows, layout, request, rng):
    # Drawn uniformly, the heavy rows would make steps so short that it takes three times as long.
    if rows == "single":
        request.getfixturevalue("compiled")
    X = sparse_rows(2000, 6, rng)
    y = (X @ rng.normal(size=6) + rng.normal(size=2000))[:, None]
    weight = np.ones((2000, 1))
    weight[:5], weight[5:200] = 1000.0, 0.0
    X = X.toarray() if layout == "dense" else X
    objective = Objective(LinearModel(6, 1, True), SquaredError(), L2(0.1), X, y, weight)
    result = assert_minimum(SOLVERS[name](), objective)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= (15 if name == "svrg" else 25)


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("rows", ["blocks", "single"])
@pytest.mark.parametrize("name", ["saga", "svrg"])
def test_l1_gives_exact_zeros(name, rows, layout, request, rng):
    if rows == "single":
        request.getfixturevalue("compiled")
    X = sparse_rows(300, 20, rng)
    y = X @ np.r_[np.ones(4), np.zeros(16)] + 0.1 * rng.normal(size=300) + 3.0
    X = X.toarray() if layout == "dense" else X
    ours, best = (
        ElasticNet(alpha=0.02, l1_ratio=0.9, solver=solver, tol=tol, max_iter=3000).fit(X, y)
        for solver, tol in ((name, 1e-12), ("proximal_newton", 1e-13))
    )
    np.testing.assert_array_equal(ours.coef_ == 0.0, best.coef_ == 0.0)
    assert 0 < (ours.coef_ == 0.0).sum() < 20
    np.testing.assert_allclose(ours.coef_, best.coef_, atol=coefficients(float))
    assert ours.converged_


@pytest.mark.parametrize("decades", [0, 6])
def test_columns_without_entries_and_unlike_columns(decades, compiled, rng):
    scales = np.logspace(-decades / 2, decades / 2, 7)
    X = sparse_rows(200, 7, rng).toarray() * scales
    X[:, 3] = 0.0
    y = (X @ (1.0 / scales) + rng.logistic(size=200) > 0).astype(float)[:, None]
    for name in NAMES:
        data = sparse.csr_array(X)
        objective = Objective(LinearModel(7, 1, True), Logistic(), L2(1e-4), data, y)
        walked = objective.for_rows()
        assert walked.standardization.is_uniform == (decades == 0)
        start = walked.start()
        start[3] = 5.0  # what a warm start may leave
        result = SOLVERS[name]().run(walked, start, tol=1e-9, max_iter=3000)
        assert walked.to_user(result.w)[3] == 0.0
        assert result.value == pytest.approx(best_value(objective), rel=1e-6)


@pytest.mark.parametrize("name", ["saga", "svrg"])
def test_single_precision_ends_at_rounding(name, compiled, rng):
    # A weak penalty on large columns: the bound by the gradient ends above 1e-6, which is rounding.
    scales = np.logspace(-2, 2, 50)
    X = rng.normal(size=(4000, 50))
    X[:, 1:] += X[:, :-1]
    X = X * scales + 5.0
    y = X @ (rng.normal(size=50) / scales) + rng.normal(size=4000)
    options = {"alpha": 0.001, "l1_ratio": 0.5}
    ours = ElasticNet(**options, solver=name).fit(X.astype("float32"), y.astype("float32"))
    best = ElasticNet(**options).fit(X, y)
    assert ours.converged_
    assert ours.optimality_gap_ <= 1e-6
    assert ours.history_["loss"][-1] == pytest.approx(best.history_["loss"][-1], rel=1e-6)


@every
def test_a_step_that_is_too_long_is_shortened_or_reported(name):
    objective = make_objective(Poisson(), L2(0.01), Variant())
    given = SOLVERS[name](learning_rate=1e6)
    with pytest.raises(DivergenceError, match="Lower learning_rate"):
        given.run(objective, objective.start(), max_iter=50)

    class Bold(SOLVERS[name]):
        def automatic_step(self, smoothness):
            return 1e3 / smoothness

    try:
        result = Bold().run(objective, objective.start(), tol=1e-9, max_iter=2000)
    finally:
        Bold.__abstractmethods__ = frozenset({"automatic_step"})  # no solver of the package's
    assert result.state.n_halvings > 0
    assert result.value == pytest.approx(best_value(objective), rel=1e-6)


def test_parameters_away_from_their_defaults():
    objective = make_objective(Logistic(), L2(0.05), Variant())
    for solver in (SAG(0.02), SAGA(0.05), SVRG(0.05, inner=1.0)):
        result = solver.run(objective, objective.start(), max_iter=3, tol=0.0)
        np.testing.assert_array_equal(result.history["step_size"], float(solver.learning_rate))
        per_epoch = 2.0 if isinstance(solver, SVRG) else 1.0
        assert result.history["passes"][-1] >= 3 * per_epoch
    few, many = (
        SVRG(inner=inner).run(objective, objective.start(), max_iter=1).value for inner in (0.5, 4)
    )
    assert many < few


def test_what_they_refuse():
    kinked = make_objective(make_loss("hinge"), L2(0.1), Variant())
    for name in NAMES:
        with pytest.raises(IncompatibleSolverError, match=r"needs a smooth loss.*DualCoordinate"):
            SOLVERS[name]().run(kinked, kinked.start())
    lasso = make_objective(SquaredError(), L1(0.1), Variant())
    with pytest.raises(IncompatibleSolverError, match=r"SAG needs a smooth penalty.*SAGA"):
        SAG().run(lasso, lasso.start())


@pytest.mark.parametrize("name", [*NAMES, "sdca"])
def test_small_data_bring_in_no_compiler(name):
    script = f"""
import sys
from sklearn.datasets import load_iris
from skgrad import LogisticRegression
X, y = load_iris(return_X_y=True)
LogisticRegression(solver={name!r}, tol=1e-3).fit(X[:100], y[:100] % 2)
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
