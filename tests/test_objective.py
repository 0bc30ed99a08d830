"""The function that solvers minimise: its value, derivatives, coordinates, batches and gaps."""

from itertools import product

import numpy as np
import pytest
from problems import (
    LINEAR_LOSSES,
    LOSS_PARAMETERS,
    PENALTIES,
    PENALTY_PARAMETERS,
    Variant,
    ill_scaled,
    make_data,
    make_loss,
    make_objective,
    make_penalty,
    minimise,
)
from scipy import sparse
from scipy.optimize import minimize_scalar
from tolerances import FINITE_DIFFERENCE, SPECTRUM, arithmetic

from skgrad import linalg
from skgrad.capabilities import Capability
from skgrad.losses import Huber, Logistic, Poisson, SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, NonNegative, NoPenalty

every_loss = pytest.mark.parametrize("loss_name", LINEAR_LOSSES)
every_penalty = pytest.mark.parametrize("kind", PENALTIES)
every_layout = pytest.mark.parametrize("layout", ["dense", "csr"])

SMOOTH = [name for name in LINEAR_LOSSES if LINEAR_LOSSES[name].smooth]
BOUNDED = [name for name in SMOOTH if np.isfinite(make_loss(name).max_curvature)]


def variants(layout, loss_name):
    """Every kind of data in one layout."""
    n_outputs = [1] if LINEAR_LOSSES[loss_name].coupled else [1, 3]
    kinds = product(["none", "rows", "outputs"], [True, False], n_outputs)
    return [Variant(layout, "float64", *kind) for kind in kinds]


def draw_w(objective, rng):
    """Parameters where every penalty is finite and differentiable."""
    w = 0.3 * rng.normal(size=objective.n_params)
    coef = objective.model.coef(w)
    coef[...] = np.abs(coef) + 0.01
    return w


def difference(function, w, direction, h=1e-6):
    return (function(w + h * direction) - function(w - h * direction)) / (2 * h)


def direct_value(data, loss, penalty, w):
    """F in the user's coordinates, from its definition."""
    coef, intercept = data.model.coef(w), data.model.intercept(w)
    raw = data.X @ coef.T + (intercept if data.model.fit_intercept else 0.0)
    values = loss.value(data.y, raw)
    if data.sample_weight is None:
        return values.sum() / len(raw) + penalty.value(coef)
    weight = data.sample_weight
    return (weight * values).sum() / weight.sum() + penalty.value(coef)


def test_every_penalty_and_loss_is_known_here():
    assert set(PENALTIES) == set(PENALTY_PARAMETERS)
    assert set(LOSS_PARAMETERS) <= set(LINEAR_LOSSES)


@every_layout
@every_penalty
@every_loss
def test_value_is_the_users_objective(loss_name, kind, layout, rng, blocks):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    for variant in variants(layout, loss_name):
        data = make_data(loss, variant)
        objective = data.objective(loss, penalty)
        user = draw_w(objective, rng)
        w = objective.from_user(user)
        expected = direct_value(data, loss, penalty, user)
        assert objective.value(w) == pytest.approx(expected, rel=arithmetic(float)), variant
        np.testing.assert_allclose(objective.to_user(w), user, rtol=arithmetic(float))
        smooth_value, _ = objective.value_and_gradient(w)
        whole = smooth_value + objective.nonsmooth_value(w)
        assert whole == pytest.approx(expected, rel=arithmetic(float)), variant


@every_layout
@every_penalty
@every_loss
def test_gradient_by_finite_differences(loss_name, kind, layout, rng, blocks):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    for variant in variants(layout, loss_name):
        objective = make_objective(loss, penalty, variant)
        w, direction = draw_w(objective, rng), rng.normal(size=objective.n_params)
        actual = objective.value_and_gradient(w)[1] @ direction
        expected = difference(lambda w: objective.value_and_gradient(w)[0], w, direction)  # noqa: B023
        assert actual == pytest.approx(expected, rel=FINITE_DIFFERENCE, abs=1e-8), variant


@every_layout
@every_penalty
@pytest.mark.parametrize("loss_name", SMOOTH)
def test_hess_vec_by_finite_differences(loss_name, kind, layout, rng, blocks):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    for variant in variants(layout, loss_name):
        objective = make_objective(loss, penalty, variant)
        w, v = draw_w(objective, rng), rng.normal(size=objective.n_params)
        expected = difference(lambda w: objective.value_and_gradient(w)[1], w, v)  # noqa: B023
        actual = objective.hess_vec(w, v)
        np.testing.assert_allclose(actual, expected, rtol=FINITE_DIFFERENCE, atol=1e-7)


@every_layout
@every_penalty
@pytest.mark.parametrize("loss_name", SMOOTH)
def test_hessian_blocks_are_hess_vec(loss_name, kind, layout, rng, blocks):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    for variant in variants(layout, loss_name):
        objective = make_objective(loss, penalty, variant)
        w, v = draw_w(objective, rng), rng.normal(size=objective.n_params)
        hessian = objective.hessian(w)
        size = objective.block_size
        assert hessian.shape[1:] == (size, size)
        actual = np.matmul(hessian, v.reshape(-1, size)[:, :, None]).ravel()
        expected = objective.hess_vec(w, v)
        np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("decorrelated", [False, True])
@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("loss_name", ["squared_error", "huber"])
def test_a_strength_of_l2_for_each_output(loss_name, weights, decorrelated, rng):
    penalty = L2(np.array([[0.01], [0.5], [20.0]]))
    objective = make_objective(make_loss(loss_name), penalty, Variant(weights=weights, n_outputs=3))
    objective = objective.decorrelated() if decorrelated else objective
    w, v = draw_w(objective, rng), rng.normal(size=objective.n_params)
    value, gradient = objective.value_and_gradient(w)
    assert value == pytest.approx(objective.value(w), rel=arithmetic(float))
    slope = difference(objective.value, w, v)
    assert gradient @ v == pytest.approx(slope, rel=FINITE_DIFFERENCE)
    product = objective.hess_vec(w, v)
    change = difference(lambda w: objective.value_and_gradient(w)[1], w, v)
    np.testing.assert_allclose(product, change, rtol=FINITE_DIFFERENCE, atol=1e-7)
    hessian = objective.hessian(w)
    assert len(hessian) == 3
    blocks = np.matmul(hessian, v.reshape(3, -1, 1)).ravel()
    np.testing.assert_allclose(blocks, product, rtol=1e-8, atol=1e-10)
    assert np.linalg.eigvalsh(hessian).max() <= objective.smoothness().mean * (1 + SPECTRUM)
    best = minimise(objective)
    gap = objective.gradient_gap(w, gradient)
    assert 0 < value - best.value <= gap


def test_slope_of_the_proximal_step_with_a_strength_for_each_output(rng):
    penalty = NonNegative(L2(np.array([[0.01], [0.5], [20.0]])))
    objective = make_objective(SquaredError(), penalty, Variant(n_outputs=3))
    w, steps = rng.normal(size=objective.n_params), rng.uniform(0.1, 1.0, objective.n_params)
    slope = objective.prox_slope(objective.prox(w, steps), steps)
    for e in np.eye(len(w)):
        expected = difference(lambda w: objective.prox(w, steps) @ e, w, e)  # noqa: B023
        assert slope @ e == pytest.approx(expected, rel=FINITE_DIFFERENCE, abs=1e-8)


@every_layout
@every_loss
def test_float32_stays_and_agrees_with_float64(loss_name, layout, rng, blocks):
    loss, penalty = make_loss(loss_name), L2(0.03)
    narrow, wide = (
        make_objective(loss, penalty, Variant(layout, dtype, "rows"))
        for dtype in ["float32", "float64"]
    )
    w = draw_w(wide, rng)
    w32 = narrow.from_user(wide.to_user(w).astype(np.float32))
    value, gradient = narrow.value_and_gradient(w32)
    expected, expected_gradient = wide.value_and_gradient(w)
    assert isinstance(value, float)
    assert gradient.dtype == narrow.start().dtype == narrow.to_user(w32).dtype == np.float32
    assert value == pytest.approx(expected, rel=arithmetic("float32"))
    size = np.abs(expected_gradient).max()
    # At a kink float32 may take the other side for a row.
    tolerance = 10 * arithmetic("float32") if loss.smooth else 0.1
    np.testing.assert_allclose(gradient, expected_gradient, atol=tolerance * size)
    if loss.smooth:
        assert narrow.hess_vec(w32, w32).dtype == np.float32
    assert narrow.prox(w32, 0.1).dtype == np.float32


@every_layout
@every_penalty
@pytest.mark.parametrize("loss_name", SMOOTH)
def test_decorrelated_coordinates_leave_the_objective_unchanged(
    loss_name, kind, layout, rng, blocks
):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    for variant in variants(layout, loss_name):
        plain = make_objective(loss, penalty, variant)
        moved = plain.decorrelated()
        w = draw_w(plain, rng)
        w, u = plain.from_user(w), moved.from_user(w)
        np.testing.assert_allclose(moved.to_user(u), plain.to_user(w), rtol=1e-9, atol=1e-10)
        assert moved.value(u) == pytest.approx(plain.value(w), rel=1e-10)
        v = rng.normal(size=len(u))
        slope = moved.value_and_gradient(u)[1]
        expected = difference(lambda u: moved.value_and_gradient(u)[0], u, v)  # noqa: B023
        assert slope @ v == pytest.approx(expected, rel=FINITE_DIFFERENCE, abs=1e-8)
        expected = difference(lambda u: moved.value_and_gradient(u)[1], u, v)  # noqa: B023
        np.testing.assert_allclose(moved.hess_vec(u, v), expected, rtol=1e-5, atol=1e-6)
        size = moved.block_size
        product = np.matmul(moved.hessian(u), v.reshape(-1, size)[:, :, None]).ravel()
        np.testing.assert_allclose(product, moved.hess_vec(u, v), rtol=1e-8, atol=1e-9)
        gaps = [each.duality_gap(point) for each, point in [(plain, w), (moved, u)]]
        assert gaps[1] == pytest.approx(gaps[0], rel=1e-8, nan_ok=True)


@every_layout
def test_decorrelated_coordinates_curve_alike(layout, rng, blocks):
    X = ill_scaled(300, 6, rng)
    X = sparse.csr_array(X) if layout == "csr" else X
    y = rng.normal(size=(300, 1))
    plain, penalised = (
        Objective(LinearModel(6, 1, True), SquaredError(), penalty, X, y)
        .decorrelated()
        .hessian(np.zeros(7))[0]
        for penalty in [NoPenalty(), L2(0.1)]
    )
    np.testing.assert_allclose(plain, np.eye(7), atol=1e-5)
    # How the penalty compares with the loss's curvature is a guess, right within a factor of 20.
    assert np.linalg.cond(penalised) <= 21.0


def test_the_shortest_parameters_predict_the_same(rng):
    X = rng.normal(size=(10, 30)) * np.logspace(-2, 2, 30) + 5.0
    y = rng.normal(size=(10, 1))
    objective = Objective(LinearModel(30, 1, True), SquaredError(), NoPenalty(), X, y)
    w = rng.normal(size=31)
    user, short = objective.to_user(w), objective.to_user(objective.shortest(w))
    np.testing.assert_allclose(X @ short[:30] + short[30], X @ user[:30] + user[30], rtol=1e-6)
    Z = X - X.mean(axis=0)
    expected = np.linalg.pinv(Z) @ (Z @ user[:30])
    np.testing.assert_allclose(short[:30], expected, atol=1e-6 * np.abs(expected).max())


def test_ill_scaled_columns_leave_the_users_objective_unchanged(rng):
    X = ill_scaled(200, 6, rng)
    y, user = rng.normal(size=(200, 1)), rng.normal(size=7) / np.append(np.logspace(-3, 3, 6), 1)
    for penalty in [NoPenalty(), L2(1e-3), L1(1e-3)]:
        objective = Objective(LinearModel(6, 1, True), SquaredError(), penalty, X, y)
        raw = X @ user[:6] + user[6]
        expected = 0.5 * np.mean((y[:, 0] - raw) ** 2) + penalty.value(user[:6])
        assert objective.value(objective.from_user(user)) == pytest.approx(expected, rel=1e-10)


@every_layout
def test_standardised_columns_have_the_losses_curvature(layout, rng, blocks):
    X = ill_scaled(200, 6, rng)
    X = sparse.csr_array(X) if layout == "csr" else X
    objective = Objective(
        LinearModel(6, 1, True), SquaredError(), NoPenalty(), X, rng.normal(size=(200, 1))
    )
    hessian = objective.hessian(objective.start())[0]
    np.testing.assert_allclose(np.diag(hessian), 1.0, rtol=1e-6)
    np.testing.assert_allclose(hessian[-1, :-1], 0.0, atol=1e-8)


@every_layout
def test_constant_columns_get_no_coefficient(layout, rng):
    X = np.column_stack([rng.normal(size=50), np.full(50, 0.1), np.zeros(50)])
    X = sparse.csr_array(X) if layout == "csr" else X
    objective = Objective(
        LinearModel(3, 1, True), SquaredError(), NoPenalty(), X, rng.normal(size=(50, 1))
    )
    user = objective.to_user(objective.start() + 1.0)
    assert user[0] != 0
    np.testing.assert_array_equal(user[1:3], 0.0)


@every_loss
def test_start_is_the_best_constant(loss_name, rng):
    loss = make_loss(loss_name)
    objective = make_objective(loss, NoPenalty(), Variant(weights="rows"))
    start = objective.start()
    assert not objective.model.coef(start).any()
    # Without a closed form, a median or mean close to the best constant has to do.
    approximate = loss_name in {"huber", "epsilon_insensitive", "squared_epsilon_insensitive"}
    best = objective.value(start) * (1 - (0.02 if approximate else 1e-12))
    for _ in range(20):
        other = start.copy()
        objective.model.rows(other)[:, -1] += 0.1 * rng.normal(size=objective.n_outputs)
        assert objective.value(other) >= best


@every_penalty
@every_layout
def test_prox_minimises_its_definition(kind, layout, rng):
    objective = make_objective(SquaredError(), make_penalty(kind), Variant(layout))
    w = rng.normal(size=objective.n_params)
    step_size = 0.1 + rng.random(objective.n_params)
    moved = objective.prox(w, step_size)

    def model(v):
        return objective.nonsmooth_value(v) + 0.5 * np.sum((v - w) ** 2 / step_size)

    best = model(moved)
    assert np.isfinite(best)
    for _ in range(50):
        assert model(moved + 1e-4 * rng.normal(size=len(w))) >= best
    assert moved[-1] == w[-1]  # the intercept


# Batches


@every_layout
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 79, 80, 1000])
def test_batches_partition_the_rows(layout, shuffle, batch_size, rng, blocks):
    objective = make_objective(SquaredError(), NoPenalty(), Variant(layout))
    y = make_data(SquaredError(), Variant(layout)).y
    batches = list(objective.batches(batch_size, rng, shuffle=shuffle))
    if batch_size >= 80:
        assert batches == [None]
        return
    assert [len(batch.y) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    seen = np.concatenate([batch.y for batch in batches])
    np.testing.assert_array_equal(np.sort(seen, axis=0), np.sort(y, axis=0))
    assert np.array_equal(seen, y) == (not shuffle)


@every_layout
@every_penalty
@every_loss
def test_batch_gradients_average_to_the_gradient(loss_name, kind, layout, rng, blocks):
    objective = make_objective(
        make_loss(loss_name), make_penalty(kind), Variant(layout, weights="rows")
    )
    w = draw_w(objective, rng)
    value, gradient = objective.value_and_gradient(w)
    mean_value, mean_gradient = 0.0, 0.0
    for batch in objective.batches(7, rng, shuffle=True):
        share = len(batch.y) / objective.n_samples
        batch_value, batch_gradient = objective.value_and_gradient(w, batch)
        mean_value += share * batch_value
        mean_gradient = mean_gradient + share * batch_gradient
    assert mean_value == pytest.approx(value, rel=arithmetic(float))
    np.testing.assert_allclose(mean_gradient, gradient, rtol=1e-9, atol=1e-11)


def test_passes_count_rows_read(rng):
    objective = make_objective(SquaredError(), NoPenalty(), Variant())
    w = objective.start()
    before = objective.passes
    objective.value(w)
    objective.value_and_gradient(w)
    for batch in objective.batches(9, rng, shuffle=True):
        objective.value_and_gradient(w, batch)
    assert objective.passes - before == pytest.approx(3.0)


# Blocks


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_many_rows_equal_numpy(dtype, rng):
    X = rng.normal(size=(200_000, 4)).astype(dtype) + 3
    y = rng.normal(size=(200_000, 1)).astype(dtype)
    assert len(list(linalg.row_blocks(X))) > 1
    objective = Objective(LinearModel(4, 1, True), Huber(), L2(0.1), X, y)
    user = rng.normal(size=5).astype(dtype)
    raw = X.astype(float) @ user[:4, None] + user[4]
    expected = Huber().value(y, raw).mean() + 0.05 * float(user[:4] @ user[:4])
    value, gradient = objective.value_and_gradient(objective.from_user(user))
    assert value == pytest.approx(expected, rel=arithmetic(dtype))
    slope = np.column_stack([X, np.ones(len(X))]).T @ Huber().gradient(y, raw)[:, 0] / len(X)
    slope[:4] += 0.1 * user[:4]
    # dF/dv = T' dF/dw with the change of variables w = T v.
    T = np.column_stack([objective.to_user(e) for e in np.eye(5)])
    np.testing.assert_allclose(gradient, T.T @ slope, rtol=30 * arithmetic(dtype), atol=1e-6)


@pytest.mark.parametrize("loss_name", SMOOTH)
def test_blocks_change_no_value(loss_name, rng, monkeypatch):
    results = []
    for n_bytes in [1 << 20, 2000, 300]:
        monkeypatch.setattr(linalg, "BLOCK_BYTES", n_bytes)
        monkeypatch.setattr(linalg, "SPARSE_BLOCK_BYTES", n_bytes)
        objective = make_objective(make_loss(loss_name), L2(0.1), Variant(weights="rows"))
        w = 0.1 * np.cos(np.arange(objective.n_params))
        value, gradient = objective.value_and_gradient(w)
        gap = objective.duality_gap(w)
        results.append([value, gap, *gradient, *objective.hessian(w).ravel(), *objective.start()])
    np.testing.assert_allclose(results[1:], results[:-1], rtol=1e-10, atol=1e-12)


# Bounds


@every_penalty
@pytest.mark.parametrize("weights", ["none", "rows"])
@pytest.mark.parametrize("loss_name", BOUNDED)
def test_smoothness_bounds_the_hessian(loss_name, weights, kind, rng):
    objective = make_objective(make_loss(loss_name), make_penalty(kind), Variant(weights=weights))
    bound = objective.smoothness()
    for w in [objective.start(), draw_w(objective, rng)]:
        largest = np.linalg.eigvalsh(objective.hessian(w)).max()
        assert largest <= bound.mean * (1 + SPECTRUM)
    assert bound.mean <= bound.row


@pytest.mark.parametrize("weights", ["none", "rows"])
def test_the_longest_rows_after_a_rotation_are_among_those_before(weights, rng, monkeypatch):
    data = make_data(SquaredError(), Variant(weights=weights), n_samples=3000)
    data.X[rng.integers(3000, size=20)] *= rng.uniform(10.0, 30.0, size=(20, 1))
    rotated = data.objective(SquaredError(), L2(0.1)).decorrelated()
    every = rotated.row_smoothness()
    monkeypatch.setattr("skgrad.coordinates.SPECTRUM_ROWS", 100)
    assert rotated.row_smoothness() == pytest.approx(every, rel=arithmetic(float))


def test_some_rows_tell_the_scale_of_the_objective(rng, monkeypatch):
    objective = make_data(Logistic(), Variant(weights="rows"), n_samples=3000).objective(
        Logistic(), L2(0.1)
    )
    w = draw_w(objective, rng)
    assert objective.rough_value(w) == pytest.approx(objective.value(w), rel=1e-12)
    monkeypatch.setattr("skgrad.coordinates.SPECTRUM_ROWS", 300)
    assert objective.rough_value(w) == pytest.approx(objective.value(w), rel=0.3)
    assert objective.rough_value(w) != objective.value(w)


@pytest.mark.parametrize("weights", ["none", "rows"])
@pytest.mark.parametrize("loss_name", [name for name in BOUNDED if not LINEAR_LOSSES[name].coupled])
def test_row_smoothness_bounds_every_row(loss_name, weights, rng):
    objective = make_objective(make_loss(loss_name), L2(0.1), Variant(weights=weights))
    bound = objective.smoothness().row
    for batch in objective.batches(1, rng, shuffle=False):
        w = objective.start()
        slope = np.stack(
            [
                objective.value_and_gradient(w + h * e, batch)[1]
                for e in np.eye(objective.n_params)
                for h in [1e-5, -1e-5]
            ]
        )
        hessian = (slope[::2] - slope[1::2]) / 2e-5
        assert np.linalg.eigvalsh(0.5 * (hessian + hessian.T)).max() <= bound * (1 + 1e-6)


def with_best_intercept(objective, w):
    """Move the only intercept to its optimum, where the gaps are bounds."""

    def along(shift):
        return objective.value(np.append(w[:-1], shift))

    best = minimize_scalar(along, bracket=(w[-1] - 1, w[-1] + 1), tol=1e-12)
    return np.append(w[:-1], best.x)


@every_penalty
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss_name", [n for n in LINEAR_LOSSES if not LINEAR_LOSSES[n].coupled])
def test_gaps_bound_the_suboptimality(loss_name, kind, intercept, rng):
    loss = make_loss(loss_name)
    objective = make_objective(
        loss, make_penalty(kind), Variant(weights="rows", intercept=intercept)
    )
    best = minimise(objective)
    found = 0
    for distance in [1.0, 0.1, 1e-3]:
        w = best.w + distance * np.abs(rng.normal(size=len(best.w)))
        if intercept:
            w = with_best_intercept(objective, w)
        excess = objective.value(w) - best.value
        gradient = objective.value_and_gradient(w)[1]
        for gap in [objective.gradient_gap(w, gradient), objective.duality_gap(w)]:
            if not np.isnan(gap):
                found += 1
                assert gap >= excess * (1 - 1e-3) - 1e-12 * abs(best.value)
    assert found > 0 or kind is NoPenalty


@pytest.mark.parametrize("kind", [k for k in PENALTIES if k is not NoPenalty])
def test_gaps_bound_the_suboptimality_of_coupled_outputs(kind, rng):
    objective = make_objective(
        make_loss("multinomial"), make_penalty(kind), Variant(intercept=False)
    )
    best = minimise(objective)
    for distance in [1.0, 0.1, 1e-3]:
        w = best.w + distance * np.abs(rng.normal(size=len(best.w)))
        excess = objective.value(w) - best.value
        gradient = objective.value_and_gradient(w)[1]
        gaps = objective.gradient_gap(w, gradient), objective.duality_gap(w)
        assert np.nanmin(gaps) >= excess * (1 - 1e-3)


@pytest.mark.parametrize("kind", [k for k in PENALTIES if k is not NoPenalty])
@pytest.mark.parametrize("loss_name", SMOOTH)
def test_duality_gap_closes_at_the_optimum(loss_name, kind):
    objective = make_objective(make_loss(loss_name), make_penalty(kind), Variant())
    best = minimise(objective)
    assert abs(objective.duality_gap(best.w)) <= 1e-6 * abs(best.value)


def test_the_gradient_gap_is_exact_where_the_penalty_has_all_the_curvature(rng):
    X, y = 1e-4 * rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    objective = Objective(LinearModel(3, 1, False), SquaredError(), L2(2.0), X, y)
    w = rng.normal(size=3)
    excess = objective.value(w) - minimise(objective).value
    gap = objective.gradient_gap(w, objective.value_and_gradient(w)[1])
    assert gap == pytest.approx(excess, rel=1e-5)


def test_gaps_are_nan_without_a_bound():
    objective = make_objective(Poisson(), NoPenalty(), Variant())
    w = objective.start()
    assert np.isnan(objective.gradient_gap(w, objective.value_and_gradient(w)[1]))
    assert np.isnan(objective.duality_gap(w))
    kinked = make_objective(make_loss("hinge"), L2(), Variant())
    assert np.isnan(kinked.gradient_gap(kinked.start(), kinked.start()))


# Facts


@every_loss
@every_penalty
def test_offers_tell_the_truth(loss_name, kind):
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    offers = make_objective(loss, penalty, Variant()).offers
    assert (Capability.SMOOTH_LOSS in offers) == loss.smooth
    assert (Capability.SMOOTH_PENALTY in offers) == penalty.smooth
    assert (Capability.LOSS_PROX in offers) == loss.has_prox
    assert (Capability.HINGES in offers) <= loss.piecewise_linear


@every_penalty
@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize(
    "loss_name", [n for n in LINEAR_LOSSES if LINEAR_LOSSES[n].piecewise_linear]
)
def test_hinges_add_up_to_the_objective(loss_name, weights, kind, rng):
    variant = Variant(weights=weights, n_outputs=2)
    objective = make_objective(make_loss(loss_name), make_penalty(kind), variant)
    if Capability.HINGES not in objective.offers:
        return
    for moved in [objective, objective.decorrelated()]:
        w, form = moved.from_user(draw_w(moved, rng)), moved.hinge_form()
        z = form.forward(w)
        assert form.value(w, z) == pytest.approx(moved.value(w), rel=arithmetic(float))
        theta, v = rng.normal(size=z.shape), rng.normal(size=w.shape)
        assert form.backward(theta) @ v == pytest.approx(theta @ form.forward(v))
        # The Hessian of sum_j theta_j^2 z_j^2 / 2 + ridge |coef|^2 / 2 along v.
        size = moved.block_size
        product = np.matmul(form.hessian(theta**2), v.reshape(-1, size)[:, :, None]).ravel()
        expected = form.backward(theta**2 * form.forward(v)) + form.ridge_gradient(v)
        np.testing.assert_allclose(product, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("loss_name", [n for n in LINEAR_LOSSES if LINEAR_LOSSES[n].has_prox])
def test_smoothed_objective_is_a_lower_bound_that_tightens(loss_name, rng):
    objective = make_objective(make_loss(loss_name), L2(0.1), Variant(weights="rows"))
    w = draw_w(objective, rng)
    zero = np.zeros((objective.n_samples, 1))
    values = [objective.smoothed(width, zero).value(w) for width in [1.0, 0.1, 1e-3, 1e-9]]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(objective.value(w), rel=1e-6)
    assert values[-1] <= objective.value(w) * (1 + 1e-12)


def test_total_weight_sets_the_scale(rng):
    X, y = rng.normal(size=(20, 2)), rng.choice([0.0, 1.0], (20, 1))
    weight = rng.random((20, 1))
    model = LinearModel(2, 1, False)
    plain = Objective(model, Logistic(), NoPenalty(), X, y, weight)
    double = Objective(model, Logistic(), NoPenalty(), X, y, weight, total_weight=2 * weight.sum())
    w = rng.normal(size=2)
    assert double.value(double.from_user(w)) == pytest.approx(0.5 * plain.value(plain.from_user(w)))


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_zero_coefficients_predict_the_intercepts(layout):
    # Too large to be standardised explicitly: products with zeros are not made at all.
    variant = Variant(layout, dtype="float32", n_outputs=2)
    objective = make_objective(SquaredError(), L1(0.1), variant, n_samples=1000, n_features=600)
    w = np.zeros(objective.n_params, dtype=np.float32)
    w[[600, 1201]] = 2.0, -3.0
    raw = objective.multipliers(w) - objective.multipliers(np.zeros_like(w))
    np.testing.assert_allclose(raw, np.tile([2.0, -3.0], (1000, 1)), rtol=arithmetic("float32"))
    assert raw.dtype == np.float32
    value, _ = objective.value_and_gradient(w)
    w[0] = 1e-30
    np.testing.assert_allclose(objective.value_and_gradient(w)[0], value, arithmetic("float32"))
