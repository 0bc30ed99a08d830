"""Compiled loops against the formulas they stand for."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from tolerances import arithmetic

from skgrad import linalg, moments
from skgrad._kernels import columns, csr, dense

DTYPES = ["float32", "float64"]


def csr_data(rng, dtype, index_dtype):
    X = sparse.random_array((50, 20), density=0.3, format="csr", rng=rng).astype(dtype)
    X.indices, X.indptr = X.indices.astype(index_dtype), X.indptr.astype(index_dtype)
    return X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_samples", [1, 3, 4, 5, 50])
def test_dense_products(n_samples, dtype, rng):
    X = rng.normal(size=(n_samples, 7)).astype(dtype)
    v, r = rng.normal(size=7).astype(dtype), rng.normal(size=n_samples).astype(dtype)
    forward, backward = np.empty(n_samples, dtype), np.zeros(7, dtype)
    dense.matvec(X, v, forward)
    dense.rmatvec(X, r, backward)
    np.testing.assert_allclose(forward, X @ v, rtol=arithmetic(dtype), atol=arithmetic(dtype))
    np.testing.assert_allclose(backward, r @ X, rtol=arithmetic(dtype), atol=arithmetic(dtype))


@pytest.mark.parametrize("chunk", [1, 8, 1000])
@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_csr_products(dtype, index_dtype, chunk, rng):
    X = csr_data(rng, dtype, index_dtype)
    v, r = rng.normal(size=20).astype(dtype), rng.normal(size=50).astype(dtype)
    r[::3] = 0.0
    forward, backward, squares = np.empty(50, dtype), np.zeros(20, dtype), np.zeros(20)
    order = rng.permutation(50).astype(np.uint32)
    csr.matvec(X.data, X.indices, X.indptr, order, chunk, v, forward)
    csr.rmatvec(X.data, X.indices, X.indptr, order, r, np.empty_like(order), backward)
    columns.column_squares(X.data, X.indices, X.indptr, r, squares)
    plain = np.zeros(20)
    columns.column_squares(X.data, X.indices, X.indptr, np.empty(0, dtype), plain)
    close = {"rtol": arithmetic(dtype), "atol": arithmetic(dtype)}
    np.testing.assert_allclose(forward, X @ v, **close)
    np.testing.assert_allclose(backward, r @ X, **close)
    np.testing.assert_allclose(squares, r @ X.toarray() ** 2, **close)
    np.testing.assert_allclose(plain, np.sum(X.toarray() ** 2, axis=0), **close)


@pytest.mark.parametrize("chunk", [1, 7, 50, 1000])
@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
def test_rows_by_length(index_dtype, chunk, rng):
    X = csr_data(rng, "float64", index_dtype)
    lengths, order = np.minimum(np.diff(X.indptr), 6), np.empty(50, dtype=np.uint32)
    csr.order_by_length(X.indptr, chunk, np.empty(7, dtype=np.int64), order)
    expected = [
        start + np.argsort(lengths[start : start + chunk], kind="stable")
        for start in range(0, 50, chunk)
    ]
    np.testing.assert_array_equal(order, np.concatenate(expected))


def test_only_short_rows_are_reordered(rng, monkeypatch):
    monkeypatch.setattr(linalg, "ORDERED_BYTES", 1 << 13)  # a third of the short rows
    short = sparse.random_array((300, 200), density=0.1, format="csr", rng=rng)
    order = linalg.short_rows_first(short)
    assert not np.array_equal(order.rows, np.arange(300))
    assert np.all(order.rows // order.chunk == np.arange(300) // order.chunk)
    long = sparse.random_array((300, 200), density=0.5, format="csr", rng=rng)
    np.testing.assert_array_equal(linalg.short_rows_first(long).rows, np.arange(300))


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", DTYPES)
def test_squared_row_norms_of_large_data(layout, dtype, uniform, rng, monkeypatch):
    Z = (rng.normal(size=(60, 5)) * (rng.random((60, 5)) < 0.5)).astype(dtype)
    center, scale = rng.normal(size=5).astype(dtype), rng.random(5).astype(dtype)
    if uniform:
        center, scale = np.zeros(5, dtype), np.full(5, 0.3, dtype)
    expected = (((Z - center) * scale).astype(np.float64) ** 2).sum(axis=1)
    monkeypatch.setattr(linalg, "COMPILED_SIZE", 0)
    monkeypatch.setattr(linalg, "COMPILED_ENTRIES", 0)
    actual = moments.squared_row_norms(layout(Z), center, scale)
    np.testing.assert_allclose(actual, expected, rtol=10 * arithmetic(dtype))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_in_one_pass_keep_their_digits(dtype, weighted, rng, monkeypatch):
    X = (rng.normal(size=(3000, 4)) * [1e-3, 1.0, 1.0, 10.0] + [1.0, 0.0, 1e3, 50.0]).astype(dtype)
    weight = rng.random(3000) if weighted else None
    monkeypatch.setattr(linalg, "COMPILED_SIZE", 0)
    mean, variance = moments.column_moments(X, weight, centered=True)
    exact = X.astype(np.float64)
    expected = np.average(exact, axis=0, weights=weight)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    spread = np.average((exact - expected) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(variance, spread, rtol=1e-9)


def test_loops_are_compiled_where_no_cache_can_be_written():
    script = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = caching.FunctionCache._impl_class._locator_classes = []
import numpy as np
from skgrad._kernels import dense
out = np.empty(2)
dense.matvec(np.eye(2), np.array([3.0, 4.0]), out)
print(*out)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout.split() == ["3.0", "4.0"], done.stderr
