"""The objective of a network: weights, batches, blocks, penalties, threads."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits
from tolerances import ARITHMETIC, FINITE_DIFFERENCE

from skgrad._threads import single_threaded_blas
from skgrad.losses import CrossEntropy, Huber, Logistic, Multinomial, Poisson, SquaredError
from skgrad.models.network import Network, get_activation, get_normalization
from skgrad.network_objective import NetworkObjective
from skgrad.penalties import L1, L2, ElasticNet, NoPenalty

N, P = 60, 5


def build(loss=None, n_outputs=1, penalty=None, *, weight=None, X=None, y=None, hidden=(6, 4),
          network_options=None, **options):  # fmt: skip
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) if X is None else X
    y = rng.normal(size=(X.shape[0], n_outputs)) if y is None else y
    activations = tuple(get_activation("tanh") for _ in hidden)
    network = Network((X.shape[1], *hidden, n_outputs), activations, **(network_options or {}))
    return NetworkObjective(
        network, loss or SquaredError(), penalty or NoPenalty(), X, y, weight, **options
    )


def parameters(objective, seed=1):
    return np.random.default_rng(seed).normal(size=objective.n_params).astype(objective.dtype)


def targets(loss, n_outputs):
    rng = np.random.default_rng(3)
    if isinstance(loss, Multinomial):
        return rng.integers(n_outputs, size=N)
    if isinstance(loss, CrossEntropy):
        return rng.dirichlet(np.ones(n_outputs), size=N)
    if isinstance(loss, Logistic):
        return rng.integers(2, size=(N, n_outputs)).astype(float)
    if isinstance(loss, Poisson):
        return rng.poisson(2.0, size=(N, n_outputs)).astype(float)
    return rng.normal(size=(N, n_outputs))


@pytest.mark.parametrize(
    "loss",
    [SquaredError(), Huber(), Logistic(), Multinomial(), CrossEntropy(), Poisson()],
    ids=repr,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_that_of_finite_differences(loss, weighted):
    weight = np.random.default_rng(2).uniform(0.1, 3.0, size=(N, 1)) if weighted else None
    objective = build(loss, 3, L2(0.1), weight=weight, y=targets(loss, 3))
    w = 0.5 * parameters(objective)
    value, gradient = objective.value_and_gradient(w)
    assert value == pytest.approx(objective.value(w), rel=ARITHMETIC["float64"])
    direction = np.random.default_rng(4).normal(size=w.size)
    step = 1e-5
    difference = (objective.value(w + step * direction) - objective.value(w - step * direction)) / (
        2 * step
    )
    assert gradient @ direction == pytest.approx(difference, rel=10 * FINITE_DIFFERENCE)


@pytest.mark.parametrize("batch_size", [1, 7, 20, N])
def test_batches_add_up_to_the_whole(batch_size):
    weight = np.random.default_rng(2).uniform(0.1, 3.0, size=(N, 1))
    objective = build(weight=weight)
    w, rng = parameters(objective), np.random.default_rng(0)
    total, mean_gradient, n_rows = 0.0, np.zeros(objective.n_params), 0
    for batch in objective.batches(batch_size, rng, shuffle=True):
        value, gradient = objective.loss_and_gradient(w, batch)
        share = objective.share_of(batch)
        total += share * value
        mean_gradient += share * gradient
        n_rows += len(batch.y)
    value, gradient = objective.value_and_gradient(w)
    assert n_rows == N
    assert total == pytest.approx(value, rel=ARITHMETIC["float64"])
    np.testing.assert_allclose(mean_gradient, gradient, rtol=1e-9, atol=1e-12)


def test_weight_of_three_is_the_row_three_times():
    rng = np.random.default_rng(0)
    X, y, counts = rng.normal(size=(N, P)), rng.normal(size=(N, 1)), rng.integers(1, 4, size=N)
    weighted = build(X=X, y=y, weight=counts[:, None].astype(float))
    repeated = build(X=np.repeat(X, counts, axis=0), y=np.repeat(y, counts, axis=0))
    w = parameters(weighted)
    for one, other in zip(
        weighted.value_and_gradient(w), repeated.value_and_gradient(w), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_sparse_rows_are_as_dense_ones_also_in_batches():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) * (rng.random((N, P)) < 0.3)
    dense, csr = build(X=X), build(X=sparse.csr_array(X))
    w = parameters(dense)
    np.testing.assert_allclose(
        dense.value_and_gradient(w)[1], csr.value_and_gradient(w)[1], rtol=1e-10, atol=1e-14
    )
    pairs = zip(
        dense.batches(8, np.random.default_rng(5), shuffle=True),
        csr.batches(8, np.random.default_rng(5), shuffle=True),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_array_equal(one.X, other.X.toarray())


def test_float32_arithmetic_on_float64_rows():
    single, double = build(dtype=np.float32), build()
    w = parameters(double)
    gradient = single.value_and_gradient(w.astype(np.float32))[1]
    expected = double.value_and_gradient(w)[1]
    assert gradient.dtype == np.float32
    assert np.abs(gradient - expected).max() < ARITHMETIC["float32"] * np.abs(expected).max()


@pytest.mark.parametrize("penalty", [L2(0.3), L1(0.3), ElasticNet(0.3, 0.4)], ids=repr)
def test_penalty_sees_weights_only(penalty):
    objective = build(
        penalty=penalty, network_options={"normalization": get_normalization("layer")}
    )
    w = parameters(objective)
    layers = objective.network.layout.parameters(w).layers
    expected = sum(penalty.value(layer.weights) for layer in layers)
    assert objective.penalty_value(w) == pytest.approx(expected)
    moved = objective.prox(w, 0.5)
    for before, after in zip(
        layers, objective.network.layout.parameters(moved).layers, strict=True
    ):
        np.testing.assert_array_equal(before.biases, after.biases)


def large(**options):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 20))
    return build(X=X, y=X[:, :1] ** 2, hidden=(32, 32), **options)


def test_blocks_and_threads_do_not_change_bits():
    objective = large()
    assert len(objective._blocks()) > 1
    w = parameters(objective)
    with threadpool_limits(1), single_threaded_blas(objective.X):
        value, gradient = objective.value_and_gradient(w)
    with single_threaded_blas(objective.X):
        again_value, again = objective.value_and_gradient(w)
        assert value == again_value == objective.value(w)
    np.testing.assert_array_equal(gradient, again)


def test_steady_state_allocates_next_to_nothing():
    objective = large(dtype=np.float32)
    w = parameters(objective)
    batches = objective.batches(1000, np.random.default_rng(0), shuffle=False)
    batch = next(batches)
    for _ in range(3):
        objective.loss_and_gradient(w, batch)
    tracemalloc.start()
    try:
        objective.loss_and_gradient(w, batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    one_layer = 1000 * 32 * 4
    assert peak < one_layer  # the loss's terms, 8 kB each, and a buffer of numpy's, 64 kB


def test_moments_for_predictions_are_those_of_all_rows():
    objective = build(network_options={"normalization": get_normalization("batch")})
    w = parameters(objective)
    raw = objective.network.predict(w, objective.X, objective.moments(w))
    expected = objective.loss.value(objective.y, raw).mean()
    assert objective.value(w) == pytest.approx(expected)
    assert objective.value(w) == pytest.approx(objective.value_and_gradient(w)[0])


def test_curvature_of_a_linear_network_is_the_largest_eigenvalue():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, P))
    objective = build(X=X, y=X[:, :1], hidden=())
    design = np.column_stack([X, np.ones(200)])
    largest = np.linalg.eigvalsh(design.T @ design / 200)[-1]
    assert (
        1.8 * largest
        < objective.smoothness(parameters(objective)).mean
        < 2.0 * largest * (1 + 1e-6)
    )


def test_halved_batches_are_whole_ones(monkeypatch):
    weight = np.random.default_rng(2).uniform(0.1, 3.0, size=(N, 1))
    objective, halved = build(weight=weight), build(weight=weight)
    w = parameters(objective)
    (batch,) = objective.batches(N, np.random.default_rng(0), shuffle=True)
    value, gradient = objective.loss_and_gradient(w, batch)
    monkeypatch.setattr("skgrad.network_passes.HALVED_WORK", 1)
    half_value, half_gradient = halved.loss_and_gradient(w, batch)
    assert half_value == pytest.approx(value, rel=ARITHMETIC["float64"])
    np.testing.assert_allclose(half_gradient, gradient, rtol=1e-9, atol=1e-13)
    direction = np.random.default_rng(3).normal(size=w.size)
    layout, images = objective.network.layout, []
    for one in (objective, halved):
        image = np.empty_like(w)
        block = one.linearised_batch(batch)
        block.gauss_newton(layout.parameters(direction), layout.parameters(image))
        images.append(image)
    np.testing.assert_allclose(*images, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    "options", [{"dropout": 0.2}, {"normalization": get_normalization("batch")}]
)
def test_batches_whose_rows_depend_on_each_other_are_not_halved(options, monkeypatch):
    monkeypatch.setattr("skgrad.network_passes.HALVED_WORK", 1)
    objective = build(network_options=options)
    w, gradients = parameters(objective), []
    for _ in range(2):
        (batch,) = objective.batches(N, np.random.default_rng(0), shuffle=True)
        gradients.append(objective.loss_and_gradient(w, batch)[1].copy())
    np.testing.assert_array_equal(*gradients)
    assert len(objective._passes._gradients) == 1


@pytest.mark.parametrize("chunk_bytes", [1, 10**6])
def test_no_row_is_alone_where_moments_come_from_the_batch(chunk_bytes, monkeypatch):
    monkeypatch.setattr("skgrad.network_objective.CHUNK_BYTES", chunk_bytes)
    sizes = {}
    for normalization in ("batch", "layer"):
        options = {"normalization": get_normalization(normalization)}
        objective = build(network_options=options)
        batches = objective.batches(N // 3 - 1, np.random.default_rng(0), shuffle=True)
        sizes[normalization] = [len(batch.y) for batch in batches]
    assert sizes == {"batch": [19, 19, 19, 3], "layer": [19, 19, 19, 3]}
    batches = objective.batches(N - 1, np.random.default_rng(0), shuffle=True)
    assert [len(batch.y) for batch in batches] == [N - 1, 1]
    objective = build(network_options={"normalization": get_normalization("batch")})
    batches = objective.batches(N - 1, np.random.default_rng(0), shuffle=True)
    assert [len(batch.y) for batch in batches] == [N]
