"""Losses in compiled loops: the formulas of the losses' own classes."""

import numpy as np
import pytest
from problems import LINEAR_LOSSES, make_loss

from skgrad._kernels.losses import weighted_slopes

RAW = np.array([-1e3, -30.0, -1.0, -0.3, 0.0, 0.3, 0.7, 1.0, 1.3, 30.0, 700.0])
TARGETS = {
    "binary01": [0.0, 1.0, 0.4],
    "sign": [-1.0, 1.0],
    "continuous": [0.0, 0.3, 1.0, 4.0],
}


def cases(loss):
    """All pairs of target and raw prediction, kinks included; one row each."""
    if loss.coupled:
        raw = np.stack([RAW, RAW[::-1], np.zeros_like(RAW)], axis=1)
        return np.repeat(np.arange(3), len(raw)), np.tile(raw, (3, 1))
    y, raw = np.meshgrid(TARGETS[loss.target], RAW)
    return y.reshape(-1, 1), raw.reshape(-1, 1)


@pytest.mark.parametrize("weights", ["none", "rows", "outputs"])
@pytest.mark.parametrize("name", LINEAR_LOSSES)
def test_values_and_slopes(name, weights, rng):
    loss = make_loss(name)
    y, raw = cases(loss)
    value, gradient = loss.value(y, raw), loss.gradient(y, raw)
    n_outputs = {"none": 0, "rows": 1, "outputs": value.shape[1]}[weights]
    weight, share = rng.uniform(0.5, 2.0, size=(len(raw), n_outputs)), 0.25
    factor = weight if n_outputs else share
    slopes, values = raw.copy(), np.empty(len(raw))
    targets = y.reshape(len(y), -1).astype(float)
    for i in range(len(raw)):
        formula, parameter = int(loss.formula.formula), float(loss.formula.parameter)
        values[i] = weighted_slopes(formula, parameter, targets, weight, share, i, slopes[i])
    np.testing.assert_allclose(slopes, factor * gradient, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(values, (factor * value).sum(axis=1), rtol=1e-13, atol=1e-15)


def test_several_outputs_are_weighted_one_by_one(rng):
    loss = make_loss("huber")
    y, raw, weight = rng.normal(size=(3, 5, 3))
    values, slopes = weight * loss.value(y, raw), weight * loss.gradient(y, raw)
    formula, parameter = int(loss.formula.formula), loss.formula.parameter
    found = [weighted_slopes(formula, parameter, y, weight, 1.0, i, raw[i]) for i in range(5)]
    np.testing.assert_allclose(raw, slopes, rtol=1e-13)
    np.testing.assert_allclose(found, values.sum(axis=1), rtol=1e-13)
