"""The group lasso penalty, against its definition."""

import numpy as np
import pytest
from scipy.optimize import minimize

from skgrad.penalties import L1, GroupLasso

GROUPS = [[0, 3], [1, 4, 5]]  # column 2 is in none


def draw(seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(2, 6)).astype(dtype)


def test_value():
    coef = draw()
    expected = 0.7 * (
        np.sqrt(2) * np.linalg.norm(coef[:, [0, 3]])
        + np.sqrt(3) * np.linalg.norm(coef[:, [1, 4, 5]])
    )
    assert GroupLasso(GROUPS, np.float64(0.7)).value(coef) == pytest.approx(expected, rel=1e-14)


def test_groups_of_one_column_are_the_lasso():
    coef, steps = draw()[:1], draw(1)[:1] ** 2
    penalty = GroupLasso([[j] for j in range(6)], 0.4)
    np.testing.assert_allclose(penalty.prox(coef, steps), L1(0.4).prox(coef, steps), atol=1e-14)
    assert penalty.value(coef) == pytest.approx(L1(0.4).value(coef))
    assert penalty.dual_scaling(coef) == pytest.approx(L1(0.4).dual_scaling(coef))


@pytest.mark.parametrize("alpha", [0.05, 0.4, 3.0])
@pytest.mark.parametrize("own", [False, True])
def test_prox_has_a_zero_subgradient_where_it_arrives(alpha, own):
    penalty = GroupLasso(GROUPS, alpha)
    for seed in range(20):
        coef = draw(seed)
        steps = np.random.default_rng(seed).uniform(0.05, 3.0, size=coef.shape) if own else 0.6
        v = penalty.prox(coef, steps)
        element = penalty.minimum_norm_subgradient(v, (v - coef) / steps)
        np.testing.assert_allclose(element, 0.0, atol=1e-12)
    if alpha == 3.0:
        assert not v[:, [0, 3]].any()
    np.testing.assert_array_equal(v[:, 2], coef[:, 2])


def test_prox_through_scipy():
    penalty, coef = GroupLasso(GROUPS, 0.4), draw(3)
    steps = np.random.default_rng(3).uniform(0.1, 2.0, size=coef.shape)

    def objective(v):
        v = v.reshape(coef.shape)
        return penalty.value(v) + 0.5 * ((v - coef) ** 2 / steps).sum()

    best = minimize(objective, coef.ravel(), tol=1e-12)
    assert objective(penalty.prox(coef, steps).ravel()) <= best.fun + 1e-12


def test_conjugate_is_the_indicator_of_the_dual_ball():
    penalty = GroupLasso(GROUPS, 0.4)
    dual = draw(5)
    assert penalty.dual_scaling(dual) == 0.0  # of the column in no group nothing but zero is left
    dual[:, 2] = 0.0
    scaling = penalty.dual_scaling(dual)
    assert 0.0 < scaling < 1.0
    assert penalty.conjugate(scaling * dual) == 0.0
    assert penalty.conjugate(1.001 * scaling * dual) == np.inf
    # Fenchel and Young: <dual, coef> <= value(coef) + conjugate(dual), with equality at the prox.
    coef = draw(6)
    arrival = penalty.prox(coef, 0.3)
    subgradient = (coef - arrival) / 0.3
    assert np.vdot(subgradient, arrival) == pytest.approx(penalty.value(arrival), rel=1e-12)
    assert penalty.conjugate(subgradient * (1 - 1e-12)) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    penalty, coef = GroupLasso(GROUPS, np.float64(0.4)), draw(0, dtype)
    for result in (
        penalty.prox(coef, 0.5),
        penalty.prox(coef, np.full(coef.shape, 0.5, dtype)),
        penalty.minimum_norm_subgradient(coef, coef),
    ):
        assert result.dtype == dtype
        assert not np.shares_memory(result, coef)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], "GroupLasso has no groups"),
        ([["a"], []], "Group 1 of GroupLasso is \\[\\]"),
        (["ab"], "Group 0 of GroupLasso is 'ab'"),
        ([["a", "b"], ["c", "b"]], "Column 'b' is in two groups of GroupLasso, 0 and 1"),
        ([[0, 0]], "Column 0 is in two groups"),
    ],
)
def test_groups_are_checked(groups, message):
    with pytest.raises(ValueError, match=message):
        GroupLasso(groups).validate()


def test_groups_by_name():
    bound = GroupLasso([["c", "a"], ["b"]]).bind(["a", "b", "c"], 3)
    assert bound.groups == [[2, 0], [1]]
    with pytest.raises(ValueError, match="Column 0 is in two groups"):
        GroupLasso([["a"], [0]]).bind(["a"], 1)
