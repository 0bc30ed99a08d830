"""Every constraint: projections, oracles and support functions, against their definitions."""

import inspect

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from sklearn.base import clone

from skgrad.penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, constraints
from skgrad.penalties.constraints import (
    Box,
    Constrained,
    Constraint,
    L1Ball,
    L2Ball,
    NuclearNormBall,
    Simplex,
)
from skgrad.testing import check_penalty

SETS = [
    L1Ball(np.float64(0.9)),
    L2Ball(np.float64(0.7)),
    Simplex(np.float64(1.3)),
    NuclearNormBall(np.float64(0.8)),
    Box(-0.4, np.float64(0.5)),
    Box([-1.0, 0.2, -0.3, 0.0, -np.inf], [0.1, 0.6, 0.0, np.inf, 0.4]),
]
BOUNDED = [region for region in SETS if region.bounded]
every_set = pytest.mark.parametrize("region", SETS, ids=repr)
every_bounded_set = pytest.mark.parametrize("region", BOUNDED, ids=repr)


def draw(seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(3, 5)).astype(dtype)


def metrics(region, seed=1):
    """The Euclidean metric, and one with a number for each coefficient where there is one."""
    steps = np.random.default_rng(seed).uniform(0.1, 3.0, size=(3, 5))
    return [1.0, 0.3, steps] if region.per_coordinate else [1.0, 0.3]


def members(region, n=50):
    """Points of a set, on its border and inside."""
    points = [region.project(3 * draw(seed)) for seed in range(n)]
    return [*points, *(0.5 * (a + b) for a, b in zip(points[1:], points, strict=False))]


def test_every_exported_constraint_is_tested():
    exported = {getattr(constraints, name) for name in constraints.__all__}
    assert all(inspect.isclass(kind) for kind in exported)
    assert exported - {Constraint, Constrained} == {type(region) for region in SETS}


@every_set
def test_projections_are_feasible_and_optimal(region):
    """For a convex set: (coef - v)' metric^-1 (u - v) <= 0 for all u in it."""
    for seed in range(5):
        coef = 2 * draw(seed)
        for metric in metrics(region):
            v = region.project(coef, metric)
            assert region.violation(v) <= 1e-14
            normal = (coef - v) / metric
            for u in members(region):
                assert np.vdot(normal, u - v) <= 1e-12
            if region.bounded:
                assert region.gap(v, -normal) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("metric", [1.0, np.array([[0.3, 2.0, 1.0]])], ids=["euclidean", "own"])
@pytest.mark.parametrize(
    ("region", "rules"),
    [
        (L1Ball(0.9), [{"type": "ineq", "fun": lambda v: 0.9 - np.abs(v).sum()}]),
        (L2Ball(0.7), [{"type": "ineq", "fun": lambda v: 0.49 - (v**2).sum()}]),
        (
            Simplex(1.3),
            [
                {"type": "eq", "fun": lambda v: v.sum() - 1.3},
                {"type": "ineq", "fun": lambda v: v},
            ],
        ),
    ],
    ids=["l1", "l2", "simplex"],
)
def test_projections_through_scipy(region, rules, metric):
    coef = np.array([[1.5, -0.6, 0.9]])
    best = minimize(
        lambda v: (((v - coef) ** 2) / metric).sum(), np.full(3, 0.1), constraints=rules, tol=1e-14
    )
    np.testing.assert_allclose(region.project(coef, metric)[0], best.x, atol=1e-5)


@every_set
def test_points_of_the_set_stay_where_they_are(region):
    for member in members(region, 5):
        for metric in metrics(region):
            np.testing.assert_allclose(region.project(member, metric), member, atol=1e-14)
        assert region.value(member) == 0.0
    far = np.array([[10.0, -10.0, 10.0, -10.0, 10.0]])
    assert region.value(far) == np.inf
    assert region.violation(far) > 0.9


@every_bounded_set
def test_the_oracle_finds_a_minimiser(region):
    for seed in range(5):
        gradient = draw(seed)
        vertex = region.lmo(gradient)
        assert region.violation(vertex) <= 1e-14
        lowest = np.vdot(gradient, vertex)
        assert all(np.vdot(gradient, member) >= lowest - 1e-12 for member in members(region))
        assert region.conjugate(-gradient) == pytest.approx(-lowest, rel=1e-13)
        assert region.gap(vertex, gradient) == pytest.approx(0.0, abs=1e-12)


def test_an_oracle_through_linear_programming():
    gradient, radius = draw(4)[0], 0.9
    program = linprog(np.r_[gradient, -gradient], A_ub=[np.ones(10)], b_ub=[radius])
    assert np.vdot(gradient, L1Ball(radius).lmo(gradient)) == pytest.approx(program.fun)


def test_balls_are_dual_to_each_other():
    """The support function of a unit ball is the dual norm: sup <d, v> over the L1 ball is max."""
    d = draw(2)
    assert L1Ball(2.0).conjugate(d) == pytest.approx(2 * np.abs(d).max())
    assert L2Ball(2.0).conjugate(d) == pytest.approx(2 * np.linalg.norm(d))
    assert NuclearNormBall(2.0).conjugate(d) == pytest.approx(2 * np.linalg.norm(d, 2))
    assert Box(-2, 2).conjugate(d) == pytest.approx(2 * np.abs(d).sum())
    assert Simplex(2.0).conjugate(d) == pytest.approx(2 * d.max())


def test_the_nuclear_norm_ball_of_one_row_is_the_euclidean_ball():
    row = draw(3)[:1]
    np.testing.assert_allclose(NuclearNormBall(0.5).project(row), L2Ball(0.5).project(row))
    np.testing.assert_allclose(NuclearNormBall(0.5).lmo(row), L2Ball(0.5).lmo(row))


@pytest.mark.parametrize("region", [L1Ball(0.9), Simplex(0.9), NuclearNormBall(0.9)], ids=repr)
def test_projections_are_sparse_or_of_low_rank(region):
    v = region.project(draw(1))
    sizes = np.linalg.svd(v)[1] if isinstance(region, NuclearNormBall) else v
    assert (np.abs(sizes) < 1e-12).sum() >= 1
    if not isinstance(region, NuclearNormBall):
        assert (v == 0).any()


@every_set
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_inputs_are_not_modified(region, dtype):
    coef, gradient = draw(0, dtype), draw(1, dtype)
    before = coef.copy(), gradient.copy()
    results = [region.project(coef), region.minimum_norm_subgradient(coef, gradient)]
    if region.bounded:
        results.append(region.lmo(gradient))
    for result in results:
        assert result.dtype == dtype
        assert result.shape == coef.shape
        assert not np.shares_memory(result, coef)
    assert region.value(results[0]) == 0.0  # feasible up to the rounding of its precision
    assert type(region.conjugate(gradient)) is float
    np.testing.assert_array_equal(coef, before[0])
    np.testing.assert_array_equal(gradient, before[1])


@every_set
def test_minimum_norm_subgradient_is_what_a_short_projected_step_moves(region):
    coef, gradient = region.project(2 * draw(5)), draw(6)
    element = region.minimum_norm_subgradient(coef, gradient)
    # It is the projection of the gradient: -element is a feasible direction, and the rest is
    # orthogonal to it.
    assert np.vdot(element, gradient - element) == pytest.approx(0.0, abs=1e-5)
    assert region.violation(coef - 1e-6 * element) <= 1e-9
    settled = region.project(coef - gradient)
    normal = coef - gradient - settled
    assert np.abs(region.minimum_norm_subgradient(settled, -normal)).max() <= 1e-6


@every_set
def test_constraints_are_scikit_learn_objects(region):
    assert repr(clone(region)) == repr(region)
    region.validate()
    assert region.region is region
    assert region.finite_part is None
    assert not region.smooth
    with pytest.raises(NotImplementedError, match="is not smooth"):
        region.gradient(draw())


@pytest.mark.parametrize("kind", [L1Ball, L2Ball, Simplex, NuclearNormBall])
@pytest.mark.parametrize("radius", [0.0, -1.0])
def test_a_radius_is_positive(kind, radius):
    with pytest.raises(ValueError, match=f"'radius' parameter of {kind.__name__}"):
        kind(radius).validate()


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(2, 1), "lower bound 2 and the upper bound 1 for all columns"),
        (Box([0, 3], [1, 2]), "lower bound 3 and the upper bound 2 for column 1"),
        (Box(np.nan), "lower bound nan .* for all columns"),
        (Box(columns={"age": (4, 3)}), "lower bound 4 and the upper bound 3 for column 'age'"),
        (Box(columns={"age": 4}), "pair of bounds .* for column 'age'.*Got 4"),
    ],
)
def test_bounds_are_in_order(box, message):
    with pytest.raises(ValueError, match=message):
        box.validate()


def test_bounds_by_name_and_by_position():
    box = Box(-1, 1, columns={"b": (0, None), 2: (None, 5)}).bind(["a", "b", "c"], 3)
    np.testing.assert_array_equal(box.lower, [-1, 0, -np.inf])
    np.testing.assert_array_equal(box.upper, [1, np.inf, 5])
    assert not box.bounded


@pytest.mark.parametrize(
    ("column", "names", "message"),
    [
        ("bim", ["age", "bmi"], "names column 'bim', which X does not have. Did you mean 'bmi'"),
        ("bmi", None, "names column 'bmi', but X is no DataFrame"),
        (2, ["age", "bmi"], "names column 2, but X has 2 columns"),
        (-1, None, "names column -1, but X has 2 columns"),
    ],
)
def test_unknown_columns_are_named(column, names, message):
    with pytest.raises(ValueError, match=rf"Box\(columns=\.\.\.\) {message}"):
        Box(columns={column: (0, 1)}).bind(names, 2)
    with pytest.raises(ValueError, match=f"GroupLasso {message}"):
        GroupLasso([[column]]).bind(names, 2)


def test_bounds_for_another_number_of_columns_are_refused():
    with pytest.raises(ValueError, match="upper of Box has 3 entries, but X has 2 columns"):
        Box(0, [1, 2, 3]).bind(None, 2)


def test_an_unbounded_box_has_no_oracle():
    with pytest.raises(ValueError, match="is not bounded"):
        Box(0).lmo(draw())


# Together with a penalty


PAIRS = [
    (NoPenalty(), L1Ball(0.9)),
    (L2(0.7), L1Ball(0.9)),
    (L2(0.7), NuclearNormBall(0.8)),
    (L2(0.7), Box(0)),
    (L1(0.3), Box(-0.4, 0.5)),
    (L1(0.3), Box(0.1)),
    (ElasticNet(0.5, 0.4), Box([-1.0, 0.2, -0.3, 0.0, -np.inf], 0.6)),
]
every_pair = pytest.mark.parametrize(("penalty", "region"), PAIRS, ids=repr)


@every_pair
def test_prox_of_both_is_optimal(penalty, region):
    both = Constrained(penalty, region)
    both.validate()
    for step in metrics(region):
        coef = 2 * draw(0)
        v = both.prox(coef, step)

        def objective(u, step=step, coef=coef):
            return penalty.value(u) + 0.5 * ((u - coef) ** 2 / step).sum()

        assert both.value(v) == penalty.value(v)
        for u in members(region):
            for share in (1e-4, 0.1, 1.0):
                assert objective(v + share * (u - v)) >= objective(v) - 1e-12


@every_pair
def test_conjugate_of_both_is_the_supremum(penalty, region):
    both = Constrained(penalty, region)
    for seed in range(3):
        dual = draw(seed)
        dual *= both.dual_scaling(dual)
        found = both.conjugate(dual)
        assert np.isfinite(found)
        # Proximal steps of ever longer size climb to the supremum from below.
        climbed = both.prox(1e6 * dual, 1e6)
        reached = np.vdot(dual, climbed) - penalty.value(climbed)
        assert reached <= found + 1e-9
        assert reached == pytest.approx(found, abs=1e-4)
        for u in members(region, 10):
            assert np.vdot(dual, u) - penalty.value(u) <= found + 1e-12


def test_combinations_without_a_proximal_operator_are_refused():
    for penalty in (L1(0.1), ElasticNet(0.1)):
        with pytest.raises(ValueError, match=r"No proximal operator of .* together with L1Ball"):
            Constrained(penalty, L1Ball()).validate()


def test_columns_have_to_be_found_first():
    with pytest.raises(ValueError, match=r"does not know where its columns are.*bind"):
        Box(columns={0: (0, 1)}).project(draw())


@every_set
def test_the_public_checker_agrees(region):
    check_penalty(region, shape=(3, 5))
