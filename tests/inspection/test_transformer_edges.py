"""Where transformers bend, jump, clip, impute or pass on, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from derivatives import assert_jacobian, differences
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.decomposition import NMF, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomTreesEmbedding, VotingRegressor
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import RFE
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.impute._iterative import IterativeImputer
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    KernelCenterer,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from tolerances import FINITE_DIFFERENCE, arithmetic

from skgrad import LogisticRegression, PoissonRegressor, Ridge
from skgrad.inspection import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    input_gradients,
    input_jacobian,
    register_jacobian,
    vjp,
)
from skgrad.inspection.chain import SEVERAL, Walk, rules
from skgrad.inspection.transformers.encoders import one_hot_owners
from skgrad.inspection.transformers.iterative_imputer import empty_columns
from skgrad.inspection.transformers.polynomials import factors
from skgrad.inspection.transformers.powers import scale_after

EXACT = arithmetic("float64")


def local_of(step, X):
    return Walk(np.arange(X.shape[1]), [f"x{j}" for j in range(X.shape[1])]).transform(step, X)


@pytest.fixture(name="X")
def numbers():
    return np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 5.0, 0.2] + [0.0, 9.0, 0.0]


@pytest.fixture
def gaps(X):
    X[::5, 0] = np.nan
    X[1::7, 2] = np.nan
    return X


# Splines


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_splines_beyond_their_knots(X, extrapolation, degree, bias):
    step = SplineTransformer(6, degree=degree, extrapolation=extrapolation, include_bias=bias)
    step.fit(X)
    rows = X.mean(axis=0) + X.std(axis=0) * np.linspace(-7.3, 7.1, 24)[:, None]
    found = input_jacobian(step, rows)
    assert_jacobian(found, differences(step, rows), rtol=FINITE_DIFFERENCE)
    still = (found == 0.0).all(axis=(1, 2))
    assert still[[0, -1]].all() == (extrapolation == "constant")


def test_splines_of_missing_entries_do_not_move(gaps):
    step = SplineTransformer(4, handle_missing="zeros").fit(gaps)
    jacobian = input_jacobian(step, gaps)
    missing = np.isnan(gaps[:, 0])
    assert (jacobian[missing, :, 0] == 0.0).all()
    assert (jacobian[~missing, :, 0] != 0.0).any(axis=1).all()


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "periodic"])
@pytest.mark.parametrize("degree", [1, 3])
def test_spline_of_constant_column_is_finite(X, extrapolation, degree):
    X[:, 1] = 4.0
    step = SplineTransformer(4, degree=degree, extrapolation=extrapolation).fit(X)
    assert np.isfinite(input_jacobian(step, X)).all()


def test_splines_of_degree_zero_are_refused(X):
    with pytest.raises(NonDifferentiableError, match="degree=0 is piecewise constant"):
        input_jacobian(SplineTransformer(4, degree=0).fit(X), X)


# Quantiles and powers


def test_quantiles_are_flat_beyond_the_data(X):
    step = QuantileTransformer(n_quantiles=20).fit(X)
    rows = np.stack([X.min(axis=0) - 1.0, X.max(axis=0) + 1.0, np.median(X, axis=0)])
    jacobian = input_jacobian(step, rows)
    assert (jacobian[:2] == 0.0).all()
    assert (np.diagonal(jacobian[2]) > 0.0).all()


def test_normal_quantiles_are_flat_where_they_are_clipped(X):
    step = QuantileTransformer(n_quantiles=60, output_distribution="normal").fit(X)
    first = np.sort(X, axis=0)[0]
    rows = first + np.array([[1e-9], [1e-2]]) * X.std(axis=0)
    assert (step.transform(rows)[0] < -5.19).all()
    jacobian = input_jacobian(step, rows)
    assert (jacobian[0] == 0.0).all()
    np.testing.assert_allclose(jacobian[1], differences(step, rows)[1], rtol=FINITE_DIFFERENCE)


def test_jump_of_quantiles_is_refused_only_where_a_row_stands(X):
    X[:30, 0] = 0.0
    step = QuantileTransformer(n_quantiles=20).fit(X)
    away = X[30:35]
    assert_jacobian(input_jacobian(step, away), differences(step, away), rtol=FINITE_DIFFERENCE)
    with pytest.raises(NonDifferentiableError, match="jumps at values that many rows share"):
        input_jacobian(step, X[:5])
    with pytest.raises(NonDifferentiableError, match="stored entries"):
        input_jacobian(step, sparse.csr_array(np.abs(X)))


def test_missing_entries_send_nothing_back_through_quantiles_and_powers(gaps):
    for step in (QuantileTransformer(n_quantiles=20), PowerTransformer()):
        pipeline = make_pipeline(step, SimpleImputer()).fit(gaps)
        jacobian = input_jacobian(pipeline, gaps)
        assert np.isfinite(jacobian).all()
        assert (jacobian[np.isnan(gaps[:, 0]), :, 0] == 0.0).all()


@pytest.mark.parametrize("method", ["box-cox", "yeo-johnson"])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_scale_of_power_transformer_is_found(method, shift):
    X = shift + np.random.default_rng(1).lognormal(size=(200, 3)) * [1.0, 20.0, 1e-2]
    step = PowerTransformer(method).fit(X)
    # scikit-learn's own scale, which is private, says the same.
    np.testing.assert_allclose(scale_after(step, X), 1.0 / step._scaler.scale_, rtol=1e-6)


# Polynomials


@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize(
    ("degree", "bias"),
    [(0, True), *((d, b) for d in (1, 3, (0, 2), (2, 3), (2, 2)) for b in (False, True))],
)
def test_factors_of_polynomials_are_their_powers(X, degree, interaction_only, bias):
    step = PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=bias).fit(X)
    powers = [np.bincount(row, minlength=3) for group in factors(step) for row in group]
    np.testing.assert_array_equal(powers, step.powers_)


def test_sources_of_polynomials_are_single_columns_or_several(X):
    local = local_of(PolynomialFeatures(2, include_bias=False).fit(X), X)
    assert local.sources.tolist() == [0, 1, 2, 0, SEVERAL, SEVERAL, 1, SEVERAL, 2]
    assert not local.affine
    assert local_of(PolynomialFeatures(1).fit(X), X).affine


# Norms and kernels


def test_row_of_zeros_is_divided_by_one():
    X = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(input_jacobian(Normalizer().fit(X), X)[0], np.eye(2))


def test_sublinear_counts_match_differences_where_there_are_some():
    counts = np.random.default_rng(0).poisson(1.0, size=(20, 5)).astype(np.float64)
    step = TfidfTransformer(sublinear_tf=True).fit(counts)
    found = input_jacobian(step, counts)
    present = counts > 0.0
    full = present.all(axis=1)
    assert full.any()
    exact = differences(step, counts[full])
    assert_jacobian(found[full], exact, rtol=FINITE_DIFFERENCE)
    assert (np.moveaxis(found, 1, 2)[~present] == 0.0).all()


def test_precomputed_kernels_are_affine(X):
    K = X @ X.T
    for step in (KernelCenterer(), KernelPCA(2, kernel="precomputed")):
        step.fit(K)
        assert_jacobian(input_jacobian(step, K[:3]), differences(step, K[:3]), FINITE_DIFFERENCE)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Nystroem(lambda x, y: x @ y, n_components=5), "has a kernel whose derivative"),
        (KernelPCA(2, kernel=lambda x, y: x @ y), "has a kernel whose derivative"),
        (RandomTreesEmbedding(5), "is piecewise constant"),
        (KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), "is piecewise constant"),
        (Binarizer(), "is piecewise constant"),
        (VotingRegressor([("ridge", Ridge())]), "no rule for the derivative of its transform"),
        (NMF(2, tol=0.1), "has no rule for its derivative and is not affine"),
        (AdditiveChi2Sampler(), "has infinite slopes where entries are 0"),
    ],
)
def test_steps_without_derivative_are_refused_by_name(X, step, message):
    X = np.maximum(X, 0.0) if "Chi2" in type(step).__name__ else np.abs(X)
    step = clone(step).fit(X, X[:, 0])
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), step)
    with pytest.raises(NonDifferentiableError, match=f"{type(step).__name__}.*{message}"):
        input_jacobian(pipeline.fit(X, X[:, 0]), X)


def test_derivative_that_a_user_registers_comes_before_a_refusal(X, monkeypatch):
    for registry in ("_RULES", "_TRANSFORM_RULES"):
        monkeypatch.setattr(rules, registry, dict(getattr(rules, registry)))
    register_jacobian(Binarizer, lambda step, X, cotangent: 7.0 * cotangent)
    jacobian = input_jacobian(Binarizer().fit(X), X)
    np.testing.assert_array_equal(jacobian, np.tile(7.0 * np.eye(3), (60, 1, 1)))


def test_differences_stand_in_for_what_has_no_rule(X):
    X = np.abs(X)
    pipeline = make_pipeline(NMF(2, tol=0.1), Ridge()).fit(X, X[:, 0])
    with pytest.warns(FiniteDifferenceWarning, match="NMF has no rule"):
        slopes = input_gradients(pipeline, X, fallback="difference")
    up, down = X.copy(), X.copy()
    up[:, 0] += 0.5 * X[:, 0].std()
    down[:, 0] = np.maximum(down[:, 0] - 0.5 * X[:, 0].std(), 0.0)  # NMF refuses negative numbers
    expected = (pipeline.predict(up) - pipeline.predict(down)) / (up - down)[:, 0]
    np.testing.assert_allclose(slopes[:, 0], expected, rtol=1e-8, atol=1e-10)


# Imputers


def test_iterative_imputer_goes_back_through_its_regressions(gaps):
    for options in ({}, {"max_iter": 2, "tol": 1e3}, {"add_indicator": True}):
        step = IterativeImputer(Ridge(), max_iter=30, random_state=0).set_params(**options)
        step.fit(gaps)
        found = input_jacobian(step, gaps)
        expected = differences(step, gaps)
        np.testing.assert_allclose(found, np.nan_to_num(expected), rtol=1e-6, atol=1e-8)
        missing = np.isnan(gaps[:, 0])
        assert (found[missing, 0, 1] != 0.0).all()


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_iterative_imputer_with_nonlinear_regression_limits_and_empty_column(gaps):
    rng = np.random.default_rng(3)
    gaps = np.abs(np.column_stack([gaps, np.full(60, np.nan), rng.normal(size=60)]))
    limits = {"min_value": [0.3, 0, 0, 0, 0], "max_value": [0.9, 99, 0.15, 9, 9]}
    for keep, regressor in ((True, Ridge()), (False, PoissonRegressor())):
        imputer = IterativeImputer(
            regressor,
            max_iter=3,
            tol=1e3,
            keep_empty_features=keep,
            random_state=0,
            **limits,
        ).fit(gaps)
        np.testing.assert_array_equal(empty_columns(imputer), np.isnan(gaps).all(axis=0))
        found, expected = input_jacobian(imputer, gaps), np.nan_to_num(differences(imputer, gaps))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
        clipped = np.isnan(gaps[:, 0]) & (found[:, 0] == 0.0).all(axis=1)
        assert clipped.any()
        assert (np.isnan(gaps[:, 0]) & ~clipped).any()


def test_iterative_imputer_of_a_frame(gaps):
    frame = pd.DataFrame(gaps, columns=list("abc"))
    step = IterativeImputer(Ridge(), random_state=0).fit(frame)
    expected = input_jacobian(IterativeImputer(Ridge(), random_state=0).fit(gaps), gaps)
    np.testing.assert_array_equal(input_jacobian(step, frame), expected)


def test_random_imputations_are_refused(gaps):
    step = IterativeImputer(sample_posterior=True, random_state=0).fit(gaps)
    with pytest.raises(NonDifferentiableError, match="draws what it imputes at random"):
        input_jacobian(step, gaps)
    full = gaps[~np.isnan(gaps).any(axis=1)]
    np.testing.assert_array_equal(input_jacobian(step, full), np.tile(np.eye(3), (len(full), 1, 1)))


def test_nearest_rows_pass_on_what_is_there_and_refuse_gaps(gaps):
    gaps = np.column_stack([np.full(60, np.nan), gaps])
    step = KNNImputer(add_indicator=True).fit(gaps)
    full = gaps[~np.isnan(gaps[:, 1:]).any(axis=1)]
    expected = np.zeros((6, 4))
    expected[:3, 1:] = np.eye(3)
    np.testing.assert_array_equal(input_jacobian(step, full)[0], expected)
    with pytest.raises(NonDifferentiableError, match="nearest rows, which change in jumps"):
        input_jacobian(step, gaps)


def test_differences_stand_in_for_nearest_rows(gaps):
    pipeline = make_pipeline(KNNImputer(), Ridge()).fit(gaps, np.arange(60.0))
    with pytest.warns(FiniteDifferenceWarning, match="KNNImputer"):
        gradients = input_gradients(pipeline, gaps, fallback="difference")
    full = ~np.isnan(gaps).any(axis=1)
    expected = np.tile(pipeline[-1].coef_, (full.sum(), 1))
    np.testing.assert_allclose(gradients[full], expected, rtol=1e-10)
    assert (gradients[np.isnan(gaps)] == 0.0).all()


def test_differences_at_missing_entries_are_zero(gaps):
    square = FunctionTransformer(lambda X: X * X)
    pipeline = make_pipeline(square, SimpleImputer(), Ridge()).fit(gaps, np.arange(60.0))
    with pytest.warns(FiniteDifferenceWarning, match="derivative is not known"):
        slopes = input_gradients(pipeline, gaps, fallback="difference")
    expected = 2.0 * gaps * pipeline[-1].coef_
    np.testing.assert_allclose(slopes, np.nan_to_num(expected), rtol=1e-9, atol=1e-12)


def test_numbers_have_a_derivative_next_to_their_indicators(gaps):
    union = make_union(SimpleImputer(), MissingIndicator()).fit(gaps)
    expected = np.tile(np.vstack([np.eye(3), np.zeros((2, 3))]), (60, 1, 1))
    expected *= ~np.isnan(gaps)[:, None, :]
    np.testing.assert_array_equal(input_jacobian(union, gaps), expected)


@pytest.mark.parametrize("step", [SimpleImputer(), IterativeImputer(Ridge()), MissingIndicator()])
def test_imputers_are_affine_only_where_nothing_is_missing(gaps, step):
    step = clone(step).fit(gaps)
    assert not local_of(step, gaps).affine
    assert local_of(step, gaps[~np.isnan(gaps).any(axis=1)]).affine


@pytest.mark.parametrize("marker", [np.nan, -1.0])
def test_imputer_of_sparse_data_passes_on_what_is_there(X, marker):
    X[np.abs(X) < 0.3] = 0.0
    X[::4, 1] = marker
    data = sparse.csr_array(X)
    jacobian = input_jacobian(SimpleImputer(missing_values=marker).fit(data), data)
    expected = np.tile(np.eye(3), (60, 1, 1))
    expected[::4, 1, 1] = 0.0
    np.testing.assert_array_equal(jacobian, expected)


def test_imputer_of_nullable_integers_passes_on_what_is_there():
    frame = pd.DataFrame({"age": pd.array([1, None, 3], dtype="Int64"), "debt": [0.5, 1.0, np.nan]})
    pipeline = make_pipeline(SimpleImputer(), StandardScaler()).fit(frame)
    jacobian = input_jacobian(pipeline, frame)
    assert (jacobian[:, 0, 0] != 0.0).tolist() == [True, False, True]
    assert (jacobian[:, 1, 1] != 0.0).tolist() == [True, True, False]


# Steps that predict as well


def test_discriminants_and_eliminations_serve_as_steps_and_as_predictors():
    X, y = make_regression(80, 4, random_state=0)
    y = y > 0.0
    for first in (LinearDiscriminantAnalysis(), make_pipeline(LinearDiscriminantAnalysis())):
        pipeline = make_pipeline(StandardScaler(), first, SklearnLogisticRegression()).fit(X, y)
        directions = getattr(first, "steps", [("", first)])[-1][1].scalings_[:, 0]
        expected = directions / X.std(axis=0) * pipeline[-1].coef_[0, 0]
        np.testing.assert_allclose(input_gradients(pipeline, X)[0], expected, rtol=EXACT)
    elimination = RFE(LogisticRegression(), n_features_to_select=2)
    pipeline = make_pipeline(StandardScaler(), elimination).fit(X, y)
    expected = np.zeros(4)
    expected[elimination.support_] = elimination.estimator_.coef_[0]
    gradients = input_gradients(pipeline, X)
    np.testing.assert_allclose(gradients[0], expected / X.std(axis=0), rtol=EXACT)


# Owners


def test_one_hot_owners_for_columns_of_any_name():
    frame = pd.DataFrame({"feature": list("aabb"), "a_b": list("xyzz"), "a": list("bbbb")})
    assert one_hot_owners(OneHotEncoder().fit(frame)).tolist() == [0, 0, 1, 1, 1, 2]
    assert one_hot_owners(OneHotEncoder(drop="first").fit(frame)).tolist() == [0, 1, 1]


def test_pull_may_be_called_again(X):
    step = FeatureUnion([("splines", SplineTransformer()), ("powers", PowerTransformer())]).fit(X)
    local = local_of(step, X)
    cotangent = np.random.default_rng(0).normal(size=local.value.shape)
    first = local.pull(cotangent)
    np.testing.assert_array_equal(local.pull(cotangent), first)
    np.testing.assert_array_equal(vjp(step, X, cotangent), first)
