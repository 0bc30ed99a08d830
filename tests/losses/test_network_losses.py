"""Losses that networks use: classes as probabilities, several quantiles of a target."""

import numpy as np
import pytest
from problems import LINEAR_LOSSES, Variant, make_data
from tolerances import arithmetic

from skgrad import LinearRegression
from skgrad.losses import LOSSES, CrossEntropy, Multinomial, MultiQuantile, Quantile
from skgrad.objective import Objective
from skgrad.penalties import L2

QUANTILES = (0.1, 0.4, 0.75)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def assert_same(actual, expected, dtype=np.float64):
    tolerance = arithmetic(dtype)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    assert actual.dtype == dtype


# Cross-entropy


@every_dtype
def test_a_sure_row_costs_what_its_class_costs(dtype, rng):
    codes, raw = rng.integers(4, size=50), (3 * rng.normal(size=(50, 4))).astype(dtype)
    hard = np.eye(4, dtype=dtype)[codes]
    for method in ("value", "gradient", "curvature", "curvature_state"):
        expected = getattr(Multinomial(), method)(codes, raw)
        assert_same(getattr(CrossEntropy(), method)(hard, raw), expected, dtype)
    dual = CrossEntropy().gradient(hard, raw)
    assert_same(CrossEntropy().conjugate(hard, dual), Multinomial().conjugate(codes, dual), dtype)
    constant = CrossEntropy().constant(hard, np.arange(50.0))
    expected = Multinomial().constant(codes, np.arange(50.0), n_outputs=4)
    np.testing.assert_allclose(constant, expected, rtol=arithmetic(dtype))


def test_mixed_targets_cost_the_mixture(rng):
    raw, share = rng.normal(size=(30, 3)), rng.random((30, 1))
    first, second = rng.dirichlet(np.ones(3), size=(2, 30))
    loss = CrossEntropy()
    mixed = loss.value(share * first + (1 - share) * second, raw)
    assert_same(mixed, share * loss.value(first, raw) + (1 - share) * loss.value(second, raw))


def test_the_infimum_is_the_entropy_of_the_target(rng):
    y = rng.dirichlet(np.ones(5), size=20)
    entropy = -(y * np.log(y)).sum(axis=1, keepdims=True)
    assert_same(CrossEntropy().value(y, np.log(y) + 7.0), entropy)
    assert_same(CrossEntropy().gradient(y, np.log(y)), np.zeros_like(y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            [[0.5, 0.5], [1.2, -0.2]],
            r"loss needs probabilities, but y contains -0\.2",
        ),
        ([[0.5, 0.5], [0.5, 0.4]], r"rows of probabilities, but row 1 of y sums to 0\.9"),
    ],
)
def test_what_is_not_a_probability_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        CrossEntropy().check_target(np.array(y))


@every_dtype
def test_rounded_probabilities_are_accepted(dtype, rng):
    CrossEntropy().check_target(rng.dirichlet(np.ones(200), size=500).astype(dtype))


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_a_linear_objective_with_sure_rows_is_the_multinomial_one(layout, rng):
    data = make_data(Multinomial(), Variant(layout, weights="rows"))
    hard = np.eye(3)[data.y]
    expected = data.objective(Multinomial(), L2(0.1))
    actual = Objective(data.model, CrossEntropy(), L2(0.1), data.X, hard, data.sample_weight)
    w, v = rng.normal(size=(2, expected.n_params))
    assert actual.value(w) == pytest.approx(expected.value(w), rel=arithmetic(float))
    assert_same(actual.value_and_gradient(w)[1], expected.value_and_gradient(w)[1])
    assert_same(actual.hess_vec(w, v), expected.hess_vec(w, v))
    assert actual.certified_gap(w) == pytest.approx(expected.certified_gap(w))


# Several quantiles


@every_dtype
@pytest.mark.parametrize("quantiles", [QUANTILES, [np.float64(0.2)], np.array([0.1, 0.9])])
def test_each_column_has_its_quantile(quantiles, dtype, rng):
    loss, n_targets = MultiQuantile(quantiles), 2
    y = loss.repeat_target(rng.normal(size=(40, n_targets)).astype(dtype))
    raw = rng.normal(size=y.shape).astype(dtype)
    assert y.shape == (40, n_targets * len(quantiles))
    dual, step = loss.gradient(y, raw), np.full_like(raw, 0.3)
    for j in range(y.shape[1]):
        one, column = Quantile(float(quantiles[j % len(quantiles)])), np.s_[:, j : j + 1]
        assert_same(loss.value(y, raw)[column], one.value(y[column], raw[column]), dtype)
        assert_same(dual[column], one.gradient(y[column], raw[column]), dtype)
        assert_same(loss.conjugate(y, dual)[column], one.conjugate(y[column], dual[column]), dtype)
        assert_same(loss.clip_dual(y, 9 * dual)[column], one.clip_dual(y, 9 * dual[column]), dtype)
        assert_same(loss.prox(y, raw, step)[column], one.prox(y[column], raw[column], 0.3), dtype)
        assert_same(loss.constant(y)[j : j + 1], one.constant(y[column]), dtype)


def test_targets_are_repeated_side_by_side():
    y = np.array([[1.0, 2.0], [3.0, 4.0]])
    repeated = MultiQuantile((0.1, 0.9)).repeat_target(y)
    assert repeated.tolist() == [[1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0]]
    assert Quantile().repeat_target(y) is y
    assert [name for name in LOSSES if LOSSES[name].repeats_target] == ["multi_quantile"]


def test_constants_are_the_quantiles(rng):
    y = rng.normal(size=(101, 2))
    loss = MultiQuantile(QUANTILES)
    expected = np.quantile(y, QUANTILES, axis=0).T.ravel()
    # Between order statistics the sample quantile is a matter of definition.
    np.testing.assert_allclose(loss.constant(loss.repeat_target(y)), expected, atol=0.1)
    assert loss.constant(loss.repeat_target(y)).shape == (6,)


def test_hinges_add_up_to_the_value(rng):
    loss = MultiQuantile(QUANTILES)
    y, raw = rng.normal(size=(2, 20, 6))
    sign, offset, cost = loss.hinges(y)
    assert_same((cost * np.maximum(sign * raw - offset, 0.0)).sum(axis=0), loss.value(y, raw))


def test_columns_must_be_whole_sets_of_quantiles():
    with pytest.raises(ValueError, match="a multiple of 3 columns, not 4"):
        MultiQuantile(QUANTILES).value(np.zeros((2, 4)), np.zeros((2, 4)))


# Where they don't belong


def test_linear_regression_refuses_them(rng):
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    for loss in [MultiQuantile(), CrossEntropy()]:
        assert loss.name not in LINEAR_LOSSES
        with pytest.raises(ValueError, match="LinearRegression"):
            LinearRegression(loss=loss).fit(X, y)
        with pytest.raises(ValueError, match="'loss' parameter of LinearRegression"):
            LinearRegression(loss=loss.name).fit(X, y)
    with pytest.raises(ValueError, match="several predictions for each target"):
        LinearRegression(loss=MultiQuantile()).fit(X, y)
