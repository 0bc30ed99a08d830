"""Line searches return steps that satisfy their conditions."""

import numpy as np
import pytest
from problems import Variant, make_objective

from skgrad.losses import Logistic, Poisson
from skgrad.penalties import L2
from skgrad.solvers._line_search import (
    SUFFICIENT_DECREASE,
    Trial,
    along,
    backtracking,
    strong_wolfe,
)


def line(function, w, direction):
    """Line through w, and the trial at its start."""
    w, direction = np.atleast_1d(np.asarray(w, float)), np.atleast_1d(direction)
    value, gradient = function(w)
    start = Trial(0.0, value, float(gradient @ direction), gradient, w)
    return along(function, w, direction), start


def rosenbrock(w):
    a, b = w
    value = (1 - a) ** 2 + 100 * (b - a * a) ** 2
    return value, np.array([2 * (a - 1) - 400 * a * (b - a * a), 200 * (b - a * a)])


def poisson(w):
    """Overflows where a step is too long."""
    objective = make_objective(Poisson(), L2(0.1), Variant())
    return objective.value_and_gradient(w)


def problem(name):
    if name == "rosenbrock":
        return rosenbrock, np.array([-1.2, 1.0])
    if name == "quartic":
        return (lambda w: (float(w @ w) ** 2, 4 * float(w @ w) * w)), np.array([1.0, -2.0])
    loss = Poisson() if name == "poisson" else Logistic()
    objective = make_objective(loss, L2(0.1), Variant())
    return objective.value_and_gradient, np.linspace(-1, 1, objective.n_params)


@pytest.mark.parametrize("name", ["rosenbrock", "quartic", "poisson", "logistic"])
@pytest.mark.parametrize("step", [1e-6, 1e-2, 1.0, 100.0])
def test_backtracking_decreases_enough(name, step):
    function, w = problem(name)
    evaluate, start = line(function, w, -function(w)[1])
    with np.errstate(over="ignore", invalid="ignore"):
        trial = backtracking(evaluate, start, step)
    assert trial.value <= start.value + SUFFICIENT_DECREASE * trial.step * start.slope
    assert 0 < trial.step <= step


@pytest.mark.parametrize("name", ["rosenbrock", "quartic", "poisson", "logistic"])
@pytest.mark.parametrize("step", [1e-6, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("curvature", [0.1, 0.9])
def test_strong_wolfe_conditions_hold(name, step, curvature):
    function, w = problem(name)
    evaluate, start = line(function, w, -function(w)[1])
    with np.errstate(over="ignore", invalid="ignore"):
        trial = strong_wolfe(evaluate, start, step, curvature=curvature)
    assert trial.value <= start.value + SUFFICIENT_DECREASE * trial.step * start.slope
    assert abs(trial.slope) <= curvature * abs(start.slope)
    value, gradient = function(trial.w)
    assert (trial.value, trial.slope) == (value, gradient @ -start.gradient)


@pytest.mark.parametrize("search", [backtracking, strong_wolfe])
def test_uphill_finds_nothing(search):
    evaluate, start = line(lambda w: (float(w @ w), 2 * w), 1.0, 1.0)
    assert search(evaluate, start._replace(slope=-1.0), 1.0) is None


@pytest.mark.parametrize("search", [backtracking, strong_wolfe])
def test_a_full_step_that_is_good_is_taken_at_once(search):
    evaluate, start = line(lambda w: (0.5 * float(w @ w), w), 3.0, -3.0)
    trials = []
    trial = search(lambda step: trials.append(step) or evaluate(step), start, 1.0)
    assert trials == [1.0]
    assert trial.value == 0.0


@pytest.mark.parametrize("search", [backtracking, strong_wolfe])
def test_rounding_of_the_value_does_not_hide_progress(search):
    # The decrease is far below the last digit of the value, the slope is not.
    def function(w):
        return 1e6 + 0.5e-12 * float(w @ w), 1e-12 * w

    evaluate, start = line(function, 1.0, -1.0)
    trial = search(evaluate, start, 1.0)
    assert trial is not None
    assert trial.w == 0.0
