"""Weighted Gram matrices of the standardised data: every way to compute them is the same."""

import numpy as np
import pytest
from tolerances import arithmetic

from skgrad.models import Standardization
from skgrad.models.standardized import Explicit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_samples", [5, 200, 1000, 4000])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_grams_of_several_columns_of_weights(n_samples, n_columns, dtype, rng):
    X = rng.normal(size=(n_samples, 6)).astype(dtype)
    scaling = Standardization(np.zeros(6, dtype), np.ones(6, dtype))
    data = Explicit.build(X, scaling, intercept=True)
    assert (data.products is None) == (n_samples >= 1000)
    weights = rng.uniform(size=(n_samples, n_columns)).astype(dtype)
    weights[::3] = 0.0
    expected = [(data.A.T * column) @ data.A for column in weights.T.astype(np.float64)]
    tolerance = arithmetic(dtype) * n_samples
    for matrix in (data, data.take(slice(None))):
        np.testing.assert_allclose(matrix.grams(weights), expected, rtol=0, atol=tolerance)
