"""Weighted Gram matrices of the standardised data: every way to compute them is the same."""

import numpy as np
import pytest
from tolerances import arithmetic

from skgrad.models.standardized import Explicit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_samples", [5, 200, 1000, 4000])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_grams_of_several_columns_of_weights(n_samples, n_columns, dtype, rng):
    data = Explicit(rng.normal(size=(n_samples, 6)).astype(dtype), intercept=False)
    for _ in range(2):  # what the first call keeps serves other weights, too
        weights = rng.uniform(size=(n_samples, n_columns)).astype(dtype)
        weights[::3] = 0.0
        expected = [(data.A.T * column) @ data.A for column in weights.T.astype(np.float64)]
        np.testing.assert_allclose(
            data.grams(weights), expected, rtol=0, atol=arithmetic(dtype) * n_samples
        )
