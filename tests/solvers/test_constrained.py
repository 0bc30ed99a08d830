"""Frank-Wolfe and projected gradients: against scipy, proximal methods and their own theory."""

from itertools import pairwise

import numpy as np
import pytest
from problems import Variant, from_singular_values, make_data, make_objective
from scipy import sparse
from scipy.optimize import minimize
from tolerances import arithmetic

from skgrad.feasible import best_shift
from skgrad.losses import Huber, Logistic, Multinomial, SquaredError, SquaredHinge
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, MCP, GroupLasso, NoPenalty
from skgrad.penalties.constraints import (
    Box,
    Constrained,
    L1Ball,
    L2Ball,
    NuclearNormBall,
    Simplex,
)
from skgrad.solvers import (
    AdaGrad,
    Adam,
    AugmentedLagrangian,
    FrankWolfe,
    IncompatibleSolverError,
    ProjectedGradient,
    ProximalGradient,
    ProximalNewton,
    RMSProp,
    Status,
    choose_solver,
)

SETS = [L1Ball(0.6), L2Ball(0.5), Simplex(0.8), Box([-0.2, -0.1, -0.05, -1.0, -1.0], 0.25)]
WAYS = [
    FrankWolfe(),
    FrankWolfe("away"),
    FrankWolfe("pairwise", step_size="line_search"),
    FrankWolfe("away", step_size="line_search"),
    ProjectedGradient(),
    ProjectedGradient(memory=1),
    FrankWolfe(learning_rate=0.5),
    ProjectedGradient(learning_rate=50.0),
]
every_set = pytest.mark.parametrize("region", SETS, ids=repr)
every_way = pytest.mark.parametrize("solver", WAYS, ids=repr)


def run(solver, objective, tol=1e-9, max_iter=3000, **options):
    return solver.run(objective, objective.start(), tol=tol, max_iter=max_iter, **options)


def user_coef(objective, result):
    return objective.model.coef(objective.to_user(result.w))


@every_set
@every_way
@pytest.mark.parametrize("loss", [SquaredError(), Logistic(), SquaredHinge()], ids=repr)
def test_minimum_through_scipy(region, solver, loss):
    data = make_data(loss, Variant(weights="rows"))
    objective = data.objective(loss, region)
    weight = data.sample_weight[:, 0] / data.sample_weight.sum()

    def value(v):
        raw = (data.X @ v[:5] + v[5])[:, None]
        return weight @ loss.value(data.y, raw)[:, 0]

    def gradient(v):
        raw = (data.X @ v[:5] + v[5])[:, None]
        slope = weight * loss.gradient(data.y, raw)[:, 0]
        return np.append(data.X.T @ slope, slope.sum())

    rules, bounds = [], None
    if isinstance(region, Box):
        bounds = [*((low, region.upper) for low in region.lower), (None, None)]
    elif isinstance(region, Simplex):
        rules = [{"type": "eq", "fun": lambda v: v[:5].sum() - region.radius}]
        bounds = [*[(0, None)] * 5, (None, None)]
    elif isinstance(region, L2Ball):
        rules = [{"type": "ineq", "fun": lambda v: region.radius**2 - (v[:5] ** 2).sum()}]
    start = objective.to_user(objective.start())
    if isinstance(region, L1Ball):  # in halves: coef = v+ - v-
        best = minimize(
            lambda u: value(np.append(u[:5] - u[5:10], u[10])),
            np.append(np.full(10, 0.01), start[5]),
            jac=lambda u: np.append(*(lambda g: (np.r_[g[:5], -g[:5]], g[5]))(
                gradient(np.append(u[:5] - u[5:10], u[10]))
            )),
            bounds=[*[(0, None)] * 10, (None, None)],
            constraints=[{"type": "ineq", "fun": lambda u: region.radius - u[:10].sum()}],
            method="SLSQP", tol=1e-14, options={"maxiter": 1000},
        )  # fmt: skip
    else:
        best = minimize(
            value, start, jac=gradient, bounds=bounds, constraints=rules, method="SLSQP",
            tol=1e-14, options={"maxiter": 1000},
        )  # fmt: skip
    if isinstance(region, L2Ball) and isinstance(solver, FrankWolfe):
        solver = FrankWolfe("vanilla", step_size=solver.step_size)  # the better one on a round set
    result = run(solver, objective)
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(best.fun, rel=1e-8)
    assert region.violation(user_coef(objective, result)) <= 1e-12


@pytest.mark.parametrize(
    "region", [*SETS, NuclearNormBall(0.5), Constrained(L2(0.1), L1Ball(0.6))], ids=repr
)
@pytest.mark.parametrize("loss", [SquaredError(), Multinomial()], ids=repr)
def test_all_ways_lead_to_the_same_minimum(region, loss):
    objective = make_objective(loss, region, Variant())
    others = (ProjectedGradient(memory=1), ProximalGradient(), ProximalGradient("none"))
    values = [run(solver, objective).value for solver in others]
    np.testing.assert_allclose(values, values[0], rtol=1e-8)
    # Of the solvers without projections, on a set that is neither round nor a polytope, none is
    # fast where the minimum has several directions.
    tol = 1e-4 if isinstance(region, NuclearNormBall) and loss.coupled else 1e-9
    ours = [run(solver, objective, tol=tol).value for solver in WAYS]
    np.testing.assert_allclose(ours, values[0], rtol=10 * tol)
    vanilla = run(FrankWolfe("vanilla"), objective, tol=1e-3).value
    assert values[0] * (1 - 1e-8) <= vanilla <= values[0] * (1 + 1e-3)


@every_set
@pytest.mark.parametrize("variant", ["vanilla", "away", "pairwise"])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_gap_is_a_certificate_in_every_iteration(region, variant, intercept):
    objective = make_objective(Logistic(), region, Variant(intercept=intercept))
    best = run(ProjectedGradient(), objective, tol=1e-12).value
    history = run(FrankWolfe(variant), objective, tol=1e-6, max_iter=300).history
    assert (history["gap"] >= history["loss"] - best - 1e-12).all()
    assert history["gap"][-1] < history["gap"][0]


@pytest.mark.parametrize("step_size", ["adaptive", "line_search"])
@pytest.mark.parametrize("variant", ["away", "pairwise"])
@pytest.mark.parametrize("region", [L1Ball(1.0), Simplex(1.0)], ids=repr)
def test_away_steps_converge_linearly_on_polytopes(region, variant, step_size):
    """The logarithm of the gap falls along a line; plain steps zigzag, their gap falls like 1/t."""
    rng = np.random.default_rng(3)
    X = from_singular_values(np.sqrt(200) * np.linspace(1.0, 2.0, 20), 200, rng)
    target = np.zeros(20)
    target[:6] = [0.4, 0.3, 0.2, 0.15, 0.12, 0.1]  # outside: the minimum is inside a face
    y = (X @ target + 0.1 * rng.normal(size=200))[:, None]
    objective = Objective(LinearModel(20, 1, True), SquaredError(), region, X, y)
    result = run(FrankWolfe(variant, step_size=step_size), objective, tol=1e-10)
    gaps = result.history["gap"]
    half = len(gaps) // 2
    slope, _ = np.polyfit(np.arange(half, len(gaps)), np.log(gaps[half:]), 1)
    assert result.status is Status.CONVERGED
    assert slope < -0.02
    coef = user_coef(objective, result)
    n_vertices = FrankWolfe(variant).attributes(result.state)["n_vertices_"]
    assert 4 <= n_vertices < 20
    assert n_vertices == (coef != 0).sum()

    plain = run(FrankWolfe("vanilla"), objective, tol=0.0, max_iter=400).history["gap"]
    rate, _ = np.polyfit(np.log(np.arange(40, 400)), np.log(plain[40:]), 1)
    assert -1.6 < rate < -0.6
    assert plain[-1] > 1e3 * gaps[-1]


def test_the_line_search_of_a_quadratic_function_is_one_secant():
    """An iteration evaluates two points and their gradients at most, half a pass each."""
    objective = make_objective(SquaredError(), L1Ball(0.6), Variant())
    solver = FrankWolfe("away", step_size="line_search")
    history = run(solver, objective).history
    assert np.diff(history["passes"]).max() <= 2.5


def test_a_harmonic_step_starts_at_a_vertex_and_decreases_like_1_over_t():
    objective = make_objective(SquaredError(), L1Ball(0.6), Variant())
    solver = FrankWolfe("vanilla", step_size="harmonic")
    first = run(solver, objective, max_iter=1)
    assert first.history["step_size"][0] == 1.0
    assert (user_coef(objective, first) != 0).sum() == 1
    best = run(ProjectedGradient(), objective, tol=1e-12).value
    history = run(solver, objective, tol=0.0, max_iter=200).history
    np.testing.assert_allclose(history["step_size"], 2 / (np.arange(200) + 2))
    excess = history["loss"] - best
    assert excess[-1] < 0.05 * excess[5]
    with pytest.raises(ValueError, match="step_size='harmonic' is for variant='vanilla'"):
        FrankWolfe(step_size="harmonic").validate()


@pytest.mark.parametrize("solver", [FrankWolfe(), FrankWolfe("vanilla"), ProjectedGradient()])
def test_iterates_are_feasible(solver):
    seen = []
    objective = make_objective(Logistic(), L1Ball(0.6), Variant())
    coef = objective.feasible.penalty.coef
    run(solver, objective, max_iter=50, callbacks=[lambda at: seen.append(coef(at.w))])
    assert max(L1Ball(0.6).violation(point) for point in seen) <= 1e-12


def test_projected_gradient_is_monotone_without_memory():
    objective = make_objective(Logistic(), L1Ball(5.0), Variant(), n_features=40)
    losses = run(ProjectedGradient(memory=1), objective, max_iter=60).history["loss"]
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(losses))


@every_way
@every_set
def test_a_weight_is_so_many_rows(solver, region):
    data = make_data(Logistic(), Variant(weights="rows"))
    weighted = data.objective(Logistic(), region)
    k = data.sample_weight[:, 0].astype(int)
    repeated = Objective(
        data.model, Logistic(), region, np.repeat(data.X, k, axis=0), np.repeat(data.y, k, axis=0)
    )
    ours, expected = run(solver, weighted), run(solver, repeated)
    assert ours.value == pytest.approx(expected.value, rel=1e-8)
    np.testing.assert_allclose(user_coef(weighted, ours), user_coef(repeated, expected), atol=1e-4)


@pytest.mark.parametrize("solver", [FrankWolfe(), ProjectedGradient()], ids=repr)
@pytest.mark.parametrize("region", [*SETS, NuclearNormBall(0.5)], ids=repr)
def test_sparse_data_and_single_precision(solver, region):
    dense = make_objective(Logistic(), region, Variant())
    expected = run(solver, dense).value
    csr = make_objective(Logistic(), region, Variant("csr"))
    assert run(solver, csr).value == pytest.approx(expected, rel=1e-8)
    single = make_objective(Logistic(), region, Variant("csr", "float32"))
    result = run(solver, single, tol=1e-6, max_iter=300)
    assert result.w.dtype == np.float32
    assert result.value == pytest.approx(expected, rel=1e-5)


def test_units_of_the_columns_do_not_matter():
    """A box that shrinks with the units is the same set; so is the minimum."""
    data, factor = make_data(SquaredError(), Variant()), np.array([1e-3, 1.0, 1e3, 10.0, 0.1])
    plain = data.objective(SquaredError(), Box(-0.2, 0.3))
    scaled = Objective(
        data.model, SquaredError(), Box(-0.2 / factor, 0.3 / factor), data.X * factor, data.y
    )
    for solver in (ProjectedGradient(), FrankWolfe()):
        ours, expected = run(solver, scaled), run(solver, plain)
        np.testing.assert_allclose(
            user_coef(scaled, ours) * factor, user_coef(plain, expected), atol=1e-6
        )


@pytest.mark.parametrize("region", [Simplex(1.0), Box([0.5, -1.0, -1.0], 1.0)], ids=repr)
def test_constant_columns_take_part(region):
    """A constant column costs nothing beside an intercept: it may take up what is not wanted."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.full(50, 3.0), rng.normal(size=(50, 2))])
    y = (X[:, 1] * 0.4 + 2.0)[:, None]
    objective = Objective(LinearModel(3, 1, True), SquaredError(), region, X, y)
    for solver in (ProjectedGradient(), FrankWolfe(), ProximalGradient()):
        result = run(solver, objective, tol=0.0, max_iter=200)
        assert result.value == pytest.approx(0.0, abs=1e-12)
        coef = user_coef(objective, result)
        assert region.violation(coef) <= 1e-12
        np.testing.assert_allclose(coef[0, 1:], [0.4, 0.0], atol=1e-5)


@pytest.mark.parametrize("solver", [FrankWolfe(), ProjectedGradient()], ids=repr)
def test_an_infeasible_start_is_refused(solver):
    objective = make_objective(Logistic(), L1Ball(0.6), Variant())
    start = objective.from_user(np.array([1.2, 0, 0, 0, 0, 0.3]))
    with pytest.raises(ValueError, match=r"start is infeasible: it violates L1Ball.* by 1, relat"):
        solver.run(objective, start)
    moved = solver.run(objective, objective.prox(start, 1.0))
    assert moved.status is Status.CONVERGED


@pytest.mark.parametrize(
    ("solver", "penalty", "message"),
    [
        (FrankWolfe(), L1(0.1), "bounded constraint.*the penalty is L1.*Use"),
        (FrankWolfe(), Box(0), "bounded constraint.*the Box is not bounded.*ProjectedGradient"),
        (ProjectedGradient(), L2(0.1), "needs a constraint.*the penalty is L2.*LBFGS"),
        (
            ProjectedGradient(),
            Constrained(L1(0.1), Box(0, 1)),
            "the L1 penalty is not smooth.*ProximalGradient",
        ),
        (ProximalNewton(), L1Ball(), "kinks at zero only; the penalty is L1Ball.*FrankWolfe"),
        (ProximalNewton(), GroupLasso([[0]]), "the penalty is GroupLasso.*ProximalGradient"),
        (AugmentedLagrangian(), MCP(), "convex penalty; the MCP penalty is not convex"),
        (Adam(), NuclearNormBall(), "a step for each coefficient; that of NuclearNormBall does"),
        (AdaGrad(), NuclearNormBall(), "a step for each coefficient"),
        (RMSProp(), NuclearNormBall(), "a step for each coefficient"),
    ],
)
def test_refusals_name_alternatives(solver, penalty, message):
    objective = make_objective(SquaredError(), penalty, Variant())
    with pytest.raises(IncompatibleSolverError, match=f"(?s){type(solver).__name__} .*{message}"):
        solver.run(objective, objective.start())


def test_auto_takes_what_serves_the_penalty():
    def chosen(loss, penalty):
        return type(choose_solver(make_objective(loss, penalty, Variant())))

    assert chosen(Logistic(), L1Ball()) is ProjectedGradient
    assert chosen(Logistic(), Constrained(L2(0.1), Box(0))) is ProjectedGradient
    assert chosen(Logistic(), Constrained(L1(0.1), Box(0, 1))) is ProximalGradient
    assert chosen(Logistic(), GroupLasso([[0, 1]])) is ProximalGradient
    assert chosen(Logistic(), MCP()) is ProximalGradient


def test_mcp_reaches_the_minimum_where_the_sum_is_convex():
    """With a loss that curves more than the penalty bends down there is one minimum."""
    rng = np.random.default_rng(1)
    X = from_singular_values(np.full(8, 10.0), 100, rng)  # X'X / n is the identity
    y = (X @ rng.normal(size=8))[:, None]
    penalty = MCP(0.5, gamma=2.0)
    objective = Objective(LinearModel(8, 1, True), SquaredError(), penalty, X, y)
    plain = X.T @ y[:, 0] / 100
    expected = penalty.prox(plain, 1.0)
    for acceleration in ("nesterov", "none"):
        result = run(ProximalGradient(acceleration), objective, tol=1e-13)
        np.testing.assert_allclose(user_coef(objective, result)[0], expected, atol=1e-6)
        assert (user_coef(objective, result) == 0).any()
        assert np.isnan(objective.certified_gap(result.w))


@pytest.mark.parametrize("loss", [Logistic(), Huber(0.1), SquaredHinge(), Multinomial()], ids=repr)
@pytest.mark.parametrize("far", [0.0, 30.0])
def test_the_best_intercepts_have_no_slope(loss, far):
    """Also from where the loss has no curvature, or hardly any."""
    objective = make_objective(loss, NoPenalty(), Variant(weights="rows"))
    data = objective._rows.data
    raw = np.random.default_rng(0).normal(size=(80, objective.n_outputs))
    raw[:, 0] += far
    shift, moved = best_shift(data, loss, raw, objective.coordinate_curvature)
    np.testing.assert_allclose(moved, raw + shift, rtol=arithmetic(float))
    slope = data.weigh(loss.gradient(data.y, moved)).sum(axis=0)
    np.testing.assert_allclose(slope, 0.0, atol=1e-10)


def test_explicit_zeros_of_sparse_data_change_nothing():
    data = make_data(Logistic(), Variant("csr"))
    X = sparse.csr_array(data.X)
    X.data[::7] = 0.0
    stored = Objective(data.model, Logistic(), L1Ball(0.6), X, data.y)
    dense = Objective(data.model, Logistic(), L1Ball(0.6), X.toarray(), data.y)
    assert run(FrankWolfe(), stored).value == pytest.approx(
        run(FrankWolfe(), dense).value, rel=1e-8
    )
