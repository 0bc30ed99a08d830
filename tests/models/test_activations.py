"""Every activation of the registry, against its definition and by finite differences."""

import inspect
import math
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from tolerances import FINITE_DIFFERENCE, arithmetic

from skgrad.models.network import activations
from skgrad.models.network.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    SELU,
    Activation,
    LeakyReLU,
    get_activation,
)
from skgrad.models.network.initializers import INITIALIZERS

# Hyper-parameters away from their defaults, as NumPy scalars as a grid of values gives them: they
# must not turn float32 into float64.
VARIANTS = [
    *[activation() for activation in ACTIVATIONS.values()],
    LeakyReLU(np.float64(0.3)),
    ELU(np.float64(0.7)),
    ELU(np.float64(1.6)),
]
every_activation = pytest.mark.parametrize("activation", VARIANTS, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def sigma(z):
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def softplus(z):
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def definition(activation, z):
    """f(z) of one number, from the textbook."""
    alpha = getattr(activation, "alpha", 1.0)
    return {
        "identity": lambda: z,
        "logistic": lambda: sigma(z),
        "tanh": lambda: math.tanh(z),
        "relu": lambda: max(z, 0.0),
        "leaky_relu": lambda: z if z > 0 else activation.slope * z,
        "elu": lambda: z if z > 0 else alpha * math.expm1(z),
        "selu": lambda: 1.05070098735548 * (z if z > 0 else 1.67326324235438 * math.expm1(z)),
        "gelu": lambda: 0.5 * z * math.erfc(-z / math.sqrt(2)),
        "silu": lambda: z * sigma(z),
        "mish": lambda: z * math.tanh(softplus(z)),
        "softplus": lambda: softplus(z),
    }[activation.name]()


def draw(dtype=np.float64, shape=(6, 50)):
    return (3.0 * np.random.default_rng(0).normal(size=shape)).astype(dtype)


def evaluate(activation, z):
    """The pair (z, a) that derivatives are given; where z is not needed it is a itself."""
    a = np.full_like(z, np.nan)
    activation.value(z, a)
    return (z, a) if activation.needs_input else (a, a)


def difference(function, z, h=1e-5):
    return (function(z + h) - function(z - h)) / (2 * h)


def value(activation, z):
    return evaluate(activation, z)[1]


def assert_close(actual, expected, dtype):
    tolerance = arithmetic(dtype)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@every_dtype
@every_activation
def test_value_is_the_textbooks(activation, dtype):
    z = draw(dtype)
    z[0, :5] = [0.0, 1e3, -1e3, 50.0, -50.0]
    expected = [[definition(activation, float(entry)) for entry in row] for row in z]
    assert_close(value(activation, z), expected, dtype)


@every_activation
def test_derivatives_by_finite_differences(activation):
    z = draw()
    z = z[np.abs(z) > 1e-3][None]
    tolerance = {"rtol": FINITE_DIFFERENCE, "atol": FINITE_DIFFERENCE}
    first = activation.derivative(*evaluate(activation, z))
    np.testing.assert_allclose(first, difference(lambda z: value(activation, z), z), **tolerance)
    second = activation.second_derivative(*evaluate(activation, z))
    expected = difference(lambda z: activation.derivative(*evaluate(activation, z)), z)
    np.testing.assert_allclose(second, expected, **tolerance)


@every_activation
def test_derivative_at_zero_is_the_one_from_the_left(activation):
    zero, left = np.zeros((1, 1)), np.full((1, 1), -1e-12)
    at_zero = activation.derivative(*evaluate(activation, zero))
    np.testing.assert_allclose(at_zero, activation.derivative(*evaluate(activation, left)))


@every_dtype
@every_activation
@pytest.mark.parametrize("n_samples", [1, 7, 50])
def test_pull_back_multiplies_by_the_derivative(activation, dtype, n_samples):
    z, a = evaluate(activation, draw(dtype, (6, n_samples)))
    z[0, 0] = a[0, 0] = 0.0
    kept = z.copy(), a.copy()
    delta = draw(dtype, a.shape)[::-1].copy()
    expected = delta * activation.derivative(z, a)
    activation.pull_back(z, a, delta, np.full_like(a, np.nan))
    assert_close(delta, expected, dtype)
    np.testing.assert_array_equal(z, kept[0])
    np.testing.assert_array_equal(a, kept[1])


@every_dtype
@every_activation
def test_in_place_is_out_of_place(activation, dtype):
    z = draw(dtype)
    kept, out = z.copy(), np.full_like(z, np.nan)
    activation.value(z, out)
    np.testing.assert_array_equal(z, kept)
    activation.value(z, z)
    np.testing.assert_array_equal(z, out)
    again = kept.copy()
    activation.value(again, again[:])  # the same memory as another object
    np.testing.assert_array_equal(again, out)


@every_dtype
@every_activation
def test_dtype_is_kept(activation, dtype):
    z, a = evaluate(activation, draw(dtype))
    results = [activation.derivative(z, a), activation.second_derivative(z, a)]
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    assert all(result.flags.owndata and result is not a for result in results)


@every_dtype
@every_activation
def test_extremes_are_silent_and_have_their_limits(activation, dtype):
    z = np.array([[-1e3, -100.0, -90.0, 0.0, 80.0, 100.0, 1e3]], dtype=dtype)
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        z, a = evaluate(activation, z)
        delta = np.ones_like(a)
        activation.pull_back(z, a, delta, np.empty_like(a))
        second = activation.second_derivative(z, a)
    ends = np.array([-1e3, 1e3])
    slope = difference(lambda t: np.array([definition(activation, x) for x in t]), ends, h=0.5)
    assert_close(delta[0, [0, -1]], slope, dtype)
    assert_close(second[0, [0, -1]], 0.0, dtype)
    assert np.isfinite(second).all()


def test_gelu_in_float32_is_exact_to_rounding():
    z = np.concatenate([np.linspace(-9, 9, 20_001), [-1e3, 1e3]]).astype(np.float32)[None]
    exact = value(GELU(), z.astype(float))
    unit = np.finfo(np.float32).eps * np.maximum(np.abs(z), 1.0)
    assert (np.abs(value(GELU(), z) - exact) <= 2 * unit).all()


def test_selu_keeps_mean_zero_and_variance_one():
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    a = value(SELU(), nodes[None])[0]
    weights = weights / weights.sum()
    assert weights @ a == pytest.approx(0.0, abs=1e-3)
    assert weights @ a**2 == pytest.approx(1.0, abs=1e-3)


# Names and hyper-parameters


def test_registry_holds_every_activation():
    exported = filter(inspect.isclass, (getattr(activations, name) for name in activations.__all__))
    assert set(exported) - {Activation} == set(ACTIVATIONS.values())
    assert all(name == ACTIVATIONS[name].name for name in ACTIVATIONS)
    assert {activation.initializer for activation in VARIANTS} <= set(INITIALIZERS)


@every_activation
def test_clone_and_get_activation(activation):
    assert repr(clone(activation)) == repr(activation)
    assert get_activation(activation) is activation
    assert type(get_activation(activation.name)) is type(activation)


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [(LeakyReLU(-0.1), "slope"), (LeakyReLU(1.1), "slope"), (ELU(0.0), "alpha")],
)
def test_validation(wrong, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {type(wrong).__name__}"):
        get_activation(wrong)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"activation 'rellu'\. Did you mean 'relu'\?.*softplus"):
        get_activation("rellu")
