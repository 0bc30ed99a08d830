"""``feature_importances_`` of every estimator: mean |derivative| times standard deviation."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from tolerances import FINITE_DIFFERENCE, arithmetic, coefficients

import skgrad
from skgrad import (
    HuberRegressor,
    Lasso,
    LinearRegression,
    LinearSVC,
    LogisticRegression,
    MLPClassifier,
    MLPRegressor,
    QuantileRegressor,
    Ridge,
)
from skgrad.neural_network._importances import affordable_rows, evenly_spaced
from skgrad.solvers import SGD

# A few epochs are enough to tell whether derivatives are right.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
EVERY = [getattr(skgrad, name) for name in skgrad.__all__ if name[0].isupper()]
NETWORKS = [
    {},
    {"input_scaling": "robust", "learn_input_scale": True},
    {"input_scaling": "standard"},
    {"normalization": "batch", "batch_size": 50},
    {"normalization": "layer", "residual": True, "hidden_layer_sizes": (8, 8)},
    {"dropout": 0.2},
]


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def expected(coef, X, sample_weight=None):
    """The definition, for a linear model."""
    mean = np.average(X, axis=0, weights=sample_weight)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=sample_weight))
    size = np.abs(np.atleast_2d(coef)).mean(axis=0) * deviation
    return size / size.sum()


def by_differences(raw, X, sample_weight=None):
    """The definition, for any model."""
    slopes = []
    for j in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[j] = 1e-5 * X[:, j].std()
        change = (raw(X + step) - raw(X - step)).reshape(len(X), -1) / (2.0 * step[j])
        slopes.append(np.average(np.abs(change).mean(axis=1), weights=sample_weight))
    return expected(slopes, X, sample_weight)


@pytest.mark.parametrize("Estimator", EVERY)
def test_every_estimator_has_importances_after_the_fit_only(Estimator, iris):
    estimator = Estimator()
    assert not hasattr(estimator, "feature_importances_")
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        estimator.feature_importances_  # noqa: B018
    if issubclass(Estimator, MLPClassifier | MLPRegressor):
        estimator.set_params(max_iter=2)
    if Estimator is QuantileRegressor:
        estimator.set_params(alpha=0.01)  # with the default no feature is worth its penalty
    estimator.fit(*iris)
    importances = estimator.feature_importances_
    assert importances.shape == (4,)
    assert importances.dtype == np.float64
    assert (importances >= 0).all()
    assert importances.sum() == pytest.approx(1.0, rel=arithmetic("float32"))
    assert not hasattr(clone(estimator), "feature_importances_")
    restored = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(restored.feature_importances_, importances)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "sgd", "newton"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_linear_importances_follow_the_definition(iris, solver, fit_intercept, dtype, is_sparse):
    X, y = iris
    X = (X * [1.0, 1e-4, 1e3, 1.0] + [0.0, 0.0, 0.0, 50.0]).astype(dtype)
    given = sparse.csr_array(X) if is_sparse else X
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    classifier = LogisticRegression(solver=solver, fit_intercept=fit_intercept, tol=0.1)
    classifier.fit(given, y, weight)
    truth = expected(classifier.coef_, X.astype(np.float64), weight)
    rtol = arithmetic(dtype) * 10.0
    np.testing.assert_allclose(classifier.feature_importances_, truth, rtol=rtol)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize(
    "estimator", [Ridge(), Lasso(alpha=0.01), LogisticRegression(solver="sgd", tol=0.1)]
)
def test_importances_of_large_data_need_no_more_digits(estimator, is_sparse, fit_intercept):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60_000, 20)) * np.geomspace(1e-2, 1e2, 20) * (rng.random(20) < 0.9)
    X[:, 3] += 1e-1
    X[rng.random(X.shape) < 0.7 * is_sparse] = 0.0
    y = (X @ np.geomspace(1e2, 1e-2, 20) > 0).astype(float)
    estimator = clone(estimator).set_params(fit_intercept=fit_intercept)
    estimator.fit(sparse.csr_array(X) if is_sparse else X, y)
    truth = expected(estimator.coef_, X)
    rtol = coefficients("float64")  # second moments of large data have seven digits
    np.testing.assert_allclose(estimator.feature_importances_, truth, rtol=rtol)


@pytest.mark.parametrize("estimator", [Ridge(), LogisticRegression(), LinearSVC()])
def test_importances_of_wide_data(estimator):
    X = np.random.default_rng(2).normal(size=(30, 80)) + 5.0
    estimator = clone(estimator).fit(X, X[:, 0] > 5.0)
    truth = expected(estimator.coef_, X)
    np.testing.assert_allclose(
        estimator.feature_importances_, truth, rtol=arithmetic("float64") * 10.0
    )


def test_weights_are_repeated_rows(iris):
    X, y = iris
    weight = np.random.default_rng(3).integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    for estimator in (HuberRegressor(), MLPRegressor(solver="lbfgs", max_iter=3)):
        estimator.set_params(**({"random_state": 0} if "random_state" in vars(estimator) else {}))
        weighted = clone(estimator).fit(X, y, weight).feature_importances_
        repeated = clone(estimator).fit(X[rows], y[rows]).feature_importances_
        np.testing.assert_allclose(weighted, repeated, rtol=coefficients("float64"))


def test_irrelevant_and_constant_features_are_worth_nothing(iris):
    X, y = iris
    X = np.column_stack([X, np.full(len(X), 0.1)])
    for estimator in (LogisticRegression(), MLPClassifier(max_iter=2)):
        assert estimator.fit(X, y).feature_importances_[4] == 0.0
    nothing = Lasso(alpha=1e9).fit(X, y).feature_importances_
    np.testing.assert_array_equal(nothing, np.zeros(5))
    single = LinearRegression().fit(X[:, :1], y).feature_importances_
    np.testing.assert_array_equal(single, [1.0])


@pytest.mark.parametrize("options", NETWORKS)
def test_importances_of_networks_match_differences(options, iris):
    X, y = iris
    weight = np.random.default_rng(4).integers(1, 4, len(y)).astype(float)
    options = {"hidden_layer_sizes": (8,), **options}
    network = MLPClassifier(
        activation="tanh", dtype="float64", random_state=0, max_iter=5,
        **options,
    ).fit(X, y, weight)  # fmt: skip
    truth = by_differences(network.decision_function, X, weight)
    np.testing.assert_allclose(network.feature_importances_, truth, rtol=FINITE_DIFFERENCE)


def test_sparse_rows_of_networks_have_the_importances_of_dense_ones(iris):
    X, y = np.where(iris[0] > 1.0, iris[0], 0.0), iris[1]
    network = MLPRegressor(solver="lbfgs", random_state=0, max_iter=5)
    dense = clone(network).fit(X, y).feature_importances_
    same = clone(network).fit(sparse.csr_array(X), y).feature_importances_
    np.testing.assert_allclose(same, dense, rtol=coefficients("float64"))


def test_work_on_importances_is_limited():
    network = MLPClassifier(max_iter=1).fit(*load_iris(return_X_y=True))
    network = network.network_
    assert affordable_rows(network, 150, in_stream=False) >= 150
    millions = affordable_rows(network, 30_000_000, in_stream=False)
    assert 9_000_000 <= millions <= 10_000_000  # three outputs
    assert affordable_rows(network, 120_000, in_stream=True) == 10_000
    rows = evenly_spaced(1000, 300)
    assert len(rows) <= 300
    assert set(np.diff(rows)) == {4}
    np.testing.assert_array_equal(evenly_spaced(10, 10), np.arange(10))


def test_a_stream_remembers_the_moments_of_all_its_chunks(iris):
    rng = np.random.default_rng(5)
    order, weight = rng.permutation(150), rng.integers(0, 3, 150)
    X, y = iris[0][order], iris[1][order]
    X[50:100] += 0.5  # a chunk that lies elsewhere
    stream = LogisticRegression(solver=SGD(0.01, batch_size=10))
    for start in range(0, 150, 50):
        rows = slice(start, start + 50)
        stream.partial_fit(X[rows], y[rows], [0, 1, 2], weight[rows])
        stream = pickle.loads(pickle.dumps(stream))
    truth = expected(stream.coef_, X, weight)
    np.testing.assert_allclose(stream.feature_importances_, truth, rtol=arithmetic("float64"))
    with pytest.raises(ValueError, match="features"):
        stream.partial_fit(X[:, :2], y)
    np.testing.assert_allclose(stream.feature_importances_, truth, rtol=arithmetic("float64"))


def test_a_stream_of_a_network_looks_at_the_last_chunk(iris):
    X, y = iris
    network = MLPRegressor(activation="tanh", dtype="float64", random_state=0)
    network.partial_fit(X[:75], y[:75]).partial_fit(X[75:], y[75:])
    truth = by_differences(network.predict, X[75:])
    np.testing.assert_allclose(network.feature_importances_, truth, rtol=FINITE_DIFFERENCE)


def test_importances_survive_sparsify_and_follow_warm_starts(iris):
    X, y = iris
    classifier = LogisticRegression(warm_start=True).fit(X, y)
    before = classifier.feature_importances_
    sparsified = pickle.loads(pickle.dumps(classifier)).sparsify()
    np.testing.assert_allclose(sparsified.feature_importances_, before, rtol=arithmetic("float64"))
    classifier.fit(X[:, ::-1], y)
    np.testing.assert_allclose(
        classifier.feature_importances_, before[::-1], rtol=coefficients("float32")
    )


def test_a_failed_fit_leaves_no_importances(iris):
    X, y = iris
    for estimator in (LogisticRegression(C=1.0), MLPClassifier()):
        with pytest.raises(ValueError, match="NaN"):
            estimator.fit(np.where(X > 7.0, np.nan, X), y)
        assert not hasattr(estimator, "feature_importances_")


def test_a_pickle_of_a_network_is_hardly_larger_than_its_parameters():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 2000)).astype(np.float32)
    network = MLPClassifier((50,), max_iter=1)
    network.fit(X, X[:, 0] > 0)
    size = sum(part.nbytes for part in [*network.coefs_, *network.intercepts_])
    assert len(pickle.dumps(network)) < 1.1 * size


@pytest.mark.parametrize("estimator", [LinearRegression(), MLPRegressor(max_iter=20)])
def test_selection_by_importances(estimator):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 8)) * np.geomspace(1e-1, 1e1, 8)
    y = 3.0 * X[:, 2] / X[:, 2].std() - 2.0 * X[:, 5] / X[:, 5].std()
    if isinstance(estimator, MLPRegressor):
        X = X / X.std(axis=0)
        estimator.set_params(random_state=0, solver="lbfgs", alpha=1.0)
    getter = "feature_importances_"
    selectors = [
        SelectFromModel(estimator, importance_getter=getter, threshold="1.5*mean"),
        RFE(estimator, n_features_to_select=2, importance_getter=getter),
        RFECV(estimator, min_features_to_select=2, cv=2, importance_getter=getter),
    ]
    for selector in selectors:
        assert {2, 5} <= set(np.flatnonzero(selector.fit(X, y).get_support()))
    assert [list(np.flatnonzero(s.get_support())) for s in selectors[:2]] == [[2, 5], [2, 5]]


def test_networks_are_ranked_without_naming_the_attribute():
    X, y = load_diabetes(return_X_y=True)
    network = MLPRegressor(solver="lbfgs", max_iter=5, random_state=0)
    selected = SelectFromModel(network, max_features=3, threshold=-np.inf).fit(X, y)
    best = np.argsort(selected.estimator_.feature_importances_)[-3:]
    assert set(np.flatnonzero(selected.get_support())) == set(best)
