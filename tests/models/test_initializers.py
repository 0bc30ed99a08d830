"""Every initialiser of the registry."""

import inspect
from math import sqrt

import numpy as np
import pytest
from sklearn.base import clone
from tolerances import arithmetic

from skgrad.models.network import initializers
from skgrad.models.network.initializers import (
    INITIALIZERS,
    NTK,
    DataDriven,
    Glorot,
    He,
    Initializer,
    LeCun,
    Orthogonal,
    Zeros,
    get_initializer,
)

every_initializer = pytest.mark.parametrize(
    "initializer", [kind() for kind in INITIALIZERS.values()], ids=repr
)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
N_OUT, N_IN = 300, 500


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (Glorot("uniform"), 2 / (N_IN + N_OUT)),
        (Glorot("normal"), 2 / (N_IN + N_OUT)),
        (He("uniform"), 2 / N_IN),
        (He("normal"), 2 / N_IN),
        (LeCun("uniform"), 1 / N_IN),
        (LeCun("normal"), 1 / N_IN),
        (NTK("uniform"), 1 / N_IN),
        (NTK("normal"), 1 / N_IN),
        (Orthogonal(gain=1.5), 1.5**2 / N_IN),
        (DataDriven(), 1 / N_IN),
    ],
    ids=repr,
)
def test_moments_of_the_weights(initializer, variance, rng):
    weights = initializer.weights(N_OUT, N_IN, rng, np.float64)
    # Five standard errors of a mean, and of a variance of normal numbers.
    assert abs(weights.mean()) < 5 * sqrt(variance / weights.size)
    assert abs(weights.var() / variance - 1) < 5 * sqrt(2 / weights.size)
    if getattr(initializer, "distribution", None) == "uniform":
        assert sqrt(3 * variance) * 0.999 < np.abs(weights).max() <= sqrt(3 * variance)
    else:
        assert np.abs(weights).max() > 3.5 * sqrt(variance)


def test_defaults():
    assert {name: kind().get_params() for name, kind in INITIALIZERS.items()} == {
        "glorot": {"distribution": "uniform"},
        "he": {"distribution": "normal"},
        "lecun": {"distribution": "normal"},
        "ntk": {"distribution": "normal"},
        "zeros": {},
        "orthogonal": {"gain": 1.0},
        "data_driven": {},
    }


@every_dtype
@every_initializer
def test_shape_dtype_seed_and_biases(initializer, dtype):
    def draw(dtype, seed):
        rng = np.random.default_rng(seed)
        return initializer.weights(3, 5, rng, dtype), initializer.biases(3, 5, rng, dtype)

    weights, biases = draw(dtype, 0)
    assert (weights.shape, weights.dtype, biases.dtype) == ((3, 5), dtype, dtype)
    assert weights.flags.c_contiguous
    assert (biases == 0.0).all() or isinstance(initializer, NTK)
    np.testing.assert_allclose(weights, draw(np.float64, 0)[0], rtol=arithmetic(dtype))
    assert not np.allclose(weights, draw(dtype, 1)[0]) or isinstance(initializer, Zeros)


def test_biases_of_the_tangent_kernel_vary(rng):
    biases = NTK().biases(5000, 3, rng, np.float64)
    assert abs(biases.mean()) < 5 / sqrt(5000)
    assert abs(biases.var() - 1.0) < 5 * sqrt(2 / 5000)


@pytest.mark.parametrize("shape", [(8, 3), (3, 8), (5, 5), (1, 4)])
def test_orthogonal_has_equal_singular_values(shape, rng):
    weights = Orthogonal(gain=np.float64(1.7)).weights(*shape, rng, np.float64)
    values = np.linalg.svd(weights, compute_uv=False)
    np.testing.assert_allclose(values, 1.7, rtol=arithmetic(float))


def test_orthogonal_is_uniform(rng):
    """The trace of a uniform orthogonal matrix has mean 0 and variance 1; QR alone has not."""
    traces = [np.trace(Orthogonal().weights(3, 3, rng, np.float64)) for _ in range(2000)]
    assert abs(np.mean(traces)) < 5 / sqrt(2000)
    assert abs(np.var(traces) - 1) < 0.2


@every_dtype
def test_data_driven_pre_activations_are_standard(dtype, rng):
    inputs = (rng.normal(size=(4, 200)) * np.logspace(-2, 2, 4)[:, None] + 30.0).astype(dtype)
    weights = DataDriven().weights(6, 4, rng, dtype)
    biases = np.full(6, np.nan, dtype)
    before = weights.copy()
    DataDriven().rescale(weights, biases, weights @ inputs)
    z = weights @ inputs + biases[:, None]
    tolerance = 100 * arithmetic(dtype)  # the mean cancels
    np.testing.assert_allclose(z.mean(axis=1), 0.0, atol=tolerance)
    np.testing.assert_allclose(z.var(axis=1), 1.0, rtol=tolerance)
    ratio = weights / before
    np.testing.assert_allclose(ratio, ratio[:, :1] * np.ones(4), rtol=arithmetic(dtype))
    assert weights.dtype == biases.dtype == dtype


@every_dtype
def test_units_constant_on_the_data_keep_their_weights(dtype, rng):
    inputs = np.full((4, 9), 0.1, dtype=dtype)
    weights = DataDriven().weights(5, 4, rng, dtype)
    before, biases = weights.copy(), np.zeros(5, dtype)
    DataDriven().rescale(weights, biases, weights @ inputs)
    np.testing.assert_array_equal(weights, before)
    np.testing.assert_allclose(biases, -(before @ inputs)[:, 0], rtol=arithmetic(dtype))


def test_only_data_driven_uses_data(rng):
    assert [name for name in INITIALIZERS if INITIALIZERS[name].uses_data] == ["data_driven"]
    with pytest.raises(NotImplementedError, match="He does not use data"):
        He().rescale(np.ones((1, 1)), np.ones(1), np.ones((1, 3)))


# Names and hyper-parameters


def test_registry_holds_every_initializer():
    exported = filter(
        inspect.isclass, (getattr(initializers, name) for name in initializers.__all__)
    )
    assert set(exported) - {Initializer} == set(INITIALIZERS.values())
    assert all(name == INITIALIZERS[name].name for name in INITIALIZERS)


@every_initializer
def test_clone_and_get_initializer(initializer):
    assert repr(clone(initializer)) == repr(initializer)
    assert get_initializer(initializer) is initializer
    assert type(get_initializer(initializer.name)) is type(initializer)


@pytest.mark.parametrize(
    ("wrong", "parameter"), [(Glorot("cauchy"), "distribution"), (Orthogonal(0.0), "gain")]
)
def test_validation(wrong, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {type(wrong).__name__}"):
        get_initializer(wrong)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"initializer 'glorott'\. Did you mean 'glorot'\?.*lecun"):
        get_initializer("glorott")
