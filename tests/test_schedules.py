"""Every schedule of the registry."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgrad import MLPRegressor, schedules
from skgrad.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosLog,
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmRestarts,
    get_schedule,
)
from skgrad.solvers import SGD

N_EPOCHS = 20
every_schedule = pytest.mark.parametrize(
    "schedule", [schedule() for schedule in SCHEDULES.values()], ids=list(SCHEDULES)
)


def test_registry_holds_every_schedule():
    exported = filter(inspect.isclass, (getattr(schedules, name) for name in schedules.__all__))
    assert set(exported) - {Schedule} == set(SCHEDULES.values())


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        (Constant(), [0, 7.5, 20, 30], [1, 1, 1, 1]),
        (InverseScaling(power=1.0, offset=5.0), [0, 5, 20], [1, 1 / 2, 1 / 5]),
        (InverseScaling(power=0.5, offset=2.0), [0, 6, 16], [1, 1 / 2, 1 / 3]),
        (StepDecay(factor=0.1, every=8), [0, 7.99, 8, 16, 20], [1, 1, 0.1, 0.01, 0.01]),
        (Exponential(decay=0.9), [0, 0.5, 2, 20], [1, 0.9**0.5, 0.81, 0.9**20]),
        (Cosine(final=0.2), [0, 10, 20, 30], [1, 0.6, 0.2, 0.2]),
        (Cosine(), [5], [(1 + np.sqrt(0.5)) / 2]),
        (
            OneCycle(peak_at=0.25, start=0.1, final=0.01),
            [0, 2.5, 5, 12.5, 20, 30],
            [0.1, 0.55, 1, 0.505, 0.01, 0.01],
        ),
        (WarmRestarts(period=4, growth=2, final=0.2), [0, 2, 4, 8, 12], [1, 0.6, 1, 0.6, 1]),
        (WarmRestarts(period=4, growth=1), [0, 2, 4, 6, 8], [1, 0.5, 1, 0.5, 1]),
        # Waves end at (2^j - 1) / (2^k - 1) of training, and peak between, on a logarithmic scale.
        (CosLog(n_cycles=2), [0, 20 / 3, 20, 30], [0, 0, 0, 0]),
        (CosLog(n_cycles=1), [20 * (np.sqrt(2) - 1)], [1]),
        (ReduceOnPlateau(factor=0.1), [0, 20], [1, 1]),
    ],
    ids=repr,
)
def test_multiplier(schedule, epochs, expected):
    actual = [schedule.multiplier(epoch, N_EPOCHS) for epoch in epochs]
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)


@every_schedule
def test_multiplier_stays_in_the_unit_interval_and_peaks_at_one(schedule):
    multipliers = [schedule.multiplier(epoch, N_EPOCHS) for epoch in np.arange(0, 30, 0.25)]
    # The peaks of a logarithmic wave are at no simple fraction of training.
    assert max(multipliers) == pytest.approx(1.0, abs=1e-3 if type(schedule) is CosLog else 1e-12)
    assert min(multipliers) >= 0
    rates = [schedule.rate(0.3, epoch, N_EPOCHS) for epoch in np.arange(0, 30, 0.25)]
    np.testing.assert_allclose(rates, 0.3 * np.array(multipliers), rtol=1e-14)


@pytest.mark.parametrize(
    "schedule",
    [kind() for kind in SCHEDULES.values() if kind not in (WarmRestarts, CosLog)],
    ids=repr,
)
def test_rate_never_rises_but_before_the_peak(schedule):
    first = 0.3 * N_EPOCHS if isinstance(schedule, OneCycle) else 0.0
    rates = [schedule.rate(1.0, epoch, N_EPOCHS) for epoch in np.linspace(first, 25, 200)]
    assert (np.diff(rates) <= 1e-15).all()
    rise = [schedule.rate(1.0, epoch, N_EPOCHS) for epoch in np.linspace(0, first, 50)]
    assert (np.diff(rise) >= 0).all()


@every_schedule
def test_rate_does_not_depend_on_batch_size(schedule):
    """After each epoch the rate is the same, however many updates the epoch had."""
    at_epoch_ends = []
    for updates_per_epoch in (1, 4, 32):
        updates = np.arange(N_EPOCHS * updates_per_epoch + 1)
        rates = [schedule.rate(0.1, t / updates_per_epoch, N_EPOCHS) for t in updates]
        at_epoch_ends.append(rates[::updates_per_epoch])
    np.testing.assert_array_equal(at_epoch_ends[1], at_epoch_ends[0])
    np.testing.assert_array_equal(at_epoch_ends[2], at_epoch_ends[0])


@pytest.mark.parametrize(
    "schedule", [kind() for kind in SCHEDULES.values() if kind is not CosLog], ids=repr
)
def test_warmup_rises_linearly_then_the_schedule_starts(schedule):
    warm = clone(schedule).set_params(warmup=5)
    start = schedule.multiplier(0, N_EPOCHS - 5)
    rising = [warm.rate(0.1, epoch, N_EPOCHS) for epoch in np.linspace(0, 4.999, 50)]
    assert rising[0] == pytest.approx(0.1 * 0.1 * start)
    np.testing.assert_allclose(np.diff(rising, 2), 0.0, atol=1e-15)
    assert rising[-1] < warm.rate(0.1, 5, N_EPOCHS) == pytest.approx(0.1 * start)
    for epoch in (5, 7.5, N_EPOCHS):
        expected = schedule.rate(0.1, epoch - 5, N_EPOCHS - 5)
        assert warm.rate(0.1, epoch, N_EPOCHS) == pytest.approx(expected)


@every_schedule
@pytest.mark.parametrize("warmup", [0, 3, 50])
def test_rate_is_a_finite_float_at_any_time(schedule, warmup):
    warm = clone(schedule).set_params(warmup=warmup)
    for n_epochs in (1, 3, 20):
        for epoch in (0, 0.5, 1, 3, 20, 49.9, 50, 60):
            rate = warm.rate(np.float64(0.1), epoch, n_epochs)
            assert type(rate) is float
            assert 0 <= rate <= 0.1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, Constant(0.25)),
        (1, Constant(1)),
        (np.float32(0.5), Constant(np.float32(0.5))),
        ("auto", Constant("auto")),
        ("inverse_scaling", InverseScaling()),
        ("one_cycle", OneCycle()),
    ],
)
def test_get_schedule(value, expected):
    schedule = get_schedule(value)
    assert type(schedule) is type(expected)
    assert schedule.get_params() == expected.get_params()


def test_default_parameters():
    common = {"initial": "auto", "warmup": 0}
    assert {name: schedule().get_params() for name, schedule in SCHEDULES.items()} == {
        "constant": common,
        "inverse_scaling": common | {"power": 0.5, "offset": 1.0},
        "step_decay": common | {"factor": 0.5, "every": 10},
        "exponential": common | {"decay": 0.95},
        "cosine": common | {"final": 0.0},
        "one_cycle": common | {"peak_at": 0.3, "start": 0.04, "final": 1e-4},
        "warm_restarts": common | {"period": 10, "growth": 2.0, "final": 0.0},
        "coslog": common | {"n_cycles": 4},
        "reduce_on_plateau": common | {"factor": 0.5, "patience": 5},
    }


@every_schedule
def test_clone_and_get_schedule(schedule):
    schedule = clone(schedule).set_params(initial=0.5, warmup=2)
    assert clone(schedule).get_params() == schedule.get_params()
    assert get_schedule(schedule) is schedule
    assert schedule.initial == 0.5


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'cosine'") as error:
        get_schedule("cosin")
    assert all(name in str(error.value) for name in ["'auto'", *SCHEDULES])
    for wrong in (None, True, [0.1]):
        with pytest.raises(ValueError, match="Unknown learning rate schedule"):
            get_schedule(wrong)


@pytest.mark.parametrize(
    ("schedule", "parameter"),
    [
        (-0.1, "initial"),
        (Constant("automatic"), "initial"),
        (Constant(warmup=-1), "warmup"),
        (InverseScaling(power=0), "power"),
        (InverseScaling(offset=0), "offset"),
        (StepDecay(factor=1.5), "factor"),
        (StepDecay(every=0), "every"),
        (Exponential(decay=0), "decay"),
        (Cosine(final=-0.1), "final"),
        (WarmRestarts(growth=0.5), "growth"),
        (CosLog(n_cycles=0), "n_cycles"),
        (ReduceOnPlateau(patience=0), "patience"),
        (OneCycle(peak_at=1.0), "peak_at"),
        (OneCycle(start=0.0), "start"),
        (OneCycle(final=2.0), "final"),
        (OneCycle(warmup="long"), "warmup"),
    ],
    ids=repr,
)
def test_validation(schedule, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of"):
        get_schedule(schedule)


def test_plateau_lowers_the_rate_of_a_solver():
    """A loss that cannot fall: after every two epochs the rate is a tenth."""
    X, y = np.ones((8, 1)), np.zeros(8)
    solver = SGD(ReduceOnPlateau(0.1, factor=0.1, patience=2), batch_size=8)
    reg = MLPRegressor((2,), solver=solver, alpha=0.0, output_init="zeros", max_iter=7,
                       n_iter_no_change=np.inf, tol=0.0, random_state=0)  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        rates = reg.fit(X, y).history_["step_size"]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-12)
