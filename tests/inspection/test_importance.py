"""Importances and attributions: closed forms, identities, invariances."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression as LeastSquares
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgrad import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from skgrad.inspection import attributions, gradient_importance, input_gradients

METHODS = ["gradient", "gradient_x_input", "integrated", "expected", "smooth", "loss"]
PATHS = ["integrated", "expected"]


@pytest.fixture(scope="module")
def ridge():
    X, y = load_diabetes(return_X_y=True)
    X = X * np.logspace(-2, 2, X.shape[1])
    return Ridge().fit(X, y), X, y


# Closed forms


def test_linear_model_is_rated_by_coefficient_times_deviation(ridge):
    model, X, _ = ridge
    result = gradient_importance(model, X)
    np.testing.assert_allclose(
        result.importances_mean, np.abs(model.coef_) * X.std(axis=0), rtol=1e-12
    )
    assert (result.standard_error == 0.0).all()
    raw = gradient_importance(model, X, scale=None)
    np.testing.assert_allclose(raw.importances_mean, np.abs(model.coef_), rtol=1e-12)


@pytest.mark.parametrize("method", PATHS)
def test_linear_model_contributes_coefficient_times_distance_from_the_mean(ridge, method):
    model, X, _ = ridge
    result = attributions(model, X, method=method)
    expected = model.coef_ * (X - X.mean(axis=0))
    np.testing.assert_allclose(result.attributions, expected, rtol=1e-10, atol=1e-12)
    assert np.abs(result.delta).max() < 1e-11


def test_path_of_a_generalised_linear_model_has_a_closed_form():
    X, y = load_iris(return_X_y=True)
    X = X - X.mean(axis=0)
    model = PoissonRegressor(alpha=1e-3).fit(X, y)
    exact = attributions(model, X, baseline="zero")
    z, z0 = np.log(model.predict(X)), np.log(model.predict(0.0 * X))
    secant = (np.exp(z) - np.exp(z0)) / (z - z0)
    np.testing.assert_allclose(exact.attributions, model.coef_ * X * secant[:, None], rtol=1e-10)
    steps = attributions(model, X, baseline="zero", n_steps=16)
    np.testing.assert_allclose(steps.attributions, exact.attributions, rtol=1e-9, atol=1e-12)


def test_path_through_a_softmax_is_complete_for_every_class():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(C=1e3).fit(X, y)
    result = attributions(model, X, response_method="predict_proba")
    assert result.attributions.shape == (150, 4, 3)
    assert np.abs(result.delta).max() < 1e-12
    total = result.base_values + result.attributions.sum(axis=1)
    np.testing.assert_allclose(total, model.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(result.attributions.sum(axis=2), 0.0, atol=1e-12)


def test_categories_and_numbers_share_a_scale():
    """A column of 0 and 1 is as important as a category as it is as a number."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "flag": rng.choice(["no", "yes"], 300)})
    y = frame["x"] + 0.7 * (frame["flag"] == "yes") + rng.normal(size=300)
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer((OneHotEncoder(), ["flag"]), remainder="passthrough")
    as_category = make_pipeline(columns, LinearRegression()).fit(frame, y)
    numbers = frame.assign(flag=(frame["flag"] == "yes").astype(float))
    as_number = LinearRegression().fit(numbers, y)
    np.testing.assert_allclose(
        gradient_importance(as_category, frame).importances_mean,
        gradient_importance(as_number, numbers).importances_mean,
        rtol=1e-9,
    )


# Identities


@pytest.mark.parametrize("response", ["decision_function", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("method", PATHS)
def test_paths_through_mixed_columns_are_complete(pipeline, people, method, response):
    frame, _ = people
    result = attributions(pipeline, frame, method=method, response_method=response)
    value = np.reshape(getattr(pipeline, response)(frame), (200, -1))[:, -1]
    total = result.base_values + result.attributions.sum(axis=1)
    np.testing.assert_allclose(total, value, atol=1e-10)
    assert np.abs(result.delta).max() < 1e-10


def test_missing_entry_stands_for_what_is_imputed(pipeline, people):
    """Its contribution is that of the mean and the indicator, against the baseline's."""
    frame, _ = people
    result = attributions(pipeline, frame, baseline=frame.iloc[[1]])
    filled = frame.fillna({"age": pipeline[0].transformers_[0][1][0].statistics_[0]})
    of_filled = attributions(pipeline, filled, baseline=frame.iloc[[1]])
    indicator = pipeline[0].transformers_[0][1][1].scale_[2]
    shift = pipeline[-1].coef_[0, 2] / indicator
    difference = result.attributions - of_filled.attributions
    missing = frame["age"].isna()
    np.testing.assert_allclose(difference[missing, 0], shift, rtol=1e-9)
    np.testing.assert_allclose(difference[~missing], 0.0, atol=1e-12)


def test_mean_slope_of_the_loss_vanishes_at_the_optimum():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(tol=1e-12, solver="newton").fit(X, y)
    signed = gradient_importance(model, X, y, method="loss", aggregation="mean")
    sizes = gradient_importance(model, X, y, method="loss")
    # The intercepts are at their optimum: the residuals of each class sum to zero.
    assert np.abs(signed.importances_mean).max() < 1e-8 * sizes.importances_mean.max()


def test_mean_gradient_is_the_slope_of_the_best_line():
    """Stein's identity for Gaussian columns: E grad f = S^-1 Cov(x, f)."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 3))
    X = rng.normal(size=(100_000, 3)) @ mixing
    model = LogisticRegression().fit(X[:500], X[:500, 0] + X[:500, 1] > rng.normal(size=500))
    probability = model.predict_proba(X)[:, 1]
    slope = LeastSquares().fit(X, probability).coef_
    mean = gradient_importance(
        model, X, aggregation="mean", scale=None, response_method="predict_proba"
    )
    np.testing.assert_allclose(mean.importances_mean, slope, atol=1e-2 * np.abs(slope).max())


def test_squared_slopes_bound_what_permutations_change():
    """Poincare's inequality: E (f(x) - f(x with column j permuted))^2 / 2 <= sd^2 E g^2."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 4))
    model = LogisticRegression(C=10.0).fit(X[:400], X[:400] @ [2.0, 1.0, 0.5, 0.0] > 0.0)
    rms = gradient_importance(
        model, X, aggregation="rms", response_method="predict_proba"
    ).importances_mean
    for j in range(4):
        permuted = X.copy()
        permuted[:, j] = rng.permutation(X[:, j])
        change = model.predict_proba(X)[:, 1] - model.predict_proba(permuted)[:, 1]
        noise = 4.0 * (change**2).std() / np.sqrt(len(X))
        assert 0.5 * (change**2).mean() <= rms[j] ** 2 + noise


# Invariances


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_repeated_rows(pipeline, people, method):
    frame, y = people
    weight = np.random.default_rng(0).integers(0, 3, len(frame))
    repeated = frame.iloc[np.repeat(np.arange(len(frame)), weight)]
    options = {"method": method, "baseline": frame.iloc[:1], "n_steps": "auto"}
    weighted = gradient_importance(pipeline, frame, y, sample_weight=weight, **options)
    copies = gradient_importance(pipeline, repeated, np.repeat(y, weight), **options)
    rtol = 0.05 if method == "smooth" else 1e-10  # other draws of noise
    if method in PATHS and method == "expected":
        assert np.abs(weighted.delta) < 1e-10
    np.testing.assert_allclose(weighted.importances_mean, copies.importances_mean, rtol=rtol)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "smooth"])
def test_chunks_make_no_difference(pipeline, people, method):
    frame, y = people
    whole = gradient_importance(pipeline, frame, y, method=method, random_state=0)
    chunked = gradient_importance(pipeline, frame, y, method=method, random_state=0, batch_size=17)
    np.testing.assert_allclose(chunked.importances_mean, whole.importances_mean, rtol=1e-12)
    np.testing.assert_allclose(chunked.standard_error, whole.standard_error, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(chunked.importances, whole.importances, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("aggregation", ["mean_abs", "rms", "max"])
def test_units_of_columns_make_no_difference(method, aggregation):
    X, y = load_iris(return_X_y=True)
    factors = np.array([1e-3, 1.0, 50.0, 1e4])
    options = {"method": method, "aggregation": aggregation, "random_state": 0}
    one, other = (
        gradient_importance(
            make_pipeline(StandardScaler(), LogisticRegression()).fit(data, y), data, y, **options
        )
        for data in (X, X * factors)
    )
    np.testing.assert_allclose(one.importances_mean, other.importances_mean, rtol=1e-7)


def test_sparse_is_dense():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression().fit(X, y)
    for method in ["gradient", "gradient_x_input", "integrated"]:
        dense = gradient_importance(model, X, method=method, response_method="predict_proba")
        csr = gradient_importance(
            model, sparse.csr_array(X), method=method, response_method="predict_proba"
        )
        np.testing.assert_allclose(csr.importances_mean, dense.importances_mean, rtol=1e-10)


def test_constant_and_unused_columns_have_none(ridge):
    _, X, y = ridge
    X = np.column_stack([X, np.ones(len(X))])
    result = gradient_importance(Ridge().fit(X, y), X)
    assert result.importances_mean[-1] == 0.0


def test_groups_sum_with_their_signs(pipeline, people):
    frame, _ = people
    rows = attributions(pipeline, frame).attributions
    grouped = gradient_importance(
        pipeline, frame, method="integrated", feature_groups={"person": ["age", "city"]}
    )
    assert grouped.feature_names.tolist() == ["person", "income", "debt"]
    assert grouped.importances_mean[0] == pytest.approx(np.abs(rows[:, 0] + rows[:, 2]).mean())


def test_rows_are_kept_and_summed_up(pipeline, people):
    frame, _ = people
    result = gradient_importance(pipeline, frame)
    np.testing.assert_allclose(result.importances.mean(axis=1), result.importances_mean)
    np.testing.assert_allclose(result.importances.std(axis=1), result.importances_std, atol=1e-14)
    error = result.importances_std / np.sqrt(len(frame))
    np.testing.assert_allclose(result.standard_error, error, atol=1e-14)
    assert result.to_frame().index[0] == "income"
    copy = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(copy.to_frame(), result.to_frame())
    assert result.unit == "change in the decision function of yes per standard deviation"


def test_last_step_rates_its_own_inputs(pipeline, people):
    frame, _ = people
    result = gradient_importance(pipeline, frame, at_step=-1, scale=None)
    np.testing.assert_allclose(result.importances_mean, np.abs(pipeline[-1].coef_[0]))
    assert result.feature_names.tolist() == pipeline[:-1].get_feature_names_out().tolist()


def test_signed_mean_of_categories_is_not_a_number(pipeline, people):
    result = gradient_importance(pipeline, people[0], aggregation="mean")
    np.testing.assert_array_equal(np.isnan(result.importances_mean), [False, False, True, False])


@pytest.mark.parametrize("method", METHODS)
def test_columns_that_matter_come_first(method):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 50))
    y = X[:, [3, 11, 19, 28, 47]] @ [1.0, -1.0, 1.0, -1.0, 1.0] > 0.3 * rng.normal(size=2000)
    model = LogisticRegression().fit(X, y)
    order = gradient_importance(model, X, y, method=method, random_state=0).importances_mean
    assert set(np.argsort(-order)[:5]) == {3, 11, 19, 28, 47}


# What can go wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "shap"}, "method must be one of"),
        ({"aggregation": "sum"}, "aggregation must be one of"),
        ({"scale": "range"}, "scale must be one of"),
        ({"method": "loss"}, "needs y"),
        ({"n_steps": 0}, "n_steps must be"),
        ({"method": "integrated", "baseline": "typical"}, "baseline must be one of"),
        ({"method": "integrated", "baseline": np.zeros((1, 3))}, "4 columns of X"),
        ({"method": "integrated", "baseline": {"age": 1.0}}, "baseline lacks the columns"),
        ({"feature_groups": {"all": ["age", "height"]}}, r"no columns \['height'\]"),
        ({"feature_groups": {"none": []}}, "group 'none' is empty"),
        ({"feature_groups": {"mixed": ["age", "city"]}}, "column of categories"),
        ({"feature_groups": "rows"}, "feature_groups must be"),
        ({"sample_weight": [-1.0] * 200}, "[Nn]egative"),
    ],
)
def test_wrong_arguments_are_named(pipeline, people, options, message):
    with pytest.raises(ValueError, match=message):
        gradient_importance(pipeline, people[0], **options)


def test_baseline_of_several_rows_is_for_expected_gradients(pipeline, people):
    frame, _ = people
    with pytest.raises(ValueError, match='Use method="expected"'):
        attributions(pipeline, frame, baseline=frame.iloc[:5])
    result = attributions(pipeline, frame, method="expected", baseline=frame.iloc[:5])
    expected = pipeline.decision_function(frame.iloc[:5]).mean()
    assert result.base_values == pytest.approx(expected)


def test_column_of_identifiers_is_not_tried_level_by_level(people):
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    frame, y = people
    frame = pd.concat([frame.assign(name=frame.index.astype(str))] * 2, ignore_index=True)
    frame["name"] = frame.index.astype(str)
    columns = make_column_transformer((OneHotEncoder(), ["name"]), ("passthrough", ["debt"]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame, np.tile(y, 2))
    with pytest.raises(ValueError, match="'name' has 400 levels"):
        gradient_importance(model, frame)
    result = gradient_importance(model, frame, method="integrated")
    assert result.delta < 1e-12


def test_gradients_do_not_touch_the_input(pipeline, people):
    frame = people[0].copy()
    for method in METHODS:
        gradient_importance(pipeline, frame, people[1], method=method)
    input_gradients(pipeline, frame)
    pd.testing.assert_frame_equal(frame, people[0])
