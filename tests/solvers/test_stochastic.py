"""Mini-batch solvers: update formulas, clipping, averaging, batch sizes."""

from itertools import product

import numpy as np
import pytest
from problems import LINEAR_SOLVERS, Variant, make_data, make_objective, minimise

from skgrad.losses import AbsoluteError, Logistic, SquaredError
from skgrad.penalties import L1, L2
from skgrad.schedules import SCHEDULES, Exponential, StepDecay
from skgrad.solvers import (
    SGD,
    SOLVERS,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
    AMSGrad,
    GradientDescent,
    Nadam,
    RMSProp,
)

STOCHASTIC = [name for name in LINEAR_SOLVERS if SOLVERS[name].stochastic]
every_stochastic = pytest.mark.parametrize("name", STOCHASTIC)

G1, G2, RATE = np.array([1.0, -2.0, 0.5]), np.array([-3.0, 1.0, 0.25]), 0.1


def two_updates(solver):
    """Displacements for the gradients G1 and G2."""
    moments = solver.init_moments(np.zeros(3))
    first, _, moments = solver.update(G1, moments, 1, RATE)
    second, step_size, _ = solver.update(G2, moments, 2, RATE)
    return first, second, step_size


def formulas():
    """Yield solver and both displacements, from the papers."""
    yield SGD(), -RATE * G1, -RATE * G2
    yield SGD(momentum=0.8), -RATE * G1, -RATE * (0.8 * G1 + G2)
    # Nesterov's form: 0.8 v + plain, with v the velocity after the update.
    yield (
        SGD(momentum=0.8, nesterov=True),
        -RATE * 1.8 * G1,
        -RATE * (0.8 * (0.8 * G1 + G2) + G2),
    )
    yield (
        AdaGrad(epsilon=0.01),
        *(-RATE * g / (np.sqrt(s) + 0.01) for g, s in [(G1, G1**2), (G2, G1**2 + G2**2)]),
    )
    V1, V2 = 0.3 * G1**2, 0.7 * 0.3 * G1**2 + 0.3 * G2**2
    scaled = [
        G1 / (np.sqrt(V1 / (1 - 0.7)) + 0.01),
        G2 / (np.sqrt(V2 / (1 - 0.7**2)) + 0.01),
    ]
    yield RMSProp(rho=0.7, epsilon=0.01), -RATE * scaled[0], -RATE * scaled[1]
    yield (
        RMSProp(rho=0.7, epsilon=0.01, momentum=0.5),
        -RATE * scaled[0],
        -RATE * (0.5 * scaled[0] + scaled[1]),
    )
    m1, m2 = 0.4 * G1, 0.6 * 0.4 * G1 + 0.4 * G2
    yield (
        Adam(beta_1=0.6, beta_2=0.7, epsilon=0.01),
        -RATE * (m1 / 0.4) / (np.sqrt(V1 / 0.3) + 0.01),
        -RATE * (m2 / (1 - 0.6**2)) / (np.sqrt(V2 / (1 - 0.7**2)) + 0.01),
    )
    largest = np.maximum(V1, V2)
    yield (
        AMSGrad(beta_1=0.6, beta_2=0.7, epsilon=0.01),
        -RATE * (m1 / 0.4) / (np.sqrt(V1 / 0.3) + 0.01),
        -RATE * (m2 / (1 - 0.6**2)) / (np.sqrt(largest / (1 - 0.7**2)) + 0.01),
    )
    u1 = np.abs(G1) + 0.01
    u2 = np.maximum(0.7 * u1, np.abs(G2) + 0.01)
    yield (
        Adamax(beta_1=0.6, beta_2=0.7, epsilon=0.01),
        -RATE * (m1 / 0.4) / u1,
        -RATE * (m2 / (1 - 0.6**2)) / u2,
    )
    mu1, mu2, mu3 = (0.6 * (1 - 0.96 ** (0.3 * t) / 2) for t in (1, 2, 3))
    first = (1 - mu1) / (1 - mu1) * G1 + mu2 / (1 - mu1 * mu2) * m1
    second = (1 - mu2) / (1 - mu1 * mu2) * G2 + mu3 / (1 - mu1 * mu2 * mu3) * m2
    yield (
        Nadam(beta_1=0.6, beta_2=0.7, epsilon=0.01, momentum_decay=0.3),
        -RATE * first / (np.sqrt(V1 / 0.3) + 0.01),
        -RATE * second / (np.sqrt(V2 / (1 - 0.7**2)) + 0.01),
    )
    step1 = np.sqrt(0.01 / (V1 + 0.01)) * G1
    step2 = np.sqrt((0.3 * step1**2 + 0.01) / (V2 + 0.01)) * G2
    yield Adadelta(rho=0.7, epsilon=0.01), -RATE * step1, -RATE * step2


@pytest.mark.parametrize(("solver", "first", "second"), list(formulas()))
def test_two_updates_by_hand(solver, first, second):
    actual = two_updates(solver)
    np.testing.assert_allclose(actual[0], first, rtol=1e-12)
    np.testing.assert_allclose(actual[1], second, rtol=1e-12)


def test_every_stochastic_solver_has_a_formula():
    assert {type(solver).name for solver, *_ in formulas()} == set(STOCHASTIC)


@every_stochastic
def test_an_epoch_is_made_of_updates_and_proximal_steps(name, rng):
    objective = make_objective(SquaredError(), L1(0.05), Variant())
    solver = SOLVERS[name](learning_rate=0.01, batch_size=30, shuffle=False)
    w = objective.start()
    moments = solver.init_moments(w)
    for t, batch in enumerate(objective.batches(30, rng, shuffle=False), 1):
        _, gradient = objective.value_and_gradient(w, batch)
        displacement, step_size, moments = solver.update(gradient, moments, t, 0.01)
        w = objective.prox(w + displacement, step_size)
    assert t == 3
    result = solver.run(objective, objective.start(), max_iter=1, tol=0.0)
    np.testing.assert_allclose(result.w, w, rtol=1e-13, atol=1e-16)


def test_sgd_on_all_rows_is_gradient_descent():
    objective = make_objective(Logistic(), L2(0.1), Variant())
    start, options = objective.start(), {"max_iter": 7, "tol": 0.0}
    expected = GradientDescent(0.1, line_search=None).run(objective, start, **options)
    for batch_size in [80, 1000]:
        sgd = SGD(0.1, batch_size=batch_size).run(objective, start, **options)
        np.testing.assert_allclose(sgd.w, expected.w, rtol=1e-13)


@every_stochastic
def test_one_row_at_a_time(name):
    objective = make_objective(Logistic(), L2(0.1), Variant())
    solver = SOLVERS[name](batch_size=1)
    result = solver.run(objective, objective.start(), max_iter=30)
    assert result.state.t == result.n_iter * objective.n_samples
    best = minimise(objective).value
    assert result.value <= best + 0.1 * (objective.value(objective.start()) - best)


@every_stochastic
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_by_name(name, schedule):
    objective = make_objective(Logistic(), L2(0.1), Variant())
    by_name, by_object = (
        SOLVERS[name](learning_rate=rate).run(objective, objective.start(), max_iter=5)
        for rate in [schedule, SCHEDULES[schedule]()]
    )
    np.testing.assert_array_equal(by_name.w, by_object.w)
    assert by_name.value < objective.value(objective.start())


def test_schedules_count_epochs_and_start_with_the_initial_rate():
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    solver = SGD(StepDecay(0.05, factor=0.5, every=2), batch_size=20)
    result = solver.run(objective, objective.start(), max_iter=6, tol=0.0, n_iter_no_change=100)
    expected = [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]
    np.testing.assert_allclose(result.history["step_size"], expected)


def test_a_schedule_can_start_at_the_automatic_rate():
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    automatic, scheduled = (
        SGD(rate).run(objective, objective.start(), max_iter=1).history["step_size"][0]
        for rate in ["auto", Exponential(decay=1.0)]
    )
    assert scheduled == pytest.approx(automatic)


@every_stochastic
def test_the_seed_decides(name):
    objective = make_objective(Logistic(), L2(0.1), Variant())
    solver = SOLVERS[name](batch_size=8)
    first, same, other = (
        solver.run(objective, objective.start(), max_iter=2, rng=np.random.default_rng(seed)).w
        for seed in [0, 0, 1]
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


# The cost of what comes before and after


@every_stochastic
def test_one_epoch_takes_one_more_pass(name, monkeypatch):
    monkeypatch.setattr("skgrad.coordinates.SPECTRUM_ROWS", 30)
    for layout, rate in product(["dense", "csr"], ["auto", 0.01]):
        data = make_data(Logistic(), Variant(layout), n_samples=3000)
        objective = data.objective(Logistic(), L2(0.1))
        solver = SOLVERS[name](rate, batch_size=100)
        solver.run(objective, objective.start(), max_iter=1, tol=0.0)
        needs_gradient = rate == "auto" and name != "sgd"
        assert objective.passes == pytest.approx(2.0 + needs_gradient, abs=0.05)


def test_a_start_that_fits_most_rows_is_no_divergence(monkeypatch):
    monkeypatch.setattr("skgrad.coordinates.SPECTRUM_ROWS", 100)
    data = make_data(AbsoluteError(), Variant(), n_samples=3000)
    data.y[:] = 0.0
    data.y[7::30] = 1.0
    objective = data.objective(AbsoluteError(), L2(0.1))
    assert objective.rough_value(objective.start()) == 0.0 < objective.value(objective.start())
    result = SGD(0.01).run(objective, objective.start(), max_iter=2, tol=0.0)
    assert 0.0 < result.value < 2.0 * objective.value(objective.start())


# Clipping


def first_gradient(clip):
    """Gradient that one step of length 1 used."""
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    start = objective.start() + 1.0
    solver = SGD(1.0, batch_size=80, clip=clip)
    moved = solver.run(objective, start, max_iter=1, tol=0.0).w
    return start - moved, objective.value_and_gradient(start)[1]


@pytest.mark.parametrize("clip", [0.3, ("norm", 0.3)])
def test_clipping_by_norm_keeps_the_direction(clip):
    used, gradient = first_gradient(clip)
    assert np.linalg.norm(gradient) > 0.3
    np.testing.assert_allclose(used, 0.3 * gradient / np.linalg.norm(gradient), rtol=1e-12)


def test_clipping_by_value():
    used, gradient = first_gradient(("value", 0.2))
    assert np.abs(gradient).max() > 0.2
    np.testing.assert_allclose(used, np.clip(gradient, -0.2, 0.2), rtol=1e-12)


def test_small_gradients_are_not_clipped():
    used, gradient = first_gradient(1e6)
    np.testing.assert_allclose(used, gradient, rtol=1e-12)


@pytest.mark.parametrize("clip", [("length", 1.0), ("norm",), ("value", 0.0), ("norm", "a")])
def test_bad_clips_are_explained(clip):
    with pytest.raises(ValueError, match=r"clip=.* is not understood"):
        first_gradient(clip)


# Averaging


def test_averaging_follows_the_formula():
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    solver, iterates = SGD(0.05, batch_size=80), []
    solver.run(
        objective, objective.start(), max_iter=3, tol=0.0,
        callbacks=[lambda iteration: iterates.append(iteration.w)],
    )  # fmt: skip
    average = objective.start()
    for t, iterate in enumerate(iterates, 1):
        average = average + 9 / (t + 8) * (iterate - average)
    actual = SGD(0.05, batch_size=80, average=True).run(
        objective, objective.start(), max_iter=3, tol=0.0
    )
    np.testing.assert_allclose(actual.w, average, rtol=1e-12)


def test_averaging_removes_the_noise_of_a_constant_rate():
    objective = make_objective(SquaredError(), L2(0.1), Variant())
    rate = 0.5 / objective.smoothness().row
    best = minimise(objective).value
    excess = [
        SGD(rate, batch_size=1, average=average)
        .run(objective, objective.start(), max_iter=100, tol=0.0, n_iter_no_change=1000)
        .value
        - best
        for average in [False, True]
    ]
    assert excess[1] < 0.2 * excess[0]


# The stop rule


@every_stochastic
def test_an_automatic_rate_falls_when_the_loss_does_not(name):
    objective = make_objective(Logistic(), L2(0.1), Variant())
    result = SOLVERS[name]().run(objective, objective.start(), max_iter=200, tol=0.0)
    rates = result.history["step_size"]
    peak = int(rates.argmax())  # it may rise as long as all goes well
    assert (np.diff(rates[: peak + 1]) >= 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] < 0.1 * rates[peak]


@every_stochastic
def test_a_constant_rate_stalls_after_n_iter_no_change(name):
    objective = make_objective(Logistic(), L2(0.1), Variant())
    # Adadelta's rate has no unit: 1 is the paper's.
    solver = SOLVERS[name](learning_rate=1.0 if name == "adadelta" else 0.05)
    runs = [
        solver.run(objective, objective.start(), max_iter=2000, tol=0.0, n_iter_no_change=patience)
        for patience in [2, 20]
    ]
    assert [result.status.name for result in runs] == ["STALLED", "STALLED"]
    assert runs[0].n_iter < runs[1].n_iter
