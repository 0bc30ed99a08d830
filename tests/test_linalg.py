"""Products with a data matrix: dense and CSR give the same numbers."""

import numpy as np
import pytest
from problems import ill_scaled, sparse_rows
from scipy import sparse
from tolerances import arithmetic

from skgrad import linalg

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
        "indefinite gram": lambda X: linalg.gram(X, weight - 0.5, center),
        "column_moments": lambda X: np.stack(linalg.column_moments(X, None, centered=True)),
        "raw moments": lambda X: np.stack(linalg.column_moments(X, None, centered=False)),
        "weighted moments": lambda X: np.stack(linalg.column_moments(X, weight, centered=True)),
        "squared_row_norms": lambda X: linalg.squared_row_norms(X, center, scale),
        "take slice": lambda X: linalg.to_array(linalg.take_rows(X, slice(7, 20))),
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
    mean, variance = linalg.column_moments(X, weight, centered=True)
    expected = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(mean, expected, rtol=arithmetic(float))
    expected = np.average((X - expected) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(variance, expected, rtol=arithmetic(float))


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_variance_survives_means_of_a_million(layout, rng, blocks):
    Z = rng.normal(size=(400, 3))
    mean, variance = linalg.column_moments(layout(Z + 1e6), None, centered=True)
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
    assert linalg.density(X) == pytest.approx(0.1)
    assert linalg.density(X.toarray()) == 1.0
