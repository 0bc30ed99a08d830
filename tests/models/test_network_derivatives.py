"""Products with Jacobian, Gauss-Newton matrix and Hessian of a network, and Kronecker factors."""

from itertools import product

import numpy as np
import pytest
from scipy import sparse
from tolerances import ARITHMETIC, FINITE_DIFFERENCE, arithmetic

from skgrad import network_linearisation
from skgrad import network_objective as network_objective_module
from skgrad.losses import (
    CrossEntropy,
    Huber,
    Logistic,
    Multinomial,
    Poisson,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
)
from skgrad.models.network import (
    ACTIVATIONS,
    FirstDerivatives,
    KroneckerFactors,
    KroneckerInverse,
    Network,
    Role,
    get_activation,
    get_normalization,
    kronecker,
)
from skgrad.network_objective import NetworkObjective
from skgrad.penalties import L2, NoPenalty

N, P, K = 14, 4, 3
SMOOTH = [
    SquaredError(), Huber(0.4), Logistic(), Multinomial(), CrossEntropy(), Poisson(),
    SquaredHinge(), SquaredEpsilonInsensitive(0.1),
]  # fmt: skip


def targets(loss, rng):
    if loss.target == "class_index":
        return rng.integers(K, size=N)
    if loss.target == "probabilities":
        return rng.dirichlet(np.ones(K), size=N)
    if loss.target == "continuous":
        return rng.poisson(2.0, size=(N, K)).astype(float)
    y = rng.integers(2, size=(N, K)).astype(float)
    return 2.0 * y - 1.0 if loss.target == "sign" else y


def build(activation="tanh", normalization=None, loss=None, penalty=None, *, hidden=(5, 5),
          residual=False, input_scale=False, layout="dense", weighted=True, dtype="float64",
          seed=0):  # fmt: skip
    rng, loss = np.random.default_rng(seed), loss or SquaredError()
    X = rng.normal(size=(N, P)).astype(dtype)
    y = targets(loss, rng)
    network = Network(
        (P, *hidden, K), tuple(get_activation(activation) for _ in hidden),
        get_normalization(normalization), 0.0, residual, input_scale,
    )  # fmt: skip
    weight = rng.uniform(0.5, 2.0, size=(N, 1)) if weighted else None
    y = y.astype(dtype) if y.dtype.kind == "f" else y
    objective = NetworkObjective(
        network, loss, penalty or L2(0.1), sparse.csr_array(X) if layout == "csr" else X, y,
        weight, dtype=dtype,
    )  # fmt: skip
    return objective, (0.5 * rng.normal(size=network.n_params)).astype(dtype)


def differences(objective, w, v, step=1e-6):
    _, ahead = objective.value_and_gradient(w + step * v)
    _, behind = objective.value_and_gradient(w - step * v)
    return (ahead - behind) / (2 * step)


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


def gauss_newton(objective, w):
    linearisation = objective.linearise(w)
    return np.array([linearisation.gauss_newton_vec(v) for v in np.eye(w.size, dtype=w.dtype)])


def assert_hessian(objective, w):
    for seed in range(2):
        v = np.random.default_rng(seed).normal(size=w.size)
        expected = differences(objective, w, v)
        assert relative_error(objective.linearise(w).hess_vec(v), expected) < FINITE_DIFFERENCE


# The Hessian


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_hessian_is_that_of_finite_differences(activation, normalization):
    objective, w = build(activation, normalization, Multinomial(), residual=True, input_scale=True)
    assert_hessian(objective, w)


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
@pytest.mark.parametrize("normalization", [None, "layer"])
def test_hessian_of_every_smooth_loss(loss, normalization):
    assert_hessian(*build("softplus", normalization, loss))


@pytest.mark.parametrize(
    ("residual", "input_scale", "layout"),
    list(product([False, True], [False, True], ["dense", "csr"])),
)
def test_hessian_of_every_kind_of_network(residual, input_scale, layout):
    for hidden in [(), (5,), (6, 5, 5)]:
        objective, w = build(
            residual=residual, input_scale=input_scale, layout=layout, hidden=hidden
        )
        assert_hessian(objective, w)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_hessian_is_symmetric(normalization):
    objective, w = build("gelu", normalization, Poisson(), residual=True, input_scale=True)
    linearisation = objective.linearise(w)
    H = np.array([linearisation.hess_vec(v) for v in np.eye(w.size)])
    assert np.abs(H - H.T).max() < ARITHMETIC["float64"] * np.abs(H).max()


# The Gauss-Newton matrix


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_gauss_newton_matrix_is_symmetric_and_never_negative(loss, normalization):
    objective, w = build("silu", normalization, loss, NoPenalty(), residual=True, input_scale=True)
    G = gauss_newton(objective, w)
    size = np.abs(G).max()
    assert np.abs(G - G.T).max() < ARITHMETIC["float64"] * size
    assert np.linalg.eigvalsh(G).min() > -ARITHMETIC["float64"] * size


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_gauss_newton_matrix_is_made_of_the_jacobian(normalization):
    """J' C J, with the Jacobian from differences of raw predictions."""
    objective, w = build("tanh", normalization, Multinomial(), input_scale=True)
    network, X = objective.network, objective.X
    J = np.empty((N, K, w.size))
    for j, v in enumerate(np.eye(w.size)):
        J[:, :, j] = (network.predict(w + 1e-6 * v, X) - network.predict(w - 1e-6 * v, X)) / 2e-6
    C = objective.loss.curvature(objective.y, network.predict(w, X)) * objective.weight[:, :, None]
    expected = np.einsum("nkp,nkl,nlq->pq", J, C, J)
    expected[np.diag_indices(w.size)] += network.layout.spread({Role.WEIGHTS: 0.1}, 0.0)
    assert relative_error(gauss_newton(objective, w), expected) < FINITE_DIFFERENCE


def test_without_bends_it_is_the_hessian():
    """A single layer is linear in its parameters, whatever the loss."""
    for loss in SMOOTH:
        objective, w = build(loss=loss, hidden=())
        v = np.random.default_rng(1).normal(size=w.size)
        linearisation = objective.linearise(w)
        assert relative_error(
            linearisation.gauss_newton_vec(v), linearisation.hess_vec(v)
        ) < arithmetic("float64")


def test_at_zero_residuals_it_is_the_hessian():
    """What is left out is weighted by the derivatives of the loss."""
    objective, w = build("gelu", "layer")
    objective.y = objective.network.predict(w, objective.X)
    v = np.random.default_rng(1).normal(size=w.size)
    linearisation = objective.linearise(w)
    expected = linearisation.hess_vec(v)
    assert relative_error(linearisation.gauss_newton_vec(v), expected) < arithmetic("float64")


def test_push_forward_and_pull_back_are_transposed():
    objective, w = build("mish", "batch", residual=True, input_scale=True, layout="csr")
    network, layout = objective.network, objective.network.layout
    ws = network.workspace(N, float)
    network.forward(layout.parameters(w), objective.X, ws)
    jacobian = FirstDerivatives(network, layout.parameters(w), ws)
    rng = np.random.default_rng(1)
    v, u, product_ = rng.normal(size=w.size), rng.normal(size=(K, N)), np.empty_like(w)
    change = jacobian.push_forward(layout.parameters(v))
    jacobian.pull_back(u, layout.parameters(product_))
    assert float(np.vdot(u, change)) == pytest.approx(float(v @ product_), rel=1e-11)


# Rows


@pytest.mark.parametrize("method", ["hess_vec", "gauss_newton_vec"])
def test_blocks_and_passes_that_are_not_kept_change_nothing(method, monkeypatch):
    objective, w = build("tanh", "layer", Multinomial())
    v = np.random.default_rng(1).normal(size=w.size)
    whole = getattr(objective.linearise(w), method)(v)
    monkeypatch.setattr(network_objective_module, "ACTIVATION_BYTES", 600)
    assert len(objective._blocks()) > 2
    blocks = getattr(objective.linearise(w), method)(v)
    np.testing.assert_allclose(blocks, whole, rtol=1e-10, atol=1e-13)
    monkeypatch.setattr(network_linearisation, "KEPT_BYTES", 0)
    np.testing.assert_array_equal(getattr(objective.linearise(w), method)(v), blocks)


def test_weights_are_repeated_rows():
    objective, w = build(loss=Multinomial(), weighted=False)
    counts = np.arange(N) % 3
    weighted, repeated = (
        NetworkObjective(objective.network, objective.loss, objective.penalty, X, y, weight)
        for X, y, weight in [
            (objective.X, objective.y, counts[:, None].astype(float)),
            (np.repeat(objective.X, counts, axis=0), np.repeat(objective.y, counts), None),
        ]
    )
    v = np.random.default_rng(1).normal(size=w.size)
    for method in ["hess_vec", "gauss_newton_vec"]:
        expected = getattr(repeated.linearise(w), method)(v)
        np.testing.assert_allclose(
            getattr(weighted.linearise(w), method)(v), expected, rtol=1e-10, atol=1e-14
        )
    pairs = zip(
        weighted.linearise(w).kronecker_factors().flat(),
        repeated.linearise(w).kronecker_factors().flat(),
        strict=True,
    )
    for first, second in pairs:
        np.testing.assert_allclose(first, second, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_float32_stays_float32(normalization):
    wide, w = build("gelu", normalization, Multinomial(), input_scale=True)
    narrow, _ = build("gelu", normalization, Multinomial(), input_scale=True, dtype="float32")
    v = np.random.default_rng(1).normal(size=w.size)
    for method in ["hess_vec", "gauss_newton_vec"]:
        product_ = getattr(narrow.linearise(w.astype("float32")), method)(v.astype("float32"))
        assert product_.dtype == np.float32
        expected = getattr(wide.linearise(w), method)(v)
        assert relative_error(product_, expected) < arithmetic("float32")
    factors = narrow.linearise(w.astype("float32")).kronecker_factors(seed=0)
    assert {array.dtype for array in factors.flat()} == {np.dtype("float32")}


# Kronecker factors


def dense(objective, factors):
    """Write Kronecker factors as a matrix in the order of the parameters."""
    places = objective.network.layout.parameters(np.arange(objective.n_params))
    matrix = np.diag(factors.diagonal)
    for layer, A, G in zip(places.layers, factors.inputs, factors.outputs, strict=True):
        own = np.hstack([layer.weights, layer.biases]).ravel()
        matrix[np.ix_(own, own)] = np.kron(G, A)
    return matrix


@pytest.mark.parametrize("normalization", [None, "layer"])
@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_factors_of_a_single_row_are_its_curvature_layer_by_layer(normalization, layout, loss):
    """For one row the Gauss-Newton matrix of each layer is a Kronecker product."""
    objective, w = build("tanh", normalization, loss, NoPenalty(), input_scale=True, layout=layout)
    one = NetworkObjective(objective.network, loss, NoPenalty(), objective.X[[1]], objective.y[[1]])
    G, approximation = gauss_newton(one, w), dense(one, one.linearise(w).kronecker_factors())
    size = np.abs(G).max()
    layers = {}
    for group in one.network.layout.groups:
        own = group.role.value if group.role.value not in ("weights", "biases") else "affine"
        layers.setdefault((group.layer, own), []).append(np.arange(one.n_params)[group.where])
    for (_, role), places in layers.items():
        block = np.ix_(np.concatenate(places), np.concatenate(places))
        exact, found = G[block], approximation[block]
        if role != "affine":
            exact, found = np.diag(exact), np.diag(found)
        np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-13 * max(size, 1.0))


def test_random_signs_are_right_on_average_and_exact_for_one_output():
    objective, w = build("tanh", None, Multinomial())
    linearisation = objective.linearise(w)
    exact = linearisation.kronecker_factors()
    samples = [linearisation.kronecker_factors(seed=seed).outputs for seed in range(400)]
    for layer, expected in enumerate(exact.outputs):
        found = np.array([sample[layer] for sample in samples])
        error = found.std(axis=0) / np.sqrt(len(samples))
        assert (np.abs(found.mean(axis=0) - expected) < 5 * error + 1e-12).all()
    one = NetworkObjective(
        Network((P, 5, 1), (get_activation("tanh"),)), Logistic(), NoPenalty(), objective.X,
        (objective.y[:, None] > 0).astype(float),
    )  # fmt: skip
    linearisation = one.linearise(w[: one.n_params])
    pairs = zip(
        linearisation.kronecker_factors().flat(), linearisation.kronecker_factors(5).flat(),
        strict=True,
    )  # fmt: skip
    for first, second in pairs:
        np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-15)


def test_curvature_roots_are_roots():
    rng = np.random.default_rng(0)
    for loss in SMOOTH:
        y, raw = targets(loss, rng), rng.normal(size=(N, K))
        state = loss.curvature_state(y, raw)
        R = np.stack(
            [loss.curvature_root(state, np.broadcast_to(v, raw.shape)) for v in np.eye(K)], axis=2
        )
        curvature = loss.curvature(y, raw)
        if not loss.coupled:
            curvature = curvature[:, :, None] * np.eye(K)
        np.testing.assert_allclose(R @ R.transpose(0, 2, 1), curvature, atol=1e-14)


def test_large_factors_keep_their_diagonal(monkeypatch):
    objective, w = build("tanh", None, Multinomial(), layout="csr")
    full = objective.linearise(w).kronecker_factors()
    monkeypatch.setattr(kronecker, "LARGEST_FACTOR", 3)
    for layout in ["csr", "dense"]:
        few = build("tanh", None, Multinomial(), layout=layout)[0].linearise(w).kronecker_factors()
        assert [factor.ndim for factor in few.inputs] == [1, 1, 1]
        assert [factor.ndim for factor in few.outputs] == [1, 1, 2]
        for large, diagonal in zip(full.inputs, few.inputs, strict=True):
            np.testing.assert_allclose(diagonal, np.diag(large), rtol=1e-12)
        damped = KroneckerInverse(objective.network.layout, few).solve(w, 0.5)
        assert np.isfinite(damped).all()


def test_the_inverse_undoes_the_product_for_any_damping():
    objective, w = build("tanh", "layer", Multinomial(), input_scale=True)
    factors = objective.linearise(w).kronecker_factors()
    matrix, v = dense(objective, factors), np.random.default_rng(1).normal(size=w.size)
    inverse = KroneckerInverse(objective.network.layout, factors)
    for damping in [1e-2, 1.0, 100.0]:
        expected = np.linalg.solve(matrix + damping * np.eye(w.size), v)
        np.testing.assert_allclose(inverse.solve(v, damping), expected, rtol=1e-9, atol=1e-10)


def test_factors_mix_and_survive_being_listed():
    objective, w = build("tanh", "layer")
    factors = objective.linearise(w).kronecker_factors()
    listed = KroneckerFactors.from_flat(factors.flat())
    mixed = factors.mixed(listed + listed, 0.25)
    for first, second in zip(mixed.flat(), factors.flat(), strict=True):
        np.testing.assert_allclose(first, 1.25 * second, rtol=1e-14)
