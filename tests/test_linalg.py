"""Products with a data matrix: dense and CSR give the same numbers."""

import numpy as np
import pytest
from problems import ill_scaled, sparse_rows
from scipy import sparse
from tolerances import arithmetic

from skgrad import linalg, moments
from skgrad.linalg import selected_gram, sparse_columns
from skgrad.moments import column_moments

DTYPES = ["float64", "float32"]


@pytest.fixture(params=DTYPES)
def pair(request, rng):
    """The same matrix twice, and something to multiply with."""
    X = sparse_rows(50, 6, rng, density=0.5).astype(request.param)
    return X.toarray(), X


def operations(rng, dtype):
    """Every function that takes a matrix and returns numbers, by name."""
    coef = rng.normal(size=(3, 6)).astype(dtype)
    R = rng.normal(size=(50, 3)).astype(dtype)
    weight = rng.random(50).astype(dtype)
    center, scale = rng.normal(size=6).astype(dtype), rng.random(6).astype(dtype)
    zeros = np.zeros(6, dtype)
    return {
        "matmul": lambda X: linalg.matmul(X, coef),
        "rmatmul": lambda X: linalg.rmatmul(X, R),
        "gram": lambda X: linalg.gram(X, None, zeros),
        "centred gram": lambda X: linalg.gram(X, None, center),
        "weighted gram": lambda X: linalg.gram(X, weight, center),
        "gram of a few rows": lambda X: linalg.gram(X, weight * (weight > 0.8), center),
        "gram of no row": lambda X: linalg.gram(X, 0 * weight, center),
        "indefinite gram": lambda X: linalg.gram(X, weight - 0.5, center),
        "column_moments": lambda X: np.stack(moments.column_moments(X, None, centered=True)),
        "raw moments": lambda X: np.stack(moments.column_moments(X, None, centered=False)),
        "weighted moments": lambda X: np.stack(moments.column_moments(X, weight, centered=True)),
        "squared_row_norms": lambda X: moments.squared_row_norms(X, center, scale),
        "take slice": lambda X: linalg.to_array(linalg.take_rows(X, slice(7, 20))),
        "take every third": lambda X: linalg.to_array(linalg.take_rows(X, slice(2, 47, 3))),
        "take indices": lambda X: linalg.to_array(linalg.take_rows(X, np.array([3, 3, 40]))),
    }


@pytest.mark.parametrize("name", operations(np.random.default_rng(0), "float64"))
def test_sparse_equals_dense(name, pair, rng, blocks):
    dense, csr = pair
    operation = operations(rng, dense.dtype)[name]
    expected = operation(dense)
    tolerance = arithmetic(dense.dtype)
    np.testing.assert_allclose(operation(csr), expected, rtol=tolerance, atol=10 * tolerance)


def test_gram_of_very_sparse_rows_equals_dense(rng):
    X = sparse_rows(400, 8, rng, density=0.01)
    weight, center = rng.random(400), rng.normal(size=8)
    assert X.nnz <= linalg.SPARSE_GRAM_DENSITY * 400 * 8
    expected = linalg.gram(X.toarray(), weight, center)
    np.testing.assert_allclose(linalg.gram(X, weight, center), expected, rtol=arithmetic(float))


@pytest.mark.parametrize("name", operations(np.random.default_rng(0), "float64"))
def test_float32_stays_unless_it_accumulates(name, rng):
    X = sparse_rows(50, 6, rng, density=0.5).astype(np.float32)
    operation = operations(rng, np.float32)[name]
    wide = "moments" in name or name == "squared_row_norms"
    for matrix in [X, X.toarray()] if not wide else []:
        assert operation(matrix).dtype == np.float32
    if "moments" in name:
        assert operation(X).dtype == operation(X.toarray()).dtype == np.float64


def test_column_moments_are_the_definition(rng, blocks):
    X, weight = ill_scaled(300, 7, rng), rng.random(300)
    mean, variance = moments.column_moments(X, weight, centered=True)
    expected = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(mean, expected, rtol=arithmetic(float))
    expected = np.average((X - expected) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(variance, expected, rtol=arithmetic(float))


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_variance_survives_means_of_a_million(layout, rng, blocks):
    Z = rng.normal(size=(400, 3))
    mean, variance = moments.column_moments(layout(Z + 1e6), None, centered=True)
    np.testing.assert_allclose(mean, Z.mean(axis=0) + 1e6, rtol=1e-14)
    np.testing.assert_allclose(variance, Z.var(axis=0), rtol=1e-8)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_centred_gram_survives_means_of_a_million(layout, weighted, rng, blocks):
    Z = rng.normal(size=(400, 3))
    weight = rng.random(400) if weighted else None
    center = Z.mean(axis=0) + 1e6
    actual = linalg.gram(layout(Z + 1e6), weight, center)
    expected = linalg.gram(Z, weight, Z.mean(axis=0))
    np.testing.assert_allclose(actual, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_blocks_cover_the_rows_in_order(layout, rng, blocks):
    X = layout(rng.normal(size=(50, 6)))
    slices = list(linalg.row_blocks(X))
    assert (len(slices) > 1) == (blocks != "whole")
    rows = np.concatenate([np.arange(50)[rows] for rows in slices])
    np.testing.assert_array_equal(rows, np.arange(50))


def test_blocks_are_as_large_as_announced(rng):
    X = np.zeros((40_000, 50), np.float32)
    sizes = [X[rows].nbytes for rows in linalg.row_blocks(X)]
    assert max(sizes) <= linalg.BLOCK_BYTES
    assert min(sizes[:-1]) > 0.9 * linalg.BLOCK_BYTES


@pytest.mark.parametrize("n_samples", [29_999, 30_000])
def test_sparse_blocks_come_in_pairs_of_one_size(n_samples, rng, monkeypatch):
    monkeypatch.setattr(linalg, "SPARSE_BLOCK_BYTES", 1 << 18)
    X = sparse.random_array((n_samples, 1000), density=0.002, format="csr", rng=rng)
    sizes = [rows.stop - rows.start for rows in linalg.row_blocks(X)]
    assert len(sizes) == 4  # of 720 kB
    assert max(sizes) - min(sizes) <= len(sizes)


def test_a_slice_of_rows_is_a_view(pair):
    dense, csr = pair
    rows = slice(10, 30)
    assert np.shares_memory(linalg.take_rows(dense, rows), dense)
    part = linalg.take_rows(csr, rows)
    assert np.shares_memory(part.data, csr.data)
    assert np.shares_memory(part.indices, csr.indices)
    np.testing.assert_array_equal(part.toarray(), dense[rows])


def test_a_slice_keeps_64_bit_indices(rng):
    X = sparse_rows(50, 6, rng)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    part = linalg.take_rows(X, slice(5, 9))
    assert np.shares_memory(part.indices, X.indices)
    np.testing.assert_array_equal(part.toarray(), X.toarray()[5:9])


def test_density_counts_stored_entries(rng, monkeypatch):
    X = sparse_rows(100, 10, rng, density=0.1)
    assert linalg.density(X) == 1.0  # small: it becomes an array
    monkeypatch.setattr(linalg, "BLOCK_BYTES", 100)
    monkeypatch.setattr(linalg, "SPARSE_BLOCK_BYTES", 100)
    assert linalg.density(X) == pytest.approx(0.1)
    assert linalg.density(X.toarray()) == 1.0


def scipy_columns(X, chosen):
    taken = sparse.csc_array(X[:, chosen])
    return taken.data, taken.indices, taken.indptr


@pytest.fixture(params=["numpy", "compiled"])
def way(request, monkeypatch):
    """Both ways to walk a matrix, whatever its size."""
    size = 0 if request.param == "compiled" else 10**9
    monkeypatch.setattr(linalg, "COMPILED_SIZE", size)
    monkeypatch.setattr(linalg, "COMPILED_ENTRIES", size)
    return request.param


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_moments_far_from_zero(dtype, index_type, weighted, way, rng):
    X = (rng.normal(size=(300, 7)) + 1e3) * (rng.random(7) < 0.8)
    X[:, 3:] *= rng.random((300, 4)) < 0.3
    X = X.astype(dtype)
    S = sparse.csr_array(X)
    S.indices, S.indptr = S.indices.astype(index_type), S.indptr.astype(index_type)
    weight = rng.integers(1, 4, size=300).astype(float) if weighted else None
    X = X.astype(np.float64)
    mean = np.average(X, axis=0, weights=weight)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight)
    found_mean, found_variance = column_moments(S, weight, centered=True)
    np.testing.assert_allclose(found_mean, mean, rtol=arithmetic("float64"))
    np.testing.assert_allclose(found_variance, variance, rtol=arithmetic("float64"))
    zero, squares = column_moments(S, weight, centered=False)
    assert not zero.any()
    expected = np.average(X**2, axis=0, weights=weight)
    np.testing.assert_allclose(squares, expected, rtol=arithmetic("float64"))


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("layout", ["dense", "csr", "shuffled"])
def test_selected_gram(layout, centered, way, rng):
    X = rng.normal(size=(50, 9)) * (rng.random((50, 9)) < 0.5)
    weights, chosen = rng.normal(size=50), np.array([0, 3, 4, 8])
    center = rng.normal(size=4) if centered else np.zeros(4)
    Z = X[:, chosen] - center
    data = X
    if layout != "dense":
        data = sparse.csr_array(X)
    if layout == "shuffled":
        # The last entry of each row twice, half each, before all others.
        rows = [np.append(np.flatnonzero(x)[::-1], np.flatnonzero(x)[-1:]) for x in X]
        entries = [x[row] for x, row in zip(X, rows, strict=True)]
        for entry in entries:
            entry[[0, -1]] /= 2
        indptr = np.cumsum([0, *map(len, rows)])
        data = sparse.csr_array((np.hstack(entries), np.hstack(rows), indptr), shape=X.shape)
        np.testing.assert_allclose(data.toarray(), X)
    product, sums = selected_gram(data, chosen, weights, center)
    tolerance = {"rtol": arithmetic("float64"), "atol": arithmetic("float64")}
    np.testing.assert_allclose(product, (Z.T * weights) @ Z, **tolerance)
    np.testing.assert_allclose(sums, weights @ Z, **tolerance)
    product, sums = selected_gram(data, chosen, None, center)
    np.testing.assert_allclose(product, Z.T @ Z, **tolerance)
    np.testing.assert_allclose(sums, Z.sum(axis=0), **tolerance)


@pytest.mark.parametrize("n_totals", [1, 30, 10**6])
def test_parts_hold_each_row_once(n_totals, way, rng):
    X = sparse.random_array((57, 11), density=0.5, format="csr", rng=rng)
    parts = linalg.row_parts(X, n_totals)
    np.testing.assert_array_equal(np.hstack([np.arange(57)[rows] for rows in parts]), np.arange(57))
    expected = {1: 8, 30: 2, 10**6: 1}[n_totals]  # 314 entries, 4 for each total
    assert len(parts) == (expected if way == "compiled" else 1)


def test_sparse_columns_are_scipys(rng):
    X = sparse.random_array((40, 30), density=0.2, format="csr", rng=rng)
    chosen = np.array([1, 2, 17, 29])
    for found, expected in zip(sparse_columns(X, chosen), scipy_columns(X, chosen), strict=True):
        np.testing.assert_array_equal(found, expected)
