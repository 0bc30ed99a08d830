"""Central differences of predictors, to compare their rules with."""

import numpy as np

from skgrad.inspection import input_gradients
from skgrad.inspection._question import ask

STEP = 1e-5


def response(estimator, X, method):
    """Evaluate a response; of two probabilities, keep that of the positive class."""
    value = getattr(estimator, method)(X)
    if isinstance(value, list):
        return np.hstack(value)
    value = np.asarray(value, dtype=np.float64).reshape(X.shape[0], -1)
    classes = getattr(estimator, "classes_", ())
    two = method in ("predict_proba", "predict_log_proba") and len(classes) == 2
    share = np.exp(value) if method == "predict_log_proba" else value
    if two and value.shape[1] == 2 and np.allclose(share.sum(axis=1), 1.0):
        return value[:, 1:]
    return value


def differences(function, X):
    """Differentiate by central differences, shape (n_samples, n_in, n_out)."""
    columns = []
    for j in range(X.shape[1]):
        ends = [X.copy(), X.copy()]
        ends[0][:, j] += STEP
        ends[1][:, j] -= STEP
        upper, lower = (function(end) for end in ends)
        columns.append((upper - lower) / (ends[0] - ends[1])[:, j, None])
    return np.stack(columns, axis=1)


def assert_response(estimator, X, method, *, rtol=1e-6, form=np.asarray, **options):
    """Compare value and gradients of a response with the estimator's own method."""
    X = np.asarray(X, dtype=np.float64)
    question, given = ask(estimator, form(X), response_method=method, **options)
    value = response(estimator, X, method)
    np.testing.assert_allclose(question.value(given), value, rtol=1e-9, atol=1e-9)
    found = input_gradients(estimator, form(X), response_method=method, **options)
    found = found[:, :, None] if found.ndim == 2 else found
    expected = differences(lambda at: response(estimator, at, method), X)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
