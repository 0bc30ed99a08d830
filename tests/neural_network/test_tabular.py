"""The settings for tables: what they are, and that each does what it says."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tolerances import arithmetic

from skgrad import MLPClassifier, MLPRegressor
from skgrad.models.network import Robust
from skgrad.neural_network._monitor import Monitor
from skgrad.schedules import CosLog
from skgrad.solvers import Adam

BOTH = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])


def data(kind):
    return (load_iris if kind is MLPClassifier else load_diabetes)(return_X_y=True)


# Parameters


@BOTH
def test_parameters_are_explicit_and_those_of_the_recipe(kind):
    preset, plain = kind.tabular().get_params(deep=False), kind().get_params(deep=False)
    changed = {name: value for name, value in preset.items() if repr(value) != repr(plain[name])}
    classes = kind is MLPClassifier
    solver = changed.pop("solver")
    assert (solver.learning_rate.initial, solver.beta_2) == (0.04 if classes else 0.07, 0.95)
    assert isinstance(solver.learning_rate, CosLog)
    specific = (
        {"activation": "selu", "label_smoothing": 0.1, "scoring": "loss"}
        if classes
        else {"activation": "mish", "standardize_target": True, "dropout": 0.15}
    )
    assert changed == {
        "hidden_layer_sizes": (256, 256, 256),
        "alpha": 0.0,
        "batch_size": 256,
        "max_iter": 256,
        "early_stopping": True,
        "n_iter_no_change": np.inf,
        "weight_init": "ntk",
        "output_init": "zeros",
        "parametrization": "ntk",
        "input_scaling": "robust",
        "learn_input_scale": True,
        "learning_rate_factors": {"biases": 0.1, "input_scale": 6.0},
        "dtype": "float32",
        **specific,
    }
    assert repr(clone(kind.tabular())) == repr(kind.tabular())


@BOTH
def test_own_parameters_come_first(kind):
    preset = kind.tabular(max_iter=3, solver="lbfgs", random_state=7)
    assert (preset.max_iter, preset.solver, preset.random_state) == (3, "lbfgs", 7)
    with pytest.raises(TypeError, match="colour"):
        kind.tabular(colour="red")


@BOTH
def test_two_estimators_share_nothing_that_can_change(kind):
    one, other = kind.tabular(), kind.tabular()
    one.learning_rate_factors["biases"] = 5.0
    one.set_params(solver__beta_2=0.5, solver__learning_rate__initial=1.0)
    assert repr(other) == repr(kind.tabular())
    assert other.learning_rate_factors["biases"] == 0.1


@BOTH
def test_all_epochs_are_made_without_a_warning(kind):
    X, y = data(kind)
    preset = kind.tabular(hidden_layer_sizes=(8,), max_iter=6, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preset.fit(X, y)
    assert preset.n_iter_ == 6
    assert preset.converged_
    assert preset.coefs_[0].dtype == np.float32


def test_rate_makes_four_waves_and_ends_at_zero():
    X, y = data(MLPRegressor)
    reg = MLPRegressor.tabular(hidden_layer_sizes=(4,), max_iter=240, random_state=0).fit(X, y)
    steps = reg.history_["step_size"]
    assert steps.max() == pytest.approx(0.07, rel=0.01)
    inner = steps[1:-1]
    assert ((inner > steps[:-2]) & (inner > steps[2:]) & (inner > 0.06)).sum() == 4
    assert steps[-1] < 1e-4


def test_grid_search_over_settings_and_one_hot_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=240), "kind": rng.choice(["a", "b", "c"], 240)})
    y = np.where((frame["kind"] == "a") ^ (frame["size"] > 0), "yes", "no")
    encode = make_column_transformer(
        ("passthrough", ["size"]), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    preset = MLPClassifier.tabular(hidden_layer_sizes=(32, 32), max_iter=48, random_state=0)
    grid = {
        "mlpclassifier__solver__learning_rate__initial": [0.01, 0.04],
        "mlpclassifier__label_smoothing": [0.0, 0.1],
    }
    search = GridSearchCV(make_pipeline(encode, preset), grid, cv=2).fit(frame, y)
    assert search.best_score_ > 0.9


# Scaling of columns


def test_scaler_by_hand(rng):
    quarter = np.arange(9.0)  # quartiles 2, 4, 6
    skewed = np.array([0.0] * 7 + [1.0, 5.0])  # quartiles coincide: range 5 becomes 2
    X = np.column_stack([quarter, skewed, np.full(9, 0.1)])[rng.permutation(9)]
    scaler = Robust().fit(X)
    np.testing.assert_array_equal(scaler.center, [4.0, 0.0, 0.1])
    np.testing.assert_allclose(scaler.scale, [0.25, 0.4, 0.0], rtol=arithmetic(np.float64))
    rows = np.array([[4.0, 0.0, 0.1], [16.0, 5.0, 0.1], [-1e12, -1e12, 1e12]])
    bent = np.array([[0.0, 0.0], [3.0 / np.sqrt(2.0), 2.0 / np.sqrt(1.0 + 4.0 / 9.0)], [-3.0, -3]])
    np.testing.assert_allclose(scaler(rows)[:, :2], bent, rtol=arithmetic(np.float64))
    np.testing.assert_array_equal(scaler(rows)[:, 2], 0.0)


def test_one_hot_columns_stay_two_values():
    rare, half, never = np.arange(8) == 3, np.arange(8) < 4, np.zeros(8)
    scaled = Robust().fit(np.column_stack([rare, half, never]))(
        np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    )
    # A rare category is 0 or 2, bent; a frequent one lies evenly around its median of one half.
    two, half = 2.0 / np.sqrt(1.0 + 4.0 / 9.0), 0.5 / np.sqrt(1.0 + 1.0 / 36.0)
    expected = [[0.0, -half, 0.0], [two, half, 0.0]]
    np.testing.assert_allclose(scaled, expected, rtol=arithmetic(np.float64))


def test_centring_of_sparse_data_is_refused_in_words():
    X, y = data(MLPClassifier)
    with pytest.raises(ValueError, match=r"sparse X would lose its zeros.*input_scaling=None"):
        MLPClassifier.tabular().fit(sparse.csr_array(X), y)
    options = {"input_scaling": None, "hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
    dense = MLPClassifier.tabular(**options).fit(X, y)
    csr = MLPClassifier.tabular(**options).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(
        csr.predict_proba(X), dense.predict_proba(X), rtol=10 * arithmetic(np.float32)
    )


@BOTH
def test_units_of_columns_do_not_matter(kind):
    X, y = data(kind)
    preset = kind.tabular(hidden_layer_sizes=(8,), max_iter=8, dtype="float64", random_state=0)
    plain = preset.fit(X, y)
    raw = plain.predict_proba(X) if kind is MLPClassifier else plain.predict(X)
    unit, origin = np.geomspace(1e-3, 1e5, X.shape[1]), np.linspace(-5.0, 5.0, X.shape[1])
    moved = clone(preset).fit(X * unit + origin, y)
    again = moved.predict_proba(X * unit + origin) if kind is MLPClassifier else moved.predict(
        X * unit + origin
    )  # fmt: skip
    np.testing.assert_allclose(again, raw, rtol=1e-6)


def test_constant_columns_say_nothing():
    X, y = data(MLPRegressor)
    X = np.column_stack([X, np.full(len(X), 0.1)])
    reg = MLPRegressor.tabular(hidden_layer_sizes=(8,), max_iter=8, random_state=0).fit(X, y)
    elsewhere = X.copy()
    elsewhere[:, -1] = 1e6
    np.testing.assert_array_equal(reg.predict(elsewhere), reg.predict(X))
    assert np.isfinite(reg.predict(X)).all()


# Neural tangent parametrisation


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ntk_is_training_weights_divided_by_the_root_of_their_number():
    X, y = data(MLPRegressor)
    X, y = X[:60] * 20.0, (y[:60] - 150.0) / 80.0
    n_epochs, rate, beta_1, beta_2 = 7, 0.05, 0.9, 0.95
    solver = Adam(rate, beta_2=beta_2, epsilon=1e-30, shuffle=False)
    reg = MLPRegressor(
        (6,), "tanh", solver=solver, alpha=0.0, batch_size=60, parametrization="ntk",
        weight_init="ntk", learning_rate_factors={"biases": 0.1}, dtype="float64",
        warm_start=True, max_iter=n_epochs, n_iter_no_change=np.inf, random_state=0,
    )  # fmt: skip
    # A rate of nothing shows where training starts.
    start = clone(reg).set_params(learning_rate_init=1e-300, max_iter=1).fit(X, y)
    (first, last), (bias, offset) = start.coefs_, start.intercepts_
    roots = [np.sqrt(10.0), 1.0, np.sqrt(6.0), 1.0]
    theta = [first * roots[0], bias, last * roots[2], offset]
    moments = [(np.zeros_like(part), np.zeros_like(part)) for part in theta]
    for t in range(1, n_epochs + 1):
        v, b, u, c = theta
        hidden = np.tanh(X @ v / roots[0] + b)
        slope = ((hidden @ u / roots[2] + c)[:, 0] - y)[:, None] / len(y)
        back = (slope @ u.T / roots[2]) * (1.0 - hidden**2)
        gradients = [
            X.T @ back / roots[0], back.sum(axis=0), hidden.T @ slope / roots[2], slope.sum(axis=0),
        ]  # fmt: skip
        for k, (g, factor) in enumerate(zip(gradients, [1.0, 0.1, 1.0, 0.1], strict=True)):
            m, s = moments[k]
            moments[k] = m, s = beta_1 * m + (1 - beta_1) * g, beta_2 * s + (1 - beta_2) * g**2
            step = m / (1 - beta_1**t) / np.sqrt(s / (1 - beta_2**t))
            theta[k] = theta[k] - rate * factor * step
    reg.fit(X, y)
    trained = [reg.coefs_[0], reg.intercepts_[0], reg.coefs_[1], reg.intercepts_[1]]
    for k, (ours, by_hand) in enumerate(zip(trained, theta, strict=True)):
        np.testing.assert_allclose(ours, by_hand / roots[k], rtol=1e-9, atol=1e-11)


# Which epoch is kept


class _Epoch:
    """What a monitor looks at after an epoch."""

    def __init__(self, w):
        self.w = np.array([float(w)])
        self.state = type("State", (), {"value": 1.0 / (1.0 + w), "gradient_norm": 1.0})


def test_latest_of_equal_scores_is_kept():
    scores = [0.5, 0.9, 0.8, 0.9, 0.7]
    monitor = Monitor(0.0, np.inf, lambda w: scores[int(w[0])], noisy=True)
    assert not any(monitor(_Epoch(k)) for k in range(5))
    assert monitor.best_w == [3.0]
