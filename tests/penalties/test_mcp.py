"""The minimax concave penalty, which is not convex."""

import numpy as np
import pytest

from skgrad.penalties import L1, MCP

GRID = np.linspace(-8.0, 8.0, 160_001)


def on_grid(alpha, gamma, v):
    """Definition, point by point."""
    size = np.abs(v)
    return np.where(
        size <= gamma * alpha, alpha * size - size**2 / (2 * gamma), gamma * alpha**2 / 2
    )


@pytest.mark.parametrize(("alpha", "gamma"), [(0.7, 1.5), (1.2, 3.0)])
@pytest.mark.parametrize("step", [0.3, 1.4, 1.6, 4.0])
def test_prox_is_the_best_point_of_a_grid(alpha, gamma, step):
    penalty = MCP(np.float64(alpha), np.float64(gamma))
    for start in np.random.default_rng(0).normal(scale=2.0, size=20):
        objective = step * on_grid(alpha, gamma, GRID) + 0.5 * (GRID - start) ** 2
        found = penalty.prox(np.array([start]), step)
        value = step * penalty.value(found) + 0.5 * (found[0] - start) ** 2
        assert value <= objective.min() + 1e-12
        assert found[0] == pytest.approx(GRID[objective.argmin()], abs=2e-4)


def test_value_and_the_limit_of_large_gamma():
    coef = np.array([[2.0, 0.0, -0.3]])
    assert MCP(0.5, 3.0).value(coef) == pytest.approx(on_grid(0.5, 3.0, coef).sum(), rel=1e-15)
    assert MCP(0.5, 1e9).value(coef) == pytest.approx(L1(0.5).value(coef), rel=1e-8)
    np.testing.assert_allclose(MCP(0.5, 1e9).prox(coef, 1.0), L1(0.5).prox(coef, 1.0), rtol=1e-8)


def test_large_coefficients_are_left_alone():
    coef = np.array([[5.0, -4.0, 0.2]])
    np.testing.assert_array_equal(MCP(1.0, 3.0).prox(coef, 1.0), [[5.0, -4.0, 0.0]])


def test_it_curves_down_by_the_inverse_of_gamma():
    penalty, coef, h = MCP(1.0, 2.0), np.array([0.7]), 1e-4
    bend = penalty.value(coef + h) + penalty.value(coef - h) - 2 * penalty.value(coef)
    assert penalty.strong_convexity == pytest.approx(bend / h**2, rel=1e-5)
    assert not penalty.convex


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subgradient_and_dtype(dtype):
    penalty = MCP(np.float64(0.7), np.float64(2.0))
    coef = np.array([[0.0, 0.0, 0.5, -3.0]], dtype=dtype)
    gradient = np.array([[0.3, -1.0, 0.1, 0.2]], dtype=dtype)
    element = penalty.minimum_norm_subgradient(coef, gradient)
    np.testing.assert_allclose(element, [[0.0, -0.3, 0.1 + 0.7 - 0.25, 0.2]], rtol=1e-6)
    assert element.dtype == penalty.prox(coef, 0.5).dtype == dtype
    steps = np.full(coef.shape, 0.5, dtype)
    np.testing.assert_array_equal(penalty.prox(coef, steps), penalty.prox(coef, 0.5))


def test_there_is_no_lower_bound():
    penalty = MCP()
    assert penalty.conjugate(np.array([0.0])) == 0.0
    assert penalty.conjugate(np.array([0.1])) == np.inf
    assert penalty.dual_scaling(np.array([0.1])) == 0.0
    for name in ("alpha", "gamma"):
        with pytest.raises(ValueError, match=f"'{name}' parameter of MCP"):
            MCP(**{name: 0.0}).validate()
