"""Wide data in a basis of their rows: the same answers as in all columns."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from tolerances import arithmetic, coefficients, suboptimality

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression
from skgrad.row_space import RowSpace
from skgrad.solvers import Newton

TIGHT = {"tol": 1e-13, "max_iter": 20_000}
ESTIMATORS = [
    LogisticRegression(C=0.5, **TIGHT),
    LogisticRegression(C=0.5, class_weight="balanced", fit_intercept=False, **TIGHT),
    LinearSVC(C=0.5, **TIGHT),
    LinearRegression(alpha=0.2, **TIGHT),
    LinearRegression(alpha=0.2, fit_intercept=False, **TIGHT),
    LinearRegression("huber", alpha=0.1, **TIGHT),
    LinearSVR(C=0.5, loss="squared_epsilon_insensitive", epsilon=0.1, **TIGHT),
]


@pytest.fixture
def wide(rng):
    X = rng.normal(size=(30, 70)) * np.logspace(-1, 1, 70) + 0.5
    return X, rng.integers(0, 3, size=30), rng.integers(1, 4, size=30).astype(float)


@pytest.mark.parametrize("ridge", [1.0, 0.0])
@pytest.mark.parametrize("centered", [True, False])
def test_basis_is_orthonormal_and_spans_the_rows(wide, ridge, centered):
    X, *_ = wide
    space = RowSpace(X, centered=centered, ridge=ridge)
    v = np.random.default_rng(1).normal(size=(2, space.rows.shape[1] + centered))
    user = space.to_user(v)
    assert user.shape == (2, 70 + centered)
    rank = space.rows.shape[1]
    raw = X @ user[:, :70].T + user[:, 70:].sum(axis=1)
    expected = space.rows @ v[:, :rank].T + v[:, rank:].sum(axis=1)
    np.testing.assert_allclose(raw, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(space.project(X), space.rows, atol=1e-5)
    if not ridge:  # no rank is lost: dependent rows are left out
        assert rank == 30 - centered
        lengths = np.linalg.norm(user[:, :70], axis=1)
        np.testing.assert_allclose(lengths, np.linalg.norm(v[:, :rank], axis=1), rtol=1e-9)
        np.testing.assert_allclose(space.from_user(user), v, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_same_coefficients_as_in_all_columns(estimator, layout, wide):
    X, y, weight = wide
    X = sparse.csr_array(X) if layout == "csr" else X
    one = clone(estimator).fit(X, y, sample_weight=weight)
    other = clone(estimator).set_params(solver="newton").fit(X, y, sample_weight=weight)
    scale = np.abs(other.coef_).max()
    assert one.coef_.shape == other.coef_.shape
    np.testing.assert_allclose(one.coef_, other.coef_, atol=coefficients(float) * scale)
    np.testing.assert_allclose(one.intercept_, other.intercept_, atol=coefficients(float) * scale)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_float32_stays(estimator, wide):
    X, y, _ = wide
    exact = clone(estimator).fit(X, y)
    single = clone(estimator).set_params(tol=1e-7).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    minimum = exact.history_["loss"][-1]
    gap = abs(single.history_["loss"][-1] - minimum) / minimum
    assert gap <= suboptimality(Newton(), np.float32)


@pytest.mark.parametrize("centered", [True, False])
def test_least_squares_interpolates_with_the_smallest_coefficients(centered, wide, rng):
    X, *_ = wide
    y = rng.normal(size=30)
    ols = LinearRegression(fit_intercept=centered).fit(X, y)
    np.testing.assert_allclose(ols.predict(X), y, atol=1e-8)
    Z = X - X.mean(axis=0) if centered else X
    smallest = np.linalg.pinv(Z) @ (y - y.mean() if centered else y)
    np.testing.assert_allclose(ols.coef_, smallest, atol=1e-8)


def test_repeated_rows_and_constant_data(wide, rng):
    X, y, _ = wide
    twice = LinearSVC(C=0.25, **TIGHT).fit(np.vstack([X, X]), np.append(y, y))
    once = LinearSVC(C=0.5, **TIGHT).fit(X, y)
    np.testing.assert_allclose(twice.coef_, once.coef_, atol=1e-8)
    constant = np.full((6, 9), 3.0)
    target = rng.normal(size=6)
    for alpha in [0.0, 1.0]:
        fitted = LinearRegression(alpha=alpha).fit(constant, target)
        assert not fitted.coef_.any()
        assert fitted.intercept_ == pytest.approx(target.mean(), rel=arithmetic(float))


def test_warm_start_goes_on_and_early_stopping_sees_other_rows(wide):
    X, y, _ = wide
    model = LogisticRegression(warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_[0] <= 2
    stopped = LogisticRegression(early_stopping=True, validation_fraction=0.3, random_state=0)
    history = stopped.fit(X, y).history_["validation_loss"]
    assert np.isfinite(history).all()
    assert stopped.coef_.shape == (3, 70)


def test_large_wide_arrays_are_compressed_too_and_nan_is_found(rng):
    X = rng.normal(size=(60, 20_000))
    y = (X[:, 0] > 0).astype(int)
    clf = LogisticRegression().fit(X, y)
    assert isinstance(clf.solver_, Newton)
    reference = LogisticRegression(solver="lbfgs", tol=1e-10).fit(X, y)
    np.testing.assert_allclose(clf.coef_, reference.coef_, rtol=1e-3, atol=1e-6)
    X[3, 7] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LogisticRegression().fit(X, y)
