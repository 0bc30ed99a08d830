"""Forward and backward passes of networks against finite differences, and what they must leave."""

import numpy as np
import pytest
from scipy import sparse
from tolerances import ARITHMETIC, FINITE_DIFFERENCE

from skgrad.models.network import (
    ACTIVATIONS,
    NORMALIZATIONS,
    Network,
    Role,
    get_activation,
    get_normalization,
)

N_ROWS, N_FEATURES = 7, 4


def build(activation="tanh", hidden=(5, 5), n_outputs=3, **options):
    activations = tuple(get_activation(activation) for _ in hidden)
    return Network((N_FEATURES, *hidden, n_outputs), activations, **options)


def random_problem(network, seed=0):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=network.n_params)
    X = rng.normal(size=(N_ROWS, N_FEATURES))
    direction = rng.normal(size=(network.n_outputs, N_ROWS))
    return w, X, direction


def scalar(network, w, X, direction, **options):
    """A linear function of the raw predictions: its gradient is one backward pass."""
    ws = network.workspace(len(X), w.dtype)
    raw = network.forward(network.layout.parameters(w), X, ws, **options)
    return float((raw * direction).sum()), ws


def gradient_of(network, w, X, direction, **options):
    _, ws = scalar(network, w, X, direction, **options)
    gradient = np.full_like(w, np.nan)
    parameters, into = network.layout.parameters(w), network.layout.parameters(gradient)
    network.backward(parameters, ws, direction.astype(w.dtype), into)
    return gradient


def central_difference(function, point, step=1e-5):
    difference = np.empty(point.size)
    for k in range(point.size):
        moved = point.copy()
        moved.ravel()[k] += step
        above = function(moved)
        moved.ravel()[k] -= 2 * step
        difference[k] = (above - function(moved)) / (2 * step)
    return difference.reshape(point.shape)


CASES = {
    **{name: {"activation": name} for name in ACTIVATIONS},
    **{f"{name} norm": {"normalization": get_normalization(name)} for name in NORMALIZATIONS},
    "residual": {"residual": True, "hidden": (5, 5, 5)},
    "input scale": {"input_scale": True},
    "no hidden layer": {"hidden": ()},
    "all at once": {
        "activation": "gelu", "hidden": (6, 6), "normalization": get_normalization("layer"),
        "residual": True, "input_scale": True,
    },
}  # fmt: skip
every_case = pytest.mark.parametrize("options", CASES.values(), ids=CASES)


@every_case
def test_gradient_is_that_of_finite_differences(options):
    network = build(**options)
    w, X, direction = random_problem(network)
    expected = central_difference(lambda v: scalar(network, v, X, direction)[0], w)
    found = gradient_of(network, w, X, direction)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=FINITE_DIFFERENCE * scale)


@every_case
def test_input_gradient_is_that_of_finite_differences(options):
    network = build(**options)
    w, X, direction = random_problem(network)
    expected = central_difference(lambda Z: scalar(network, w, Z, direction)[0], X)
    _, ws = scalar(network, w, X, direction)
    found = network.backward_input(network.layout.parameters(w), ws, direction)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=FINITE_DIFFERENCE * np.abs(expected).max()
    )


def test_gradient_with_units_left_out_is_that_of_the_thinned_network():
    network = build(dropout=0.4, residual=True)
    w, X, direction = random_problem(network)

    def thinned(v):
        return scalar(network, v, X, direction, rng=np.random.default_rng(1))[0]

    found = gradient_of(network, w, X, direction, rng=np.random.default_rng(1))
    expected = central_difference(thinned, w)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=FINITE_DIFFERENCE * np.abs(expected).max()
    )
    assert thinned(w) != scalar(network, w, X, direction)[0]


def test_dropout_keeps_the_expectation_of_a_linear_network():
    network = Network((N_FEATURES, 30, 1), (get_activation("identity"),), dropout=0.3)
    w, X, _ = random_problem(network)
    rng, direction = np.random.default_rng(2), np.ones((1, N_ROWS))
    draws = [scalar(network, w, X, direction, rng=rng)[0] for _ in range(4000)]
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - scalar(network, w, X, direction)[0]) < 4 * error


def test_sparse_rows_are_as_dense_ones():
    network = build()
    w, X, direction = random_problem(network)
    X[X < 0.3] = 0.0
    S = sparse.csr_array(X)
    assert scalar(network, w, X, direction)[0] == pytest.approx(
        sparse_scalar(network, w, S, direction)
    )
    _, ws = scalar(network, w, X, direction)
    dense = gradient_of(network, w, X, direction)
    ws = network.workspace(N_ROWS, w.dtype)
    network.forward(network.layout.parameters(w), S, ws)
    gradient = np.empty_like(w)
    parameters = network.layout.parameters(w)
    network.backward(parameters, ws, direction, network.layout.parameters(gradient))
    np.testing.assert_allclose(gradient, dense, rtol=ARITHMETIC["float64"])


def sparse_scalar(network, w, S, direction):
    ws = network.workspace(S.shape[0], w.dtype)
    return float((network.forward(network.layout.parameters(w), S, ws) * direction).sum())


def test_given_moments_replace_those_of_the_batch():
    network = build(normalization=get_normalization("batch"))
    w, X, direction = random_problem(network)
    value, ws = scalar(network, w, X, direction)
    moments = [hidden.moments for hidden in ws.hidden]
    rows = [scalar(network, w, X[i : i + 1], direction[:, i : i + 1], moments=moments)[0]
            for i in range(N_ROWS)]  # fmt: skip
    assert sum(rows) == pytest.approx(value, rel=ARITHMETIC["float64"])


def test_layout_covers_every_parameter_once():
    network = build(normalization=get_normalization("layer"), input_scale=True)
    covered = np.zeros(network.n_params, dtype=int)
    for group in network.layout.groups:
        covered[group.where] += 1
    assert (covered == 1).all()
    weights = sum(np.prod(group.shape) for group in network.layout.of_role(Role.WEIGHTS))
    assert weights == N_FEATURES * 5 + 5 * 5 + 5 * 3


def test_second_pass_through_a_workspace_forgets_the_first():
    network = build(normalization=get_normalization("batch"), dropout=0.2, residual=True)
    w, X, direction = random_problem(network)
    parameters = network.layout.parameters(w)
    ws = network.workspace(N_ROWS, w.dtype)
    network.forward(parameters, 5.0 * X, ws, rng=np.random.default_rng(0))
    network.backward(parameters, ws, direction, network.layout.parameters(np.empty_like(w)))
    gradient = np.empty_like(w)
    network.forward(parameters, X, ws)
    network.backward(parameters, ws, direction, network.layout.parameters(gradient))
    np.testing.assert_array_equal(gradient, gradient_of(network, w, X, direction))
