"""The line search that gives every block its own step."""

import numpy as np
import pytest
from problems import Variant, make_objective
from sklearn.datasets import load_iris
from tolerances import coefficients

from skgrad import LinearSVC
from skgrad.lines import Point, SweptLine
from skgrad.losses import Logistic, Poisson, SquaredHinge
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2
from skgrad.solvers import Newton
from skgrad.solvers._block_search import (
    NEGLIGIBLE,
    SLOPE_ACCURACY,
    rounding_noise,
    search_blocks,
)


def search(function, w, direction, n_blocks, *, first=1.0, extend=True):
    def evaluate(w):
        return Point(w, *function(w))

    start = evaluate(w)
    with np.errstate(over="ignore", invalid="ignore"):
        line = SweptLine(evaluate, start, direction.reshape(n_blocks, -1), None)
        trial = search_blocks(
            line, start.value, first=first, extend=extend, noise=rounding_noise(start)
        )
    return None if trial is None else line.land(trial)


def slopes(gradient, direction, n_blocks):
    return (gradient * direction).reshape(n_blocks, -1).sum(axis=1)


def quartics(centers):
    """Blocks of one parameter, (w - center)^4 each."""

    def function(w):
        return float(((w - centers) ** 4).sum()), 4 * (w - centers) ** 3

    return function


def test_each_block_gets_its_own_step():
    # From 0 along +1 each: minima at steps from 0.01, which needs shortening, to 20.
    centers = np.array([0.01, 0.5, 1.0, 20.0])
    function, w, ones = quartics(centers), np.zeros(4), np.ones(4)
    found = search(function, w, ones, 4)
    start = slopes(function(w)[1], ones, 4)
    allowed = SLOPE_ACCURACY * np.abs(start) + NEGLIGIBLE * np.abs(start).sum()
    assert found.value < function(w)[0]
    assert (np.abs(slopes(found.gradient, ones, 4)) <= allowed).all()
    assert found.w.max() > 5.0


def test_what_is_returned_belongs_together():
    objective = make_objective(SquaredHinge(), L2(0.1), Variant(n_outputs=3))
    w = objective.start()
    _, gradient = objective.value_and_gradient(w)
    found = search(objective.value_and_gradient, w, -gradient, 3)
    value, slope = objective.value_and_gradient(found.w)
    assert found.value == value
    np.testing.assert_array_equal(found.gradient, slope)


@pytest.mark.parametrize("loss", [Logistic(), Poisson(), SquaredHinge()], ids=repr)
@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
def test_decreases_from_any_length_of_the_direction(loss, length):
    objective = make_objective(loss, L2(0.1), Variant())
    w = np.linspace(-1, 1, objective.n_params)
    value, gradient = objective.value_and_gradient(w)
    found = search(objective.value_and_gradient, w, -length * gradient, 1)
    assert found.value < value
    assert np.isfinite(found.gradient).all()


def test_a_linear_tail_does_not_hide_the_minimum():
    def absolute(w):  # smoothed over a width of 1
        return float(np.hypot(w - 3.0, 1.0).sum()), (w - 3.0) / np.hypot(w - 3.0, 1.0)

    found = search(absolute, np.zeros(1), np.array([1e12]), 1)
    assert found.value < absolute(np.zeros(1))[0]


def test_without_extension_no_step_is_longer_than_the_first():
    found = search(quartics(np.array([10.0])), np.zeros(1), np.ones(1), 1, first=0.5, extend=False)
    assert found.w == [0.5]


def test_no_decrease_is_reported():
    def walled(w):  # finite at the start only
        return (1.0 if not w.any() else np.inf), np.full_like(w, -1.0)

    assert search(walled, np.zeros(2), np.ones(2), 2) is None


def test_outputs_together_are_outputs_alone():
    X, y = load_iris(return_X_y=True)
    together = LinearSVC(tol=1e-12).fit(X, y)
    iterations = []
    for k in range(3):
        alone = LinearSVC(tol=1e-12).fit(X, y == k)
        np.testing.assert_allclose(together.coef_[k], alone.coef_[0], rtol=coefficients(float))
        iterations.append(alone.n_iter_)
    # The classes don't wait for each other's steps.
    assert together.n_iter_ <= max(iterations) + 1


def test_constant_columns_leave_the_hessian_regular(rng):
    X = rng.normal(size=(40, 3))
    X[:, 1] = 7.0
    y = (X[:, 0] + rng.normal(size=40) > 0).astype(float)
    objective = Objective(LinearModel(3, 1, True), Logistic(), L2(0.1), X, y[:, None])
    result = Newton().run(objective, objective.start())
    assert not result.state.singular
    assert objective.to_user(result.w)[1] == 0.0
