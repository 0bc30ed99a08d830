"""Data for predictors, and central differences to compare their rules with."""

import numpy as np
from tolerances import FINITE_DIFFERENCE

from skgrad.inspection import input_gradients
from skgrad.inspection._question import ask

STEP = 1e-5
_rng = np.random.default_rng(0)
X = _rng.normal(size=(60, 4))
_signal = X[:, 0] + 2.0 * np.sin(X[:, 1]) - X[:, 2] * X[:, 3]
TARGETS = {
    "numbers": _signal + 0.3 * _rng.normal(size=60),
    "pairs": np.column_stack([_signal, X[:, 0] ** 2 + X[:, 1]]),
    "counts": 1.0 + np.round(np.exp(0.5 * X[:, 0] + 0.2)),
    "two": np.where(_signal > 0.0, "yes", "no"),
    "three": np.array(list("abc"))[np.digitize(_signal, [-0.8, 0.8])],
    "labels": np.column_stack([_signal > 0.0, X[:, 1] > 0.0]).astype(int),
    "more labels": np.column_stack([_signal > 0.0, X[:, 1] > 0.0, X[:, 2] > 0.2]).astype(int),
    "none": None,
}


def responses(estimator):
    """List the methods of a fitted estimator that have a gradient."""
    methods = ("decision_function", "predict_proba", "predict_log_proba")
    found = [method for method in methods if hasattr(estimator, method)]
    return found or ["predict"]


def response(estimator, X, method):
    """Evaluate a response; of the probabilities of two classes, keep the second."""
    value = getattr(estimator, method)(X)
    if isinstance(value, list):
        return np.hstack(value)
    value = np.asarray(value, dtype=np.float64).reshape(X.shape[0], -1)
    share = np.exp(value) if method == "predict_log_proba" else value
    proba = method in ("predict_proba", "predict_log_proba")
    classes = getattr(estimator, "classes_", ())
    if proba and len(classes) == value.shape[1] == 2 and np.allclose(share.sum(axis=1), 1.0):
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


def gradients(estimator, X, method, **options):
    """Compute gradients, shape (n_samples, n_in, n_out) also for one output."""
    found = input_gradients(estimator, X, response_method=method, **options)
    return found[:, :, None] if found.ndim == 2 else found


def assert_close(found, expected, tolerance=FINITE_DIFFERENCE):
    """Compare gradients with differences, whose rounding error is that of the largest ones."""
    scale = max(np.abs(expected).max(), 1e-9)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


def assert_response(estimator, X, method, form=np.asarray):
    """Compare the value and the gradients of a response with the estimator's own method."""
    question, given = ask(estimator, form(X), response_method=method)
    value = response(estimator, X, method)
    np.testing.assert_allclose(question.value(given), value, rtol=1e-9, atol=1e-9)
    expected = differences(lambda at: response(estimator, at, method), X)
    assert_close(gradients(estimator, form(X), method), expected)


def assert_responses(estimator, target, X=X):
    """Fit, and compare all responses."""
    estimator.fit(X, TARGETS[target])
    for method in responses(estimator):
        assert_response(estimator, X[:15], method)
