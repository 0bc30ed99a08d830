"""Every penalty, against its own definition."""

import inspect

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from sklearn.base import clone
from sklearn.linear_model import ElasticNet as PeerElasticNet

from skgrad import penalties
from skgrad.penalties import (
    L1,
    L2,
    MCP,
    ElasticNet,
    GroupLasso,
    NonNegative,
    NoPenalty,
    Penalty,
)

# Strengths as NumPy scalars, as a grid of values gives them: float32 must stay float32.
ALPHA = np.float64(0.7)
PENALTIES = [
    NoPenalty(),
    L1(ALPHA),
    L1(0.0),
    L2(ALPHA),
    L2(0.0),
    ElasticNet(ALPHA, l1_ratio=np.float64(0.3)),
    ElasticNet(ALPHA, l1_ratio=0.0),
    ElasticNet(ALPHA, l1_ratio=1.0),
    NonNegative(),
    NonNegative(L1(ALPHA)),
    NonNegative(L2(ALPHA)),
    NonNegative(ElasticNet(ALPHA, l1_ratio=0.3)),
]
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def draw(seed=0, dtype=np.float64):
    coef = np.random.default_rng(seed).normal(size=(2, 6)).astype(dtype)
    coef[:, 2] = 0.0
    return coef


def feasible(penalty, coef):
    return np.abs(coef) if isinstance(penalty, NonNegative) else coef


def test_every_exported_penalty_is_tested():
    exported = {getattr(penalties, name) for name in penalties.__all__} - {Penalty}
    assert all(inspect.isclass(x) for x in exported)
    elsewhere = {GroupLasso, MCP}  # they have files of their own
    assert exported - elsewhere == {type(penalty) for penalty in PENALTIES}


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (NoPenalty(), 0.0),
        (L1(0.5), 2.5),
        (L2(0.5), 3.25),
        (ElasticNet(0.5, l1_ratio=0.2), 0.2 * 2.5 + 0.8 * 3.25),
        (NonNegative(L1(0.5)), np.inf),
    ],
    ids=repr,
)
def test_value(penalty, expected):
    assert penalty.value(np.array([[2.0, 0.0, -3.0]])) == pytest.approx(expected, rel=1e-15)


def test_nonnegative_value():
    coef = np.array([[2.0, 0.0, 3.0]])
    assert NonNegative().value(coef) == 0
    assert NonNegative(L1(0.5)).value(coef) == 2.5


@every_penalty
def test_derivatives(penalty):
    coef, h = draw() + 0.1, 1e-6
    if not penalty.smooth:
        with pytest.raises(NotImplementedError, match="is not smooth, so it has no gradient"):
            penalty.gradient(coef)
        with pytest.raises(NotImplementedError, match="is not smooth, so it has no curvature"):
            penalty.curvature(coef)
        return
    direction = np.random.default_rng(1).normal(size=coef.shape)
    ahead, behind = coef + h * direction, coef - h * direction
    slope = (penalty.value(ahead) - penalty.value(behind)) / (2 * h)
    assert np.vdot(penalty.gradient(coef), direction) == pytest.approx(slope, abs=1e-8)
    change = (penalty.gradient(ahead) - penalty.gradient(behind)) / (2 * h)
    np.testing.assert_allclose(penalty.curvature(coef) * direction, change, atol=1e-8)


def test_which_penalties_are_smooth():
    assert [penalty.smooth for penalty in PENALTIES] == [
        *(True, False, True, True, True),
        *(False, True, False),
        *(False, False, False, False),
    ]


@every_penalty
def test_strong_convexity_is_exact(penalty):
    coef, other = feasible(penalty, draw(0)), feasible(penalty, draw(1))
    # On one ray the penalty is its L2 part plus a linear one, so that the bound is reached.
    for end, exact in ((other, False), (2 * coef, True)):
        middle = penalty.value((coef + end) / 2)
        bend = (penalty.value(coef) + penalty.value(end)) / 2 - middle
        bound = penalty.strong_convexity / 8 * ((coef - end) ** 2).sum()
        assert bend >= bound - 1e-12
        if exact:
            assert bend == pytest.approx(bound, abs=1e-12)


@every_penalty
def test_prox_minimises_with_one_step_per_coordinate(penalty):
    coef = draw()
    steps = np.random.default_rng(2).uniform(0.1, 2, size=coef.shape)
    result = penalty.prox(coef, steps)
    low = 0.0 if isinstance(penalty, NonNegative) else -5.0
    for index in np.ndindex(coef.shape):
        start, step = coef[index], steps[index]

        def objective(v, start=start, step=step):
            return step * penalty.value(np.array([v])) + 0.5 * (v - start) ** 2

        best = minimize_scalar(
            objective, bounds=(low, 5), method="bounded", options={"xatol": 1e-9}
        )
        assert result[index] == pytest.approx(best.x, abs=1e-6)
        assert objective(result[index]) <= best.fun + 1e-12
        assert penalty.prox(coef, float(step))[index] == pytest.approx(result[index], abs=1e-15)


@every_penalty
def test_moreau_decomposition(penalty):
    """The residual of a proximal step is a subgradient where the step arrives."""
    coef = draw(3)
    arrival = penalty.prox(coef, 0.4)
    subgradient = (coef - arrival) / 0.4
    zero = penalty.minimum_norm_subgradient(arrival, -subgradient)
    np.testing.assert_allclose(zero, 0.0, atol=1e-14)
    gap = penalty.value(arrival) + penalty.conjugate(subgradient) - np.vdot(arrival, subgradient)
    assert gap == pytest.approx(0.0, abs=1e-13)


@every_penalty
def test_conjugate_is_the_supremum(penalty):
    dual = np.array([[-0.3, 0.0, 1.9]])
    dual *= penalty.dual_scaling(dual)
    low = 0.0 if isinstance(penalty, NonNegative) else -20.0
    total = 0.0
    for entry in dual.flat:
        best = minimize_scalar(
            lambda v, entry=entry: penalty.value(np.array([v])) - entry * v,
            bounds=(low, 20),
            method="bounded",
            options={"xatol": 1e-9},
        )
        total -= best.fun
    assert penalty.conjugate(dual) == pytest.approx(total, abs=1e-6)


@every_penalty
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dual_scaling_is_the_largest(penalty, dtype):
    for seed in range(20):
        dual = (3 * draw(seed)).astype(dtype)
        scaling = penalty.dual_scaling(dual)
        assert 0 <= scaling <= 1
        assert np.isfinite(penalty.conjugate(scaling * dual))
        if scaling < 1:
            assert penalty.conjugate((1.0001 * scaling + 1e-6) * dual) == np.inf
    assert penalty.dual_scaling(np.zeros((1, 3), dtype=dtype)) == 1
    assert penalty.conjugate(np.zeros((1, 3), dtype=dtype)) == 0


def test_known_conjugates():
    dual = np.array([[0.5, -2.0]])
    assert L1(2.0).conjugate(dual) == 0
    assert L1(1.0).conjugate(dual) == np.inf
    assert L1(1.0).dual_scaling(dual) == 0.5
    assert L2(2.0).conjugate(dual) == 4.25 / 4
    assert ElasticNet(2.0, l1_ratio=0.5).conjugate(dual) == 0.5
    assert NonNegative(L1(1.0)).conjugate(dual) == 0
    assert NonNegative().conjugate(dual) == np.inf
    assert NoPenalty().conjugate(dual) == np.inf


@every_penalty
def test_minimum_norm_subgradient_is_zero_at_the_optimum(penalty):
    """A quadratic with a known Hessian, solved by proximal gradient to rounding."""
    rng = np.random.default_rng(7)
    factor = rng.normal(size=(30, 6))
    hessian, linear = factor.T @ factor / 30, rng.normal(size=(2, 6))
    coef, step = np.zeros((2, 6)), 1 / np.linalg.eigvalsh(hessian)[-1]
    for _ in range(3000):
        coef = penalty.prox(coef - step * (coef @ hessian - linear), step)
    at_optimum = penalty.minimum_norm_subgradient(coef, coef @ hessian - linear)
    np.testing.assert_allclose(at_optimum, 0.0, atol=1e-12)
    moved = coef + 0.1 * (coef > 0)
    elsewhere = penalty.minimum_norm_subgradient(moved, moved @ hessian - linear)
    assert np.abs(elsewhere).max() > 1e-3


@every_penalty
def test_minimum_norm_subgradient_is_the_steepest_slope(penalty):
    """Its norm is the fastest descent among all directions, by one-sided differences."""
    coef, rng = feasible(penalty, draw(8))[0], np.random.default_rng(9)
    gradient = 2 * rng.normal(size=coef.shape)
    element = penalty.minimum_norm_subgradient(coef, gradient)

    def slope(direction, h=1e-7):
        return (
            gradient @ direction + (penalty.value(coef + h * direction) - penalty.value(coef)) / h
        )

    norm = np.linalg.norm(element)
    assert slope(-element / norm) == pytest.approx(-norm, abs=1e-5)
    for _ in range(100):
        direction = rng.normal(size=coef.shape)
        assert slope(direction / np.linalg.norm(direction)) >= -norm - 1e-5


@pytest.mark.parametrize("positive", [False, True])
def test_optimum_of_scikit_learn_has_zero_subgradient(positive):
    rng = np.random.default_rng(10)
    X = rng.normal(size=(60, 8))
    y = X @ np.array([2.0, -1.0, 0.5, 0, 0, 0, 0, 0]) + 0.1 * rng.normal(size=60)
    peer = PeerElasticNet(
        alpha=0.3, l1_ratio=0.6, positive=positive, fit_intercept=False, tol=1e-12
    ).fit(X, y)
    penalty = ElasticNet(0.3, l1_ratio=0.6)
    penalty = NonNegative(penalty) if positive else penalty
    gradient = X.T @ (X @ peer.coef_ - y) / 60
    element = penalty.minimum_norm_subgradient(peer.coef_, gradient)
    np.testing.assert_allclose(element, 0.0, atol=1e-6)
    assert (peer.coef_ == 0).any()


def test_nonnegative_least_squares_through_scipy():
    rng = np.random.default_rng(11)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=20)
    penalty = NonNegative(L2(0.5))

    def objective(coef):
        return 0.5 * ((X @ coef - y) ** 2).sum() + penalty.value(np.abs(coef))

    best = minimize(objective, np.ones(4), bounds=[(0, None)] * 4, tol=1e-14).x
    step, coef = 1 / np.linalg.eigvalsh(X.T @ X)[-1], np.zeros(4)
    for _ in range(2000):
        coef = penalty.prox(coef - step * X.T @ (X @ coef - y), step)
    np.testing.assert_allclose(coef, best, atol=1e-5)


@every_penalty
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_inputs_are_not_modified(penalty, dtype):
    coef, gradient = feasible(penalty, draw(0, dtype)), draw(1, dtype)
    before = coef.copy(), gradient.copy()
    steps = np.full(coef.shape, 0.5, dtype=dtype)
    results = [
        penalty.prox(coef, 0.5),
        penalty.prox(coef, steps),
        penalty.minimum_norm_subgradient(coef, gradient),
    ]
    if penalty.smooth:
        results.append(penalty.gradient(coef))
    for result in results:
        assert result.dtype == dtype
        assert result.shape == coef.shape
        assert not np.shares_memory(result, coef)
        assert not np.shares_memory(result, gradient)
    numbers = [penalty.value(coef), penalty.conjugate(gradient), penalty.dual_scaling(gradient)]
    assert all(type(number) is float for number in [*numbers, penalty.strong_convexity])
    np.testing.assert_array_equal(coef, before[0])
    np.testing.assert_array_equal(gradient, before[1])


def test_value_is_summed_in_float64():
    coef = np.full((1, 300_000), 0.1, dtype=np.float32)
    exact = float(coef[0, 0])
    assert L1(1.0).value(coef) == pytest.approx(300_000 * exact, rel=1e-12)
    assert L2(2.0).value(coef) == pytest.approx(300_000 * exact**2, rel=1e-12)


@every_penalty
def test_clone_and_empty_coef(penalty):
    copy = clone(penalty)
    assert repr(copy) == repr(penalty)
    penalty.validate()
    empty = np.zeros((1, 0))
    assert penalty.value(empty) == 0
    assert penalty.conjugate(empty) == 0
    assert penalty.dual_scaling(empty) == 1
    assert penalty.prox(empty, 1.0).shape == (1, 0)


@pytest.mark.parametrize(
    ("penalty", "parameter"),
    [
        (L1(-1.0), "alpha"),
        (L2("strong"), "alpha"),
        (ElasticNet(1.0, l1_ratio=1.1), "l1_ratio"),
        (NonNegative(3.0), "penalty"),
        (NonNegative(L1(-1.0)), "alpha"),
    ],
    ids=repr,
)
def test_validation(penalty, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of"):
        penalty.validate()


def test_default_parameters():
    assert L1().get_params() == L2().get_params() == {"alpha": 1.0}
    assert ElasticNet().get_params() == {"alpha": 1.0, "l1_ratio": 0.5}
    assert NonNegative().get_params() == {"penalty": None}


def test_nested_parameters_can_be_set():
    penalty = NonNegative(L1(1.0)).set_params(penalty__alpha=3.0)
    assert penalty.penalty.alpha == 3.0


def test_nonnegative_refuses_a_penalty_that_is_not_separable():
    class Coupled(L2):
        separable = False

    with pytest.raises(ValueError, match="needs a separable penalty, and Coupled"):
        NonNegative(Coupled()).prox(np.ones((1, 2)), 1.0)


@pytest.mark.parametrize("strengths", [(0.7, 0.2), (0.5, 0.0)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_l2_with_a_strength_for_each_output(strengths, dtype):
    both, single = L2(np.array(strengths)[:, None]), [L2(alpha) for alpha in strengths]
    coef, steps = draw(0, dtype), draw(1, dtype) ** 2
    rows = list(zip(single, coef[:, None], steps[:, None], strict=True))
    assert both.value(coef) == pytest.approx(sum(p.value(c) for p, c, _ in rows), rel=1e-6)
    for ours, expected in [
        (both.gradient(coef), [p.gradient(c) for p, c, _ in rows]),
        (both.prox(coef, 0.3), [p.prox(c, 0.3) for p, c, _ in rows]),
        (both.prox(coef, steps), [p.prox(c, s) for p, c, s in rows]),
        (
            both.minimum_norm_subgradient(coef, steps),
            [p.minimum_norm_subgradient(c, s) for p, c, s in rows],
        ),
        (both.curvature(coef), [p.curvature(c) + 0 * c for p, c, _ in rows]),
    ]:
        assert ours.dtype == dtype
        np.testing.assert_array_equal(ours, np.concatenate(expected))
    assert both.conjugate(coef) == pytest.approx(sum(p.conjugate(c) for p, c, _ in rows), rel=1e-6)
    assert both.dual_scaling(coef) == (1.0 if min(strengths) > 0 else 0.0)
    free = coef * [[1.0], [float(strengths[1] > 0)]]
    assert both.conjugate(free.astype(dtype)) == pytest.approx(
        sum(p.conjugate(c) for p, c in zip(single, free[:, None], strict=True)), rel=1e-6
    )
    assert both.strong_convexity == min(strengths)
    assert both.l1_strength is None  # not a number times |coef|^2
    np.testing.assert_array_equal(NonNegative(both).output_convexity, np.array(strengths)[:, None])
