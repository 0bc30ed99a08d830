"""The Hessian at a point: its products, and how well its approximate inverses invert it."""

import numpy as np
import pytest
from problems import LINEAR_LOSSES, Variant, from_singular_values, make_data, make_loss
from scipy import sparse
from tolerances import arithmetic, coefficients

from skgrad import linearisation, sweep
from skgrad.losses import Multinomial
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2, NoPenalty
from skgrad.solvers._conjugate_gradient import conjugate_gradients

SMOOTH = [name for name in LINEAR_LOSSES if LINEAR_LOSSES[name].smooth]


def separable(n_samples, n_features, n_classes, rng, dtype=float):
    """Rows far on their class's side, but for a few."""
    codes = rng.integers(n_classes, size=n_samples)
    centers = 3.0 * rng.normal(size=(n_classes, n_features))
    X = centers[codes] + rng.normal(size=(n_samples, n_features))
    return X.astype(dtype), codes


def multinomial(X, codes, *, intercept=False, alpha=0.01, weight=None):
    model = LinearModel(X.shape[1], int(codes.max()) + 1, intercept)
    return Objective(model, Multinomial(), L2(alpha), X, codes, weight)


@pytest.mark.parametrize("loss_name", SMOOTH)
def test_one_linearisation_serves_many_products(loss_name, rng, blocks):
    for variant in [Variant("dense", weights="rows"), Variant("csr", n_outputs=3)]:
        loss = make_loss(loss_name)
        objective = make_data(loss, variant).objective(loss, L2(0.03))
        w = 0.3 * rng.normal(size=objective.n_params)
        hessian = objective.linearise(w)
        V = rng.normal(size=(3, objective.n_params))
        products = [hessian.hess_vec(v) for v in V]
        for v, product in zip(V, products, strict=True):
            np.testing.assert_allclose(product, objective.hess_vec(w, v), rtol=1e-13)
        np.testing.assert_allclose(V[0] @ products[1], V[1] @ products[0], rtol=1e-10)


def test_a_product_is_one_pass_and_so_is_the_linearisation(rng):
    objective = multinomial(*separable(50, 4, 3, rng))
    before = objective.passes
    hessian = objective.linearise(objective.start())
    hessian.hess_vec(objective.start())
    hessian.hess_vec(objective.start())
    assert objective.passes - before == 3.0


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_many_outputs_equal_scipy(layout, dtype, rng):
    """Large enough for several blocks and compiled loops, without patching their limits."""
    n_samples, p, K = 30_000, 300, 5
    X = sparse.random_array((n_samples, p), density=0.03, rng=rng, dtype=dtype, format="csr")
    codes = rng.integers(K, size=n_samples)
    w = rng.normal(size=(K, p + 1)).astype(dtype)
    weight = rng.integers(1, 4, size=(n_samples, 1)).astype(dtype)
    data = X if layout == "csr" else X.toarray()
    objective = multinomial(data, codes, intercept=True, alpha=0.1, weight=weight)
    assert isinstance(objective._sweep, sweep.OutputsSweep)
    value, gradient = objective.value_and_gradient(objective.from_user(w.ravel()))

    wide = w.astype(float)
    raw = X.astype(float) @ wide[:, :p].T + wide[:, p]
    values, slopes = Multinomial().value_and_gradient(codes, raw)
    share = weight.astype(float) / weight.sum(dtype=float)
    assert value == pytest.approx(
        float((share * values).sum()) + 0.05 * np.sum(wide[:, :p] ** 2), rel=arithmetic(dtype)
    )
    slope = np.column_stack([(X.T.astype(float) @ (share * slopes)).T, (share * slopes).sum(0)])
    slope[:, :p] += 0.1 * wide[:, :p]
    scaling = objective.standardization
    slope[:, :p] -= np.outer(slope[:, p], scaling.center)
    slope[:, :p] *= scaling.scale
    size = np.abs(slope).max()
    actual = objective.model.rows(gradient)
    np.testing.assert_allclose(actual, slope, atol=10 * arithmetic(dtype) * size)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_the_number_of_threads_changes_no_bit(layout, rng, monkeypatch):
    X, codes = separable(30_000, 60, 4, rng)
    X *= rng.random(X.shape) < 0.3
    objective = multinomial(sparse.csr_array(X) if layout == "csr" else X, codes)
    assert isinstance(objective._sweep, sweep.OutputsSweep)
    w = rng.normal(size=objective.n_params)
    results = []
    for n_threads in [1, 2]:
        monkeypatch.setattr("skgrad._threads.n_threads", lambda n=n_threads: n)
        value, gradient = objective.value_and_gradient(w)
        results.append([value, objective.value(w), *gradient, *objective.hess_vec(w, gradient)])
    np.testing.assert_array_equal(*results)


# Approximate inverses


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("loss_name", ["multinomial", "logistic", "huber"])
def test_with_all_terms_the_low_rank_inverse_is_exact(loss_name, layout, rng):
    loss = make_loss(loss_name)
    variant = Variant(layout, weights="rows", intercept=False, n_outputs=2)
    objective = make_data(loss, variant, n_features=40).objective(loss, L2(0.03))
    for rotated in [objective, objective.decorrelated()]:
        w = 0.1 * rng.normal(size=rotated.n_params)
        hessian = rotated.linearise(w)
        inverse, v = hessian.low_rank_inverse(), rng.normal(size=rotated.n_params)
        np.testing.assert_allclose(inverse(hessian.hess_vec(v)), v, rtol=1e-7, atol=1e-8)


def test_nearly_all_terms_nearly_invert_the_hessian(rng, monkeypatch):
    X, codes = separable(1000, 100, 4, rng)
    objective = multinomial(X, codes, intercept=True, alpha=1e-3)
    w = objective.from_user(0.02 * rng.normal(size=objective.n_params))
    v = rng.normal(size=objective.n_params)
    monkeypatch.setattr(linearisation, "WORKSPACE", 1 << 26)

    def products(n_terms):
        monkeypatch.setattr(linearisation, "MOST_TERMS", n_terms)
        hessian = objective.linearise(w)
        model = conjugate_gradients(
            hessian.hess_vec, hessian.low_rank_inverse(), hessian.hess_vec(v),
            forcing=1e-3, accuracy=0.0, max_iter=500,
        )  # fmt: skip
        return model.n_iter

    assert products(4000) <= 6
    assert products(4000) < products(500)


def test_terms_that_hold_too_little_are_not_worth_it(rng):
    X = rng.normal(size=(20_000, 30))
    objective = multinomial(X, rng.integers(3, size=len(X)))
    assert objective.linearise(objective.start()).low_rank_inverse() is None


def test_sparse_rows_are_not_made_dense_where_products_are_cheap(rng):
    X = sparse.random_array((5000, 2000), density=0.005, rng=rng, format="csr")
    objective = multinomial(X, rng.integers(3, size=5000))
    assert objective.linearise(objective.start()).low_rank_inverse() is None


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_mean_inverse_is_exact_for_uncorrelated_columns_of_equal_curvature(alpha, rng):
    """At w = 0 all rows curve alike, and orthogonal columns of one scale don't interact."""
    X = from_singular_values(np.full(6, 20.0), 100, rng)
    penalty = L2(alpha) if alpha else NoPenalty()
    codes = rng.integers(4, size=100)
    objective = Objective(LinearModel(6, 4, True), Multinomial(), penalty, X, codes)
    w = np.zeros(objective.n_params)
    hessian = objective.linearise(w)
    v = rng.normal(size=objective.n_params)
    rows = objective.model.rows(v)
    rows -= rows.mean(axis=0)  # a common shift has no curvature
    actual = hessian.mean_inverse()(hessian.hess_vec(v))
    scale = objective.standardization.scale[0]
    # Standardised columns have second moment one less the penalty's part in their scale.
    moment = scale**2 * float(np.mean(X[:, 0] ** 2))
    expected = rows.copy()
    expected[:, :6] *= (0.25 * moment + alpha * scale**2) / (0.25 + alpha * scale**2)
    np.testing.assert_allclose(actual, expected.ravel(), rtol=coefficients(float))


def test_float32_stays_float32(rng):
    X, codes = separable(300, 20, 3, rng, np.float32)
    objective = multinomial(X, codes, intercept=True)
    hessian = objective.linearise(objective.start())
    v = np.ones(objective.n_params, dtype=np.float32)
    assert hessian.hess_vec(v).dtype == np.float32
    assert hessian.mean_inverse()(v).dtype == np.float32
    assert hessian.low_rank_inverse()(v).dtype == np.float32


def test_constant_columns_and_rare_classes_leave_the_inverses_finite(rng):
    X, codes = separable(300, 5, 3, rng)
    X[:, 2] = 7.0
    codes[:] = np.minimum(codes, 1)
    codes[0] = 2
    objective = multinomial(X, codes, intercept=True, alpha=1e-8)
    w = objective.from_user(30.0 * rng.normal(size=objective.n_params))
    hessian = objective.linearise(w)
    for inverse in [hessian.mean_inverse(), hessian.low_rank_inverse()]:
        assert np.isfinite(inverse(np.ones(objective.n_params))).all()
