"""Central differences of transformers, to compare rules with."""

import numpy as np
import pandas as pd
from scipy import sparse

NAMES = ["age", "income", "debt", "rate"]

FORMS = {
    "array": np.ascontiguousarray,
    "column-major": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "frame": lambda X: pd.DataFrame(X, columns=NAMES[: X.shape[1]]),
    "sparse": sparse.csr_array,
}


def transformed(step, X):
    """Transform, and make a float64 array of what comes out."""
    value = step.transform(X)
    return np.asarray(value.toarray() if sparse.issparse(value) else value, dtype=np.float64)


def differences(step, X, form=np.asarray):
    """Differentiate a transformer by central differences, shape (n_samples, n_out, n_in)."""
    columns = []
    for j in range(X.shape[1]):
        known = X[~np.isnan(X[:, j]), j]
        h = 1e-5 * (known.std() if len(known) and known.std() > 0.0 else 1.0)
        ends = [X.copy(), X.copy()]
        ends[0][:, j] += h
        ends[1][:, j] -= h
        upper, lower = (transformed(step, form(end)) for end in ends)
        columns.append((upper - lower) / (ends[0] - ends[1])[:, j][:, None])
    return np.stack(columns, axis=2)


def assert_jacobian(found, expected, rtol):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=0.1 * rtol * np.abs(expected).max())
