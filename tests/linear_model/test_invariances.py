"""What must not change an answer."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from tolerances import coefficients

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression

TIGHT = {"tol": 1e-12, "max_iter": 20_000}
PENALISED = [
    LogisticRegression(C=0.5, **TIGHT),
    LogisticRegression(C=0.5, l1_ratio=0.6, **TIGHT),
    LogisticRegression(C=0.5, class_weight="balanced", **TIGHT),
    LogisticRegression(C=0.5, fit_intercept=False, **TIGHT),
    LinearSVC(C=0.5, **TIGHT),
    LinearSVC(C=0.5, loss="hinge", **TIGHT),
    LinearSVC(C=0.5, class_weight="balanced", **TIGHT),
    LinearSVR(C=0.5, epsilon=0.1, **TIGHT),
    LinearSVR(C=0.5, loss="squared_epsilon_insensitive", **TIGHT),
    LinearRegression(alpha=0.2, **TIGHT),
    LinearRegression(alpha=0.2, l1_ratio=0.7, **TIGHT),
    LinearRegression(alpha=0.2, l1_ratio=0.7, positive=True, **TIGHT),
    LinearRegression(loss="huber", alpha=0.1, **TIGHT),
    LinearRegression(loss="quantile", alpha=0.1, **TIGHT),
    LinearRegression(loss="poisson", alpha=0.1, **TIGHT),
]
UNPENALISED = [
    LogisticRegression(C=np.inf, **TIGHT),
    LinearRegression(**TIGHT),
    LinearRegression(loss="huber", **TIGHT),
    LinearRegression(loss="absolute_error", **TIGHT),
    LinearRegression(loss="poisson", **TIGHT),
]
every_estimator = pytest.mark.parametrize("estimator", PENALISED, ids=repr)
unpenalised = pytest.mark.parametrize("estimator", UNPENALISED, ids=repr)


def draw(estimator, rng, n_samples=90, n_classes=3):
    """Rows and targets for an estimator: three noisy classes, or positive numbers."""
    X = rng.normal(size=(n_samples, 4)) * [1.0, 0.5, 2.0, 1.0] + 0.3
    if is_classifier(estimator):
        scores = X @ rng.normal(size=(4, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
        return X, np.array(["ant", "bee", "cat"])[scores.argmax(axis=1)]
    return X, np.exp(0.3 * X @ rng.normal(size=4) + 0.3 * rng.normal(size=n_samples))


def fit(estimator, X, y, sample_weight=None):
    return clone(estimator).fit(X, y, sample_weight=sample_weight)


def assert_same(one, other, dtype=float):
    tolerance = coefficients(dtype)
    scale = np.abs(one.coef_).max()
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_allclose(
        other.intercept_, one.intercept_, rtol=tolerance, atol=tolerance * scale
    )


@every_estimator
def test_weight_k_is_the_row_k_times(estimator, rng):
    X, y = draw(estimator, rng)
    times = rng.integers(0, 4, len(y))
    repeated = fit(estimator, np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_same(repeated, fit(estimator, X, y, times))


@every_estimator
def test_weight_zero_is_the_row_gone(estimator, rng):
    X, y = draw(estimator, rng)
    keep = rng.random(len(y)) < 0.7
    garbage = np.where(keep[:, None], X, 1e6)
    assert_same(fit(estimator, X[keep], y[keep]), fit(estimator, garbage, y, keep.astype(float)))


@every_estimator
def test_weights_of_one_are_no_weights(estimator, rng):
    X, y = draw(estimator, rng)
    assert_same(fit(estimator, X, y), fit(estimator, X, y, np.ones(len(y))))


@pytest.mark.parametrize("estimator", [e for e in PENALISED if hasattr(e, "alpha")], ids=repr)
def test_only_relative_weights_matter_with_alpha(estimator, rng):
    X, y = draw(estimator, rng)
    weight = rng.uniform(0.5, 2.0, len(y))
    assert_same(fit(estimator, X, y, weight), fit(estimator, X, y, 100 * weight))


@pytest.mark.parametrize("estimator", [e for e in PENALISED if hasattr(e, "C")], ids=repr)
def test_weights_scale_c(estimator, rng):
    X, y = draw(estimator, rng)
    if getattr(estimator, "class_weight", None) == "balanced":
        pytest.skip("balanced weights depend on the weights' sum")
    double = clone(estimator).set_params(C=2 * estimator.C)
    assert_same(fit(double, X, y), fit(estimator, X, y, np.full(len(y), 2.0)))


@every_estimator
def test_order_of_rows_and_columns(estimator, rng):
    X, y = draw(estimator, rng)
    rows, columns = rng.permutation(len(y)), rng.permutation(4)
    one, other = fit(estimator, X, y), fit(estimator, X[rows][:, columns], y[rows])
    one.coef_ = one.coef_[..., columns]
    assert_same(one, other)


@unpenalised
def test_scale_and_place_of_columns(estimator, rng):
    X, y = draw(estimator, rng, n_samples=91)
    moved = X * [1e-3, 1e3, -7.0, 1.0] + [10.0, -1e4, 3.0, 0.0]
    one, other = fit(estimator, X, y), fit(estimator, moved, y)
    predict = "predict_proba" if is_classifier(estimator) else "predict"
    expected, actual = getattr(one, predict)(X), getattr(other, predict)(moved)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


@every_estimator
def test_place_of_columns_with_intercept(estimator, rng):
    if not estimator.fit_intercept:
        pytest.skip("without intercept the origin matters")
    X, y = draw(estimator, rng)
    moved = X + np.array([10.0, -5.0, 100.0, 0.0])
    one, other = fit(estimator, X, y), fit(estimator, moved, y)
    predict = "predict_proba" if hasattr(one, "predict_proba") else "predict"
    expected, actual = getattr(one, predict)(X), getattr(other, predict)(moved)
    if isinstance(one, LinearSVC):
        expected, actual = one.decision_function(X), other.decision_function(moved)
    scale = np.abs(one.coef_).max()
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-6, atol=1e-6 * scale)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("estimator", [e for e in PENALISED if is_classifier(e)], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_relabelled_classes(estimator, n_classes, rng):
    X, y = draw(estimator, rng, n_classes=n_classes)
    names = {"ant": 7, "bee": -1, "cat": 3}
    one, other = fit(estimator, X, y), fit(estimator, X, np.array([names[label] for label in y]))
    relabelled = [names[label] for label in one.predict(X)]
    np.testing.assert_array_equal(other.predict(X), relabelled)
    if n_classes > 2:
        order = [list(one.classes_).index(label) for label in ["bee", "cat", "ant"]]
        np.testing.assert_allclose(other.coef_, one.coef_[order], rtol=1e-5, atol=1e-6)


@every_estimator
@pytest.mark.parametrize("convert", [sparse.csr_array, sparse.csc_array, sparse.coo_matrix])
def test_sparse_is_dense(estimator, convert, rng):
    X, y = draw(estimator, rng)
    X[rng.random(X.shape) < 0.5] = 0.0
    one, other = fit(estimator, X, y), fit(estimator, convert(X), y)
    assert_same(one, other)
    predict = "decision_function" if is_classifier(estimator) else "predict"
    expected, actual = getattr(one, predict)(X), getattr(other, predict)(convert(X))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@every_estimator
def test_sparse_blocks_are_dense(estimator, rng, monkeypatch):
    from skgrad import linalg

    X, y = draw(estimator, rng)
    X[rng.random(X.shape) < 0.5] = 0.0
    one = fit(estimator, X, y)
    monkeypatch.setattr(linalg, "BLOCK_BYTES", 500)
    monkeypatch.setattr(linalg, "SPARSE_BLOCK_BYTES", 500)
    assert_same(one, fit(estimator, sparse.csr_array(X), y))
    assert_same(one, fit(estimator, X, y))


@every_estimator
def test_64_bit_indices(estimator, rng):
    X, y = draw(estimator, rng)
    wide = sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    assert_same(fit(estimator, X, y), fit(estimator, wide, y))


@every_estimator
def test_float32_stays_and_agrees(estimator, rng):
    X, y = draw(estimator, rng)
    estimator = clone(estimator).set_params(tol=1e-6)
    one, other = fit(estimator, X, y), fit(estimator, X.astype(np.float32), y)
    assert other.coef_.dtype == np.float32
    assert np.asarray(other.intercept_).dtype == np.float32 or not estimator.fit_intercept
    for method in ["predict_proba", "decision_function"]:
        if hasattr(other, method):
            assert getattr(other, method)(X.astype(np.float32)).dtype == np.float32
    scale = np.abs(one.coef_).max()
    np.testing.assert_allclose(other.coef_, one.coef_, atol=5 * coefficients("float32") * scale)


@every_estimator
def test_order_of_memory_and_integers(estimator, rng):
    X, y = draw(estimator, rng)
    X = np.round(3 * X)
    one = fit(estimator, X, y)
    for same in [np.asfortranarray(X), X[::-1][::-1], X.astype(int), X.tolist()]:
        assert_same(one, fit(estimator, same, y))


@every_estimator
def test_the_data_stay_as_they_are(estimator, rng):
    X, y = draw(estimator, rng)
    X.flags.writeable = False
    kept = X.copy()
    fit(estimator, X, y).predict(X)
    csr = sparse.csr_array(X)
    csr.data.flags.writeable = False
    fit(estimator, csr, y)
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(csr.toarray(), kept)


def test_outputs_do_not_see_each_other(rng):
    X = rng.normal(size=(60, 4))
    y = X @ rng.normal(size=(4, 3)) + rng.normal(size=(60, 3))
    for options in [
        {},
        {"loss": "huber"},
        {"loss": "absolute_error"},
        {"alpha": 0.1, "l1_ratio": 1.0},
    ]:
        joint = LinearRegression(**options, **TIGHT).fit(X, y)
        for k in range(3):
            single = LinearRegression(**options, **TIGHT).fit(X, y[:, k])
            np.testing.assert_allclose(joint.coef_[k], single.coef_, rtol=1e-5, atol=1e-7)
            assert joint.intercept_[k] == pytest.approx(single.intercept_, rel=1e-5)
