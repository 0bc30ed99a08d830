"""Solvers on functions of a vector: known minima, differences, penalties, refusals."""

import numpy as np
import pytest
from scipy.optimize import nnls, rosen, rosen_der

from skgrad.function_objective import FunctionObjective
from skgrad.penalties import L1, L2, NonNegative
from skgrad.solvers import (
    SOLVERS,
    Adam,
    DivergenceError,
    GradientDescent,
    IncompatibleSolverError,
    check_gradient,
    minimize,
)

CAPABLE = ["gradient_descent", "lbfgs", "proximal_gradient"]
STOCHASTIC = ["sgd", "adagrad", "adam"]


@pytest.fixture(scope="module")
def squares():
    """Least squares in 8 variables, and its minimiser."""
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(30, 8)), rng.normal(size=30)

    def function(w):
        residual = A @ w - b
        return 0.5 * residual @ residual, A.T @ residual

    return function, A, b


@pytest.mark.parametrize("solver", CAPABLE + STOCHASTIC)
def test_reaches_the_least_squares_solution(squares, solver):
    function, A, b = squares
    result = minimize(function, np.zeros(8), solver, tol=1e-10, max_iter=20_000)
    best = 0.5 * np.linalg.lstsq(A, b)[1][0]
    assert result.fun - best <= (1e-8 if solver in CAPABLE else 1e-3) * best
    assert result.success
    np.testing.assert_allclose(result.jac, A.T @ (A @ result.x - b), atol=1e-12)


def test_reaches_the_bottom_of_a_curved_valley():
    result = minimize(lambda w: (rosen(w), rosen_der(w)), np.full(6, 0.5), tol=1e-12)
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)
    assert result.gradients == "exact"
    assert result.nfev < 200


def test_gradient_by_differences_is_said_to_be_one():
    result = minimize(rosen, [0.5, 0.5, 0.5])
    np.testing.assert_allclose(result.x, 1.0, atol=1e-4)
    assert result.gradients == "finite differences"
    assert result.nfev > 6 * result.nit


@pytest.mark.parametrize("solver", ["proximal_gradient", "adam", "sgd"])
def test_constraint_holds_and_the_minimum_is_the_constrained_one(squares, solver):
    function, A, b = squares
    result = minimize(
        function, np.ones(8), solver, constraint=NonNegative(), tol=1e-10, max_iter=20_000
    )
    solution, length = nnls(A, b)
    assert result.x.min() >= 0.0
    assert result.fun == pytest.approx(0.5 * length**2, rel=1e-4)
    assert ((result.x > 0.0) == (solution > 0.0)).all()


def test_penalty_is_part_of_the_value(squares):
    function, A, b = squares
    result = minimize(function, np.zeros(8), penalty=L2(3.0), tol=1e-12)
    expected = np.linalg.solve(A.T @ A + 3.0 * np.eye(8), A.T @ b)
    np.testing.assert_allclose(result.x, expected, rtol=1e-5)
    assert result.fun == pytest.approx(function(expected)[0] + 1.5 * expected @ expected)


def test_shape_and_dtype_of_the_start_are_kept():
    def function(W):
        assert W.shape == (2, 3)
        return float((W**2).sum()), 2.0 * W

    start = np.ones((2, 3), dtype=np.float32)
    result = minimize(function, start)
    assert result.x.shape == (2, 3)
    assert result.x.dtype == np.float32
    assert (start == 1.0).all()


def test_history_and_callbacks(squares):
    function, _, _ = squares
    seen = []
    result = minimize(function, np.zeros(8), callbacks=[lambda it: seen.append(it.n_iter)])
    assert seen == list(range(1, result.nit + 1))
    assert len(result.history["loss"]) == result.nit
    stopped = minimize(function, np.zeros(8), callbacks=[lambda it: it.n_iter == 2])
    assert stopped.nit == 2
    assert not stopped.success
    assert stopped.status == "stopped"


def test_same_seed_same_answer(squares):
    function, _, _ = squares
    one, other = (minimize(function, np.zeros(8), Adam(), random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.x, other.x)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name not in CAPABLE + STOCHASTIC])
def test_solvers_that_need_more_refuse_or_solve(squares, name):
    function, A, b = squares
    if SOLVERS[name].needs <= FunctionObjective(function, np.zeros(8)).offers:
        result = minimize(function, np.zeros(8), name, max_iter=2000)
        best = 0.5 * np.linalg.lstsq(A, b)[1][0]
        assert result.fun <= best * (1.0 + SOLVERS[name].acceptable_gap)
    else:
        with pytest.raises(IncompatibleSolverError, match="LBFGS"):
            minimize(function, np.zeros(8), name)


def test_what_is_wrong_is_said(squares):
    function, _, _ = squares
    with pytest.raises(IncompatibleSolverError, match=r"L1 penalty is not smooth\. Use"):
        minimize(function, np.zeros(8), "lbfgs", penalty=L1(1.0))
    with pytest.raises(ValueError, match="penalty or a constraint"):
        minimize(function, np.zeros(8), penalty=L1(1.0), constraint=NonNegative())
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\), but w has shape \(3,\)"):
        minimize(lambda w: (0.0, np.zeros(2)), np.zeros(3))
    with pytest.raises(ValueError, match="must return its value"):
        minimize(lambda w: w, np.zeros(3))
    with pytest.raises(TypeError, match="callable"):
        minimize(3.0, np.zeros(3))
    with pytest.raises(ValueError, match="w0 contains NaN"):
        minimize(function, np.full(8, np.nan))
    steep = GradientDescent(line_search=None, learning_rate=1e3)
    with pytest.raises(DivergenceError, match="Lower learning_rate"):
        minimize(lambda w: (np.sum(np.exp(w * w)), 2 * w * np.exp(w * w)), np.ones(3), steep)


def test_wrong_gradient_is_found_where_it_is():
    def function(w):
        gradient = 4.0 * w**3
        gradient[1, 0] *= 1.001
        return np.sum(w**4), gradient

    with pytest.raises(AssertionError, match=r"at entry \(1, 0\)"):
        check_gradient(function, np.arange(1.0, 5.0).reshape(2, 2))
    check_gradient(lambda w: (rosen(w), rosen_der(w)), np.linspace(-2, 2, 7), rtol=1e-8)
