"""An objective around a point: Hessians and lines there, by whatever is known of the rows."""

import numpy as np
import pytest
from tolerances import arithmetic, coefficients

from skgrad import LinearSVC
from skgrad.expansions import PredictedExpansion, SweptExpansion
from skgrad.losses import Logistic, Multinomial, Poisson, SquaredError, SquaredHinge
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2
from skgrad.solvers import Newton
from skgrad.solvers.newton import unfinished

# Rows from which on products cost more than the interpreter, and from which on predictions are not
# kept.
SIZES = {"cheap": 60, "cached": 5000, "swept": 60_000}
TARGETS = {
    "sign": lambda rng, shape: rng.choice([-1.0, 1.0], size=shape),
    "binary01": lambda rng, shape: rng.integers(2, size=shape).astype(float),
    "continuous": lambda rng, shape: rng.poisson(2.0, size=shape).astype(float),
    "class_index": lambda rng, shape: rng.integers(shape[1], size=shape[0]),
}


def build(loss, size, rng, *, weights="none", alpha=0.3, dtype=float):
    n, p, K = SIZES[size], 5, 4
    X, y = rng.normal(size=(n, p)).astype(dtype), TARGETS[loss.target](rng, (n, K))
    y = y.astype(dtype) if y.dtype.kind == "f" else y
    columns = {"none": None, "rows": 1, "outputs": K}[weights]
    weight = None if columns is None else rng.integers(1, 4, (n, columns)).astype(dtype)
    return Objective(LinearModel(p, K, True), loss, L2(alpha), X, y, weight)


def start(objective, rng):
    return objective.point(0.3 * rng.normal(size=objective.n_params).astype(objective.dtype))


LOSSES = [Logistic(), SquaredHinge(), Poisson(), SquaredError(), Multinomial()]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_lines_lead_where_the_objective_is_evaluated(loss, size, weights, dtype, rng):
    if loss.coupled and weights == "outputs":
        weights = "rows"
    objective = build(loss, size, rng, weights=weights, dtype=dtype)
    point, tolerance = start(objective, rng), arithmetic(dtype)
    n_blocks = 1 if loss.coupled else 4
    along = rng.normal(size=(n_blocks, objective.n_params // n_blocks)).astype(dtype)
    steps = [0.5, 1.0, -0.25, 2.0][:n_blocks]
    line = objective.expand(point).line(along)
    trial = line.at(steps)
    landed = line.land(trial)
    w = point.w + (np.array(steps, dtype)[:, None] * along).ravel()
    value, gradient = objective.value_and_gradient(w)
    slopes = (gradient.reshape(along.shape) * along).sum(axis=1)
    size_of = np.abs(gradient).max()
    assert landed.w.dtype == landed.gradient.dtype == np.dtype(dtype)
    assert trial.value == pytest.approx(value, rel=tolerance)
    assert landed.value == pytest.approx(value, rel=tolerance)
    np.testing.assert_allclose(landed.w, w, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(landed.gradient, gradient, atol=tolerance * size_of)
    np.testing.assert_allclose(trial.slopes, slopes, atol=10 * tolerance * size_of)
    hessian = objective.expand(landed).hessian()
    exact = objective.hessian(w)
    np.testing.assert_allclose(hessian, exact, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize(
    "alpha", [0.3, np.array([[0.1], [0.2], [0.3], [0.4]])], ids=["one", "each"]
)
@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("size", SIZES)
def test_some_outputs_move_and_the_others_stay(size, weights, alpha, rng):
    objective = build(SquaredHinge(), size, rng, weights=weights, alpha=alpha)
    point, some = start(objective, rng), np.array([0, 2])
    along, steps = rng.normal(size=(2, 6)), [1.5, -0.5]
    here = objective.expand(point, some)
    line = here.line(along)
    landed = line.land(line.at(steps))
    w = point.w.copy()
    w.reshape(4, 6)[some] += np.array(steps)[:, None] * along
    value, gradient = objective.value_and_gradient(w)
    tolerance = arithmetic(float)
    np.testing.assert_allclose(landed.w, w, rtol=tolerance)
    assert line.at(steps).value == pytest.approx(value, rel=tolerance)
    assert landed.value == pytest.approx(value, rel=tolerance)
    np.testing.assert_allclose(landed.gradient, gradient, atol=tolerance)
    blocks = objective.hessian(point.w)[some]
    np.testing.assert_allclose(here.hessian(), blocks, atol=tolerance * np.abs(blocks).max())
    np.testing.assert_array_equal(here.gradient, point.gradient.reshape(4, 6)[some])


@pytest.mark.parametrize("size", ["cheap", "cached"])
def test_one_step_for_all_outputs_that_share_a_hessian(size, rng):
    objective = build(SquaredError(), size, rng)
    result = Newton().run(objective, objective.start(), tol=1e-12)
    assert result.n_iter == 1
    assert np.abs(objective.value_and_gradient(result.w)[1]).max() <= arithmetic(float)


def test_predictions_are_kept_where_they_pay(rng):
    for size, kind in [("cheap", SweptExpansion), ("cached", PredictedExpansion)]:
        objective = build(Logistic(), size, rng)
        point = start(objective, rng)
        assert type(objective.expand(point)) is kind
        assert point.predictions is not None
    assert start(build(Logistic(), "swept", rng), rng).predictions is None


def test_trials_make_no_passes(rng):
    objective = build(Logistic(), "cached", rng)
    line = objective.expand(start(objective, rng)).line(rng.normal(size=(4, 6)))
    before = objective.passes
    for step in np.linspace(0, 1, 5):
        line.at([step] * 4)
    assert objective.passes == before


def test_outputs_that_have_arrived_wait_for_the_others(rng):
    """Nearly separable classes take many iterations, and each of them its own number."""
    X = rng.normal(size=(3000, 12))
    codes = np.where(X[:, 0] > 0.3, 0, np.where(X[:, 1:4].sum(axis=1) > 0, 1, 2))
    together = LinearSVC(C=100.0, tol=1e-12).fit(X, codes)
    for k in range(3):
        alone = LinearSVC(C=100.0, tol=1e-12).fit(X, codes == k)
        size = np.abs(alone.coef_).max()
        np.testing.assert_allclose(
            together.coef_[k], alone.coef_[0], atol=coefficients(float) * size
        )
    assert together.gap_is_certified_


def test_an_output_at_its_minimum_is_left_where_it_is(rng):
    """Its labels are all alike, so that the intercept alone does, from the start."""
    X = rng.normal(size=(5000, 5))
    y = np.sign(X[:, :3] + 0.1 * rng.normal(size=(5000, 3)))
    y[:, 1] = 1.0
    objective = Objective(LinearModel(5, 3, True), SquaredHinge(), L2(0.1), X, y)
    states = []
    solver = Newton()
    solver.run(
        objective, objective.start(), tol=1e-9, max_iter=1,
        callbacks=[lambda iteration: states.append(iteration.state)],
    )  # fmt: skip
    np.testing.assert_array_equal(unfinished(objective, states[0], 1e-9), [0, 2])
