"""Rules of networks against central differences, and networks of rectifiers along lines."""

import numpy as np
import pytest
from responses import TARGETS, X, assert_close, assert_responses, differences, gradients, response
from scipy import sparse
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from tolerances import ARITHMETIC

from skgrad import MLPClassifier, MLPRegressor
from skgrad.inspection import input_gradients
from skgrad.inspection._question import ask
from skgrad.inspection.models import parts, rectifier_lines
from skgrad.losses import MultiQuantile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SHORT = {"max_iter": 10, "random_state": 0}
NETWORKS = {
    "float32": {},
    "float64": {"dtype": "float64"},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "residual": {"residual": True, "hidden_layer_sizes": (8, 8, 8)},
    "standard": {"input_scaling": "standard"},
    "robust": {"input_scaling": "robust"},
    "input scale": {"learn_input_scale": True},
    "gates": {"activation": ["gelu", "mish"], "hidden_layer_sizes": (6, 5)},
    "everything": {
        "activation": "selu", "normalization": "batch", "residual": True, "dropout": 0.2,
        "hidden_layer_sizes": (8, 8, 8), "input_scaling": "robust", "learn_input_scale": True,
    },
}  # fmt: skip


def assert_network(estimator, target, methods, form=np.asarray):
    """Compare with differences in float64, and loosely with predictions in float32."""
    estimator.fit(form(X), TARGETS[target])
    rows = X[:15]
    for method in methods:
        question, given = ask(estimator, form(rows), response_method=method)
        if method != "raw":
            expected = response(estimator, form(rows), method)
            size = np.abs(expected).max()
            np.testing.assert_allclose(
                question.value(given), expected, rtol=0.0, atol=ARITHMETIC["float32"] * size
            )
        expected = differences(lambda at, q=question: q.value(form(at)), rows)
        assert_close(gradients(estimator, form(rows), method), expected)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("target", ["two", "three", "labels", "more labels"])
def test_classifiers_of_ours(network, target):
    methods = ["raw", "decision_function", "predict_proba", "predict_log_proba"]
    assert_network(MLPClassifier(**SHORT | NETWORKS[network]), target, methods)


@pytest.mark.parametrize("network", NETWORKS)
def test_regressors_of_ours(network):
    settings = {"activation": "tanh"} | SHORT | NETWORKS[network]
    assert_network(MLPRegressor(**settings), "numbers", ["raw", "predict"])
    scaled = settings | {"standardize_target": True}
    assert_network(MLPRegressor(**scaled), "pairs", ["raw", "predict"])
    quantiles = MLPRegressor(loss=MultiQuantile((0.2, 0.5, 0.9)), **scaled)
    assert_network(quantiles, "pairs", ["predict"])
    assert_network(MLPRegressor(loss="poisson", **settings), "counts", ["raw", "predict"])


def test_presets_for_tables():
    assert_network(MLPClassifier.tabular(max_iter=2, random_state=0), "three", ["predict_proba"])
    assert_network(MLPRegressor.tabular(max_iter=2, random_state=0), "numbers", ["predict"])


def test_sparse_input():
    assert_network(MLPClassifier(**SHORT), "three", ["predict_proba"], sparse.csr_array)


def test_network_without_a_likelihood_has_scores_only():
    estimator = MLPClassifier(loss="hinge", **SHORT)
    assert_network(estimator, "three", ["raw", "decision_function"])


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_networks_of_scikit_learn(activation):
    settings = SHORT | {"activation": activation, "hidden_layer_sizes": (9, 7)}
    for target in ("two", "three", "more labels"):
        assert_responses(SklearnMLPClassifier(**settings), target)
    for target in ("numbers", "pairs"):
        assert_responses(SklearnMLPRegressor(**settings), target)
    assert_responses(SklearnMLPRegressor(loss="poisson", **settings), "counts")


@pytest.mark.parametrize("kept", [0, 2**30])
def test_blocks_of_rows_make_no_difference(monkeypatch, kept):
    estimator = MLPClassifier(**SHORT).fit(X, TARGETS["three"])
    many = np.tile(X, (4, 1))
    whole = gradients(estimator, many, "predict_proba")
    monkeypatch.setattr(parts, "BLOCK_BYTES", 1)
    monkeypatch.setattr(parts, "KEPT_BYTES", kept)
    cut = gradients(estimator, many, "predict_proba")
    assert_close(cut, whole, ARITHMETIC["float64"])


def test_hidden_units_at_their_kink_have_the_slope_of_the_left():
    estimator = SklearnMLPRegressor(hidden_layer_sizes=(3,), **SHORT).fit(X, TARGETS["numbers"])
    estimator.coefs_[0][:], estimator.intercepts_[0][:] = np.eye(4, 3), 0.0
    estimator.coefs_[1][:] = 1.0
    at = np.array([[0.0, 1.0, -1.0, 5.0]])
    np.testing.assert_array_equal(input_gradients(estimator, at), [[0.0, 1.0, 0.0, 0.0]])


# Lines


LINES = {
    "one layer": (SklearnMLPRegressor, {"hidden_layer_sizes": (48,)}, "numbers"),
    "classes": (SklearnMLPClassifier, {"hidden_layer_sizes": (30, 20)}, "three"),
    "deep": (MLPRegressor, {"hidden_layer_sizes": (8, 8, 8, 8)}, "numbers"),
    "residual": (MLPRegressor, {"hidden_layer_sizes": (9, 9, 9), "residual": True}, "pairs"),
    "leaky": (
        MLPClassifier,
        {"hidden_layer_sizes": (12, 7), "activation": ["leaky_relu", "relu"]},
        "three",
    ),
    "scaled": (
        MLPRegressor,
        {
            "hidden_layer_sizes": (12, 12), "input_scaling": "standard", "residual": True,
            "normalization": "batch", "learn_input_scale": True, "standardize_target": True,
        },
        "numbers",
    ),
    "linear": (MLPRegressor, {"hidden_layer_sizes": (5,), "activation": "identity"}, "numbers"),
}  # fmt: skip
N_LINES = 30


@pytest.fixture(params=LINES)
def along(request):
    """Lines through the data, cut where a fitted network bends, and its raw predictions there."""
    make, settings, target = LINES[request.param]
    estimator = make(**SHORT | settings).fit(X, TARGETS[target])
    question, _ = ask(estimator, X, response_method="raw")
    start, end = 2.0 * X[:N_LINES], -X[N_LINES:]
    return question, start, end, question.walk(X)[0].pieces.split(start, end)


def test_stretches_cover_their_lines(along):
    _, _, _, (line, t0, t1) = along
    first = np.flatnonzero(np.diff(line, prepend=-1))
    np.testing.assert_array_equal(line[first], np.arange(N_LINES))
    assert (np.diff(line) >= 0).all()
    assert (t1 > t0).all()
    last = np.append(first[1:], len(line)) - 1
    assert (t0[first] == 0.0).all()
    assert (t1[last] == 1.0).all()
    later = np.setdiff1d(np.arange(len(line)), first)
    np.testing.assert_array_equal(t0[later], t1[later - 1])


def test_predictions_are_linear_on_each_stretch(along):
    question, start, end, (line, t0, t1) = along

    def raw(share):
        t = t0 + share * (t1 - t0)
        return question.walk(start[line] + t[:, None] * (end - start)[line])[0].value

    size = np.abs(raw(0.0)).max() + np.abs(raw(1.0)).max()
    for share in (0.1, 0.5, 0.7):
        expected = (1.0 - share) * raw(0.0) + share * raw(1.0)
        np.testing.assert_allclose(raw(share), expected, rtol=0.0, atol=1e-12 * max(1.0, size))


def test_gradients_in_the_middle_of_stretches_add_up_to_the_difference(along):
    question, start, end, (line, t0, t1) = along
    middle = start[line] + (0.5 * (t0 + t1))[:, None] * (end - start)[line]
    local, _ = question.walk(middle)
    change = question.walk(end)[0].value - question.walk(start)[0].value
    for k, cotangent in enumerate(np.eye(local.value.shape[1])):
        slope = local.pull(np.tile(cotangent, (len(line), 1)))
        terms = (t1 - t0) * np.einsum("ni,ni->n", slope, (end - start)[line])
        total = np.bincount(line, terms, minlength=N_LINES)
        np.testing.assert_allclose(total, change[:, k], rtol=1e-10, atol=1e-10)


def test_each_unit_of_one_layer_bends_a_line_once():
    estimator = SklearnMLPRegressor(hidden_layer_sizes=(48,), **SHORT).fit(X, TARGETS["numbers"])
    start, end = X[:N_LINES], X[N_LINES:]
    hidden = [at @ estimator.coefs_[0] + estimator.intercepts_[0] for at in (start, end)]
    crossings = ((hidden[0] < 0.0) != (hidden[1] < 0.0)).sum(axis=1)
    question, _ = ask(estimator, X, response_method="raw")
    line, _, _ = question.walk(X)[0].pieces.split(start, end)
    np.testing.assert_array_equal(np.bincount(line), crossings + 1)


def test_blocks_of_lines_make_no_difference(monkeypatch):
    estimator = MLPClassifier((20, 20), **SHORT).fit(X, TARGETS["three"])
    pieces = ask(estimator, X)[0].walk(X)[0].pieces
    whole = pieces.split(X[:N_LINES], X[N_LINES:])
    monkeypatch.setattr(rectifier_lines, "BLOCK_SIZE", 7 * 40 * 20)
    for found, expected in zip(pieces.split(X[:N_LINES], X[N_LINES:]), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_line_of_no_length_is_one_stretch_and_sparse_ends_are_as_good():
    estimator = MLPClassifier(**SHORT).fit(X, TARGETS["two"])
    pieces = ask(estimator, X)[0].walk(X)[0].pieces
    line, t0, t1 = pieces.split(X[:3], X[:3])
    np.testing.assert_array_equal([line, t0, t1], [[0, 1, 2], [0, 0, 0], [1, 1, 1]])
    sides = X[:5], X[5:10]
    dense = pieces.split(*sides)
    for found, expected in zip(pieces.split(*map(sparse.csr_array, sides)), dense, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("network", ["layer", "robust", "gates"])
def test_other_networks_have_no_pieces(network):
    estimator = MLPClassifier(**SHORT | NETWORKS[network]).fit(X, TARGETS["two"])
    assert ask(estimator, X)[0].walk(X)[0].pieces is None
