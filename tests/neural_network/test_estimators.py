"""Networks as scikit-learn users know them: fitted attributes, streams, early stopping, labels."""

import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.compose import make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    make_multilabel_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from skgrad import LogisticRegression, MLPClassifier, MLPRegressor
from skgrad.augmentation import GaussianNoise, Mixup
from skgrad.losses import Huber, MultiQuantile
from skgrad.schedules import Cosine, CosLog, Schedule
from skgrad.solvers import LBFGS, SGD, Adam, RMSProp

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks([MLPClassifier(), MLPRegressor()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), y


# The same as scikit-learn's


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_predictions_are_those_of_scikit_learn_for_the_same_weights(digits, activation):
    X, y = digits
    peer = SklearnClassifier((20, 10), activation=activation, max_iter=5, random_state=0).fit(X, y)
    clf = MLPClassifier((20, 10), activation, max_iter=1, dtype="float64").fit(X, y)
    clf.coefs_, clf.intercepts_ = peer.coefs_, peer.intercepts_
    np.testing.assert_allclose(clf.predict_proba(X), peer.predict_proba(X), rtol=1e-9, atol=1e-12)


def test_first_step_of_gradient_descent_by_hand():
    # Two logistic units, one row, one step: d21 = 0.7654, d11 = 0.01667, d12 = 0.0374.
    X, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    solver = SGD(0.1, batch_size=1)
    clf = MLPClassifier(2, "logistic", alpha=0.1, solver=solver, warm_start=True, max_iter=1)
    clf.partial_fit(X, y, classes=[0, 1])
    clf._stream = None
    clf.coefs_ = [np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]), np.array([[0.1], [0.2]])]
    clf.intercepts_ = [np.array([0.1, 0.1]), np.array([1.0])]
    clf.partial_fit(X, y)
    expected = [[0.098, 0.195756], [0.2956664, 0.096008], [0.493833, -0.002619]]
    np.testing.assert_allclose(clf.coefs_[0], expected, atol=5e-6)
    np.testing.assert_allclose(clf.coefs_[1], [[0.047012], [0.154029]], atol=5e-6)
    np.testing.assert_allclose(clf.intercepts_[0], [0.098333, 0.09626], atol=5e-6)
    np.testing.assert_allclose(clf.intercepts_[1], [0.9235], atol=5e-5)


def test_documented_attributes(digits):
    X, y = digits
    clf = MLPClassifier((20, 10), max_iter=3, random_state=0).fit(X, y)
    assert [c.shape for c in clf.coefs_] == [(64, 20), (20, 10), (10, 10)]
    assert [b.shape for b in clf.intercepts_] == [(20,), (10,), (10,)]
    assert (clf.n_layers_, clf.n_outputs_, clf.out_activation_) == (4, 10, "softmax")
    assert (clf.n_iter_, clf.t_, len(clf.loss_curve_)) == (3, 3 * len(X), 3)
    assert clf.loss_ == clf.loss_curve_[-1]
    assert clf.best_loss_ == min(clf.loss_curve_)
    assert clf.validation_scores_ is None
    assert clf.best_validation_score_ is None
    assert not clf.converged_
    assert pd.DataFrame(clf.history_).shape[0] == 3
    assert clf.coefs_[0].dtype == np.float32


@pytest.mark.parametrize(
    "solver",
    ["sgd", "adam", "adagrad", "rmsprop", "lbfgs", "gradient_descent", "proximal_gradient"],
)
def test_every_solver_trains(digits, solver):
    X, y = digits
    clf = MLPClassifier((30,), solver=solver, max_iter=100, random_state=0).fit(X[:900], y[:900])
    assert clf.loss_ < 0.5 * clf.loss_curve_[0]
    assert clf.score(X[900:], y[900:]) > 0.8


def test_warning_when_epochs_run_out(digits):
    X, y = digits
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        MLPClassifier(max_iter=2, random_state=0).fit(X, y)


# Streams and warm starts


@pytest.mark.parametrize("solver", ["sgd", "adam", RMSProp(0.002, momentum=0.5)], ids=repr)
def test_calls_of_partial_fit_are_epochs_of_fit(digits, solver):
    X, y = digits
    options = {"solver": solver, "random_state": 3, "dropout": 0.1}
    whole = MLPClassifier((15,), max_iter=4, **options).fit(X, y)
    stream = MLPClassifier((15,), **options)
    for _ in range(4):
        stream.partial_fit(X, y, classes=np.unique(y))
    for one, other in zip(whole.coefs_, stream.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_stream_refuses_what_it_cannot_learn(digits):
    X, y = digits
    clf = MLPClassifier().partial_fit(X, y, classes=range(10))
    with pytest.raises(ValueError, match="99"):
        clf.partial_fit(X[:5], [99, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="not the same"):
        clf.partial_fit(X, y, classes=range(11))
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="early_stopping"):
        MLPRegressor(early_stopping=True).partial_fit(X, y)
    for estimator in (MLPClassifier(solver="lbfgs"), MLPRegressor(solver=LBFGS())):
        assert not hasattr(estimator, "partial_fit")


def test_warm_start_goes_on(digits):
    X, y = digits
    clf = MLPClassifier((20,), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    first = clf.loss_curve_
    clf.fit(X, y)
    assert max(clf.loss_curve_) < first[1]
    with pytest.raises(ValueError, match="same classes"):
        clf.fit(X, y % 3)


# Early stopping


@pytest.mark.parametrize("scoring", [None, "loss", "neg_log_loss"])
def test_early_stopping_keeps_the_best_weights(digits, scoring):
    X, y = digits
    val = slice(1200, 1500)
    clf = MLPClassifier((30,), max_iter=40, scoring=scoring, random_state=0, n_iter_no_change=5)
    clf.fit(X[:300], y[:300], X_val=X[val], y_val=y[val])
    assert len(clf.validation_scores_) == clf.n_iter_
    assert clf.best_validation_score_ == max(clf.validation_scores_)
    assert clf.best_loss_ is None
    probability = clf.predict_proba(X[val])[np.arange(300), y[val]]
    reached = clf.score(X[val], y[val]) if scoring is None else np.log(probability).mean()
    assert reached == pytest.approx(clf.best_validation_score_, rel=1e-4)


def test_a_score_that_is_no_number_is_the_worst():
    X, y = load_iris(return_X_y=True)
    scores = iter([np.nan, 0.2, np.nan, 0.5, 0.1])
    clf = MLPClassifier((5,), scoring=lambda *_: next(scores), early_stopping=True, max_iter=5)
    assert clf.fit(X, y).best_validation_score_ == 0.5


def test_held_out_rows_are_never_trained_on():
    X, y = load_diabetes(return_X_y=True)
    reg = MLPRegressor((10,), early_stopping=True, validation_fraction=0.5, max_iter=3)
    reg.fit(X, y)
    assert reg.t_ == 3 * (len(y) - np.ceil(len(y) / 2))
    with pytest.raises(ValueError, match="validation set is too small"):
        MLPRegressor(early_stopping=True).fit(X[:3], y[:3])
    with pytest.raises(ValueError, match="together"):
        MLPRegressor().fit(X, y, X_val=X)


# Targets


def test_labels_of_any_kind(digits):
    X, y = digits
    names = np.array([f"digit {k}" for k in range(10)], dtype=object)
    clf = MLPClassifier((20,), max_iter=10, random_state=0).fit(X, y)
    named = MLPClassifier((20,), max_iter=10, random_state=0).fit(X, names[y])
    np.testing.assert_array_equal(names[clf.predict(X)], named.predict(X))


def test_several_labels_at_once():
    X, Y = make_multilabel_classification(n_samples=300, n_classes=4, random_state=0)
    clf = MLPClassifier((30,), solver="lbfgs", random_state=0).fit(X, Y)
    assert clf.out_activation_ == "logistic"
    assert clf.predict(X).shape == Y.shape
    assert clf.score(X, Y) > 0.95
    np.testing.assert_array_equal(clf.predict_proba(X) > 0.5, clf.predict(X) == 1)
    np.testing.assert_array_equal(clf.predict(X), clone(clf).fit(X, sparse.csr_array(Y)).predict(X))


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_margin_losses_have_no_probabilities(loss):
    X, y = load_breast_cancer(return_X_y=True)
    clf = MLPClassifier((10,), loss=loss, input_scaling="standard", random_state=0).fit(X, y)
    assert clf.score(X, y) > 0.97
    assert not hasattr(clf, "predict_proba")
    np.testing.assert_array_equal(clf.decision_function(X) > 0, clf.predict(X) == 1)


def test_label_smoothing_ends_at_smoothed_probabilities():
    # Separable data: without smoothing probabilities go to 0 and 1, with it to 0.1/3 and its rest.
    X = np.repeat(np.eye(3), 20, axis=0)
    y = np.repeat([0, 1, 2], 20)
    clf = MLPClassifier((10,), solver="lbfgs", alpha=0.0, tol=1e-10, label_smoothing=0.1,
                        max_iter=2000, random_state=0).fit(X, y)  # fmt: skip
    expected = np.full((3, 3), 0.1 / 3) + 0.9 * np.eye(3)
    np.testing.assert_allclose(clf.predict_proba(np.eye(3)), expected, atol=1e-4)


def test_class_weight_is_sample_weight():
    X, y = load_iris(return_X_y=True)
    options = {"solver": "lbfgs", "max_iter": 20, "random_state": 0}
    weighted = MLPClassifier((5,), class_weight={0: 1.0, 1: 2.0, 2: 0.5}, **options).fit(X, y)
    sample = MLPClassifier((5,), **options).fit(X, y, np.array([1.0, 2.0, 0.5])[y])
    np.testing.assert_array_equal(weighted.predict_proba(X), sample.predict_proba(X))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_weight_of_k_is_the_row_k_times(solver):
    X, y = load_iris(return_X_y=True)
    counts = np.random.default_rng(0).integers(0, 3, size=len(y))
    options = {
        "solver": solver,
        "batch_size": 1000,
        "max_iter": 15,
        "random_state": 0,
        "alpha": 0.5,
    }
    weighted = MLPClassifier((5,), **options).fit(X, y, counts)
    repeated = MLPClassifier((5,), **options).fit(
        np.repeat(X, counts, axis=0), np.repeat(y, counts)
    )
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", Huber(), "quantile", "poisson"]
)
def test_losses_of_regression(diabetes, loss):
    X, y = diabetes
    reg = MLPRegressor((20,), loss=loss, solver=Adam(0.01), random_state=0, max_iter=100)
    assert reg.fit(X, y).loss_ < 0.5 * reg.loss_curve_[0] or reg.loss_ < reg.loss_curve_[0]
    assert reg.predict(X).shape == y.shape
    assert (reg.predict(X) > 0).all() or loss != "poisson"


def test_several_quantiles_cover_their_shares(diabetes):
    X, y = diabetes
    quantiles = (0.1, 0.5, 0.9)
    reg = MLPRegressor((20,), loss=MultiQuantile(quantiles), standardize_target=True,
                       solver=Adam(0.005), max_iter=150, random_state=0).fit(X, y)  # fmt: skip
    predicted = reg.predict(X)
    assert predicted.shape == (len(y), 3)
    for column, q in zip(predicted.T, quantiles, strict=True):
        constant = mean_pinball_loss(y, np.full_like(y, np.quantile(y, q)), alpha=q)
        assert mean_pinball_loss(y, column, alpha=q) < 0.85 * constant
        assert abs((y < column).mean() - q) < 0.1


def test_standardised_targets_make_predictions_equivariant(diabetes):
    X, y = diabetes
    options = {"standardize_target": True, "max_iter": 20, "random_state": 0, "dtype": "float64"}
    plain = MLPRegressor((10,), **options).fit(X, y).predict(X)
    moved = MLPRegressor((10,), **options).fit(X, 1e3 * y - 5e5).predict(X)
    np.testing.assert_allclose(moved, 1e3 * plain - 5e5, rtol=1e-6)
    with pytest.raises(ValueError, match="standardize_target"):
        MLPRegressor(loss="poisson", standardize_target=True).fit(X, y)


def test_many_targets(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, -y, X[:, 0]])
    reg = MLPRegressor((20,), standardize_target=True, solver="lbfgs", random_state=0).fit(X, Y)
    assert reg.predict(X).shape == Y.shape
    assert reg.score(X, Y) > 0.5


# Data frames, sparse data, dtypes


def test_data_frame_in_a_pipeline_and_a_grid_over_solvers():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=200), "kind": rng.choice(["a", "b", "c"], 200)})
    y = np.where((frame["kind"] == "a") ^ (frame["size"] > 0), "yes", "no")
    columns = make_column_transformer(
        (StandardScaler(), ["size"]), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    pipe = make_pipeline(columns, MLPClassifier((16,), max_iter=100, random_state=0))
    grid = {
        "mlpclassifier__solver": ["adam", "lbfgs", SGD(0.1, momentum=0.9), Adam(CosLog(0.02))],
    }
    search = GridSearchCV(pipe, grid, cv=3, n_jobs=2).fit(frame, y)
    assert search.best_score_ > 0.9
    named = {
        "mlpclassifier__solver": ["adam", "sgd"],
        "mlpclassifier__solver__learning_rate": [0.1],
    }
    assert GridSearchCV(pipe, named, cv=2).fit(frame, y).best_score_ > 0.9


def test_auto_is_adam(digits):
    X, y = digits
    clf = MLPClassifier((5,), solver="auto", max_iter=2).fit(X, y)
    assert clf.solver_.name == "adam"
    with pytest.raises(ValueError, match="y contains 5,"):
        MLPClassifier().partial_fit(X, y % 3, classes=[0, 1, 2]).partial_fit(X[:1], [5])


def test_names_mean_momentum_for_sgd_as_in_scikit_learn():
    clf = MLPClassifier(solver="sgd").set_params(solver__learning_rate=0.1)
    assert clf.solver == SGD(0.1, momentum=0.9, nesterov=True) or clf.solver.momentum == 0.9


def test_sparse_is_dense(digits):
    X, y = digits
    options = {"max_iter": 5, "random_state": 0, "dtype": "float64"}
    dense = MLPClassifier((10,), **options).fit(X, y)
    csr = MLPClassifier((10,), **options).fit(sparse.csr_matrix(X), y)
    np.testing.assert_allclose(dense.coefs_[0], csr.coefs_[0], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(
        dense.predict_proba(X), csr.predict_proba(sparse.csc_array(X)), rtol=1e-7
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_have_the_type_of_the_input(diabetes, dtype):
    X, y = diabetes
    reg = MLPRegressor((5,), max_iter=2).fit(X, y)
    assert reg.predict(X.astype(dtype)).dtype == dtype


# Regularisation


def unchanged(X, y, rng):
    return X, y


def test_l1_penalty_makes_weights_exactly_zero(digits):
    X, y = digits
    clf = MLPClassifier((20,), alpha=8.0, l1_ratio=1.0, max_iter=60, random_state=0).fit(X, y)
    zero = np.mean(clf.coefs_[0] == 0.0)
    assert 0.2 < zero < 1.0
    assert clf.score(X, y) > 0.8


def test_penalty_means_the_same_for_every_batch_size():
    # One hidden linear unit, strong penalty: the optimum is that of full-batch training.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = X @ [1.0, -2.0, 0.5]
    exact = MLPRegressor((1,), "identity", alpha=40.0, solver="lbfgs", tol=1e-9, random_state=0)
    norm = np.linalg.norm(exact.fit(X, y).coefs_[0])
    for batch_size in (20, 400):
        solver = Adam(Cosine(0.02), batch_size=batch_size)
        reg = MLPRegressor((1,), "identity", alpha=40.0, solver=solver, max_iter=500, tol=0.0,
                           n_iter_no_change=np.inf, random_state=0).fit(X, y)  # fmt: skip
        assert np.linalg.norm(reg.coefs_[0]) == pytest.approx(norm, rel=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.2}, {"normalization": "batch"}, {"normalization": "layer"},
        {"residual": True, "hidden_layer_sizes": (30, 30)}, {"augment": Mixup(0.3)},
        {"augment": [GaussianNoise(0.05), unchanged]}, {"weight_init": "orthogonal"},
        {"weight_init": "data_driven"}, {"solver": Adam(clip=("adaptive", 0.1))},
        {"solver": Adam(weight_decay=0.01)}, {"solver": Adam(average=True)},
        {"learning_rate_factors": {"biases": 0.1}}, {"activation": ["gelu", "silu"],
         "hidden_layer_sizes": (30, 20)},
    ],
    ids=", ".join,
)  # fmt: skip
def test_options_train_and_are_remembered_by_a_pickle(digits, options):
    X, y = digits
    clf = MLPClassifier(
        **{"hidden_layer_sizes": (30,), "max_iter": 40, "random_state": 0, **options}
    )
    clf.fit(X[:900], y[:900])
    assert clf.score(X[900:], y[900:]) > 0.75
    if "augment" in options:  # functions without a name are not pickled
        clf.set_params(augment=None)
    copy = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(copy.predict_proba(X), clf.predict_proba(X))


def test_weight_decay_shrinks_by_the_rate_times_the_decay():
    # No gradient at all: the loss is flat at its minimum, and only the decay moves the weights.
    X = np.zeros((10, 2))
    solver = SGD(0.5, weight_decay=0.2, batch_size=10)
    reg = MLPRegressor((3,), "identity", alpha=0.0, solver=solver, max_iter=1, random_state=0)
    first = reg.fit(X, np.zeros(10)).coefs_[0]
    twice = clone(reg).set_params(max_iter=2).fit(X, np.zeros(10)).coefs_[0]
    np.testing.assert_allclose(twice, first * (1.0 - 0.5 * 0.2), rtol=1e-6)


# Pickles, threads, seeds, callbacks


def test_pickle_is_as_large_as_the_parameters(digits):
    X, y = digits
    clf = MLPClassifier((200, 100), max_iter=2, early_stopping=True, random_state=0).fit(X, y)
    parameters = sum(part.nbytes for part in [*clf.coefs_, *clf.intercepts_])
    assert len(pickle.dumps(clf)) < 1.1 * parameters


def test_two_threads_fit_two_networks(digits):
    X, y = digits
    alone = [MLPClassifier((40,), max_iter=5, random_state=k).fit(X, y) for k in range(2)]
    together = [MLPClassifier((40,), max_iter=5, random_state=k) for k in range(2)]
    threads = [threading.Thread(target=clf.fit, args=(X, y)) for clf in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_seed_decides_whatever_the_number_of_threads(solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 60)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    clf = MLPClassifier((100, 50), solver=solver, batch_size=500, max_iter=3, random_state=0)
    with threadpool_limits(1):
        one = clone(clf).fit(X, y)
    many = clone(clf).fit(X, y)
    for a, b in zip(one.coefs_, many.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_callbacks_see_every_epoch(digits):
    X, y = digits
    monitor = ScoringMonitor(scoring="accuracy")
    clf = MLPClassifier((20,), max_iter=4, random_state=0).set_callbacks(monitor).fit(X, y)
    plain = clone(clf).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    assert (log["accuracy"].iloc[-1], len(log)) == (clf.score(X, y), 5)
    np.testing.assert_array_equal(clf.coefs_[0], plain.coefs_[0])


# Bad input


class Rising(Schedule):
    """A rate that is fine for ten epochs and far too large from then on."""

    def multiplier(self, epoch, n_epochs):
        return 1.0 if epoch < 10 else 1e6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (10, 0)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": -3}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (2.5,)}, "hidden_layer_sizes"),
        ({"activation": "rely"}, "Did you mean 'relu'"),
        ({"activation": ["relu", "tanh"]}, "activation"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"normalization": "bach"}, "Did you mean 'batch'"),
        ({"normalization": "batch", "batch_size": 1}, "batch"),
        ({"solver": "adm"}, "Did you mean 'adam'"),
        ({"solver": "newton"}, "Newton"),
        ({"solver": "lbfgs", "dropout": 0.5}, "LBFGS"),
        ({"loss": "squared_error"}, "log_loss"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "label"),
        ({"weight_init": "hee"}, "Did you mean 'he'"),
        ({"input_scaling": "robus"}, "Did you mean 'robust'"),
        ({"augment": "mixupp"}, "Did you mean 'mixup'"),
        ({"learning_rate_factors": {"bias": 1.0}}, "Did you mean 'biases'"),
        ({"solver": SGD(1e6)}, "layer"),
        ({"dtype": "float16"}, "dtype"),
    ],
    ids=str,
)
def test_bad_parameters(digits, options, message):
    X, y = digits
    clf = MLPClassifier(max_iter=20, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match=message):
            clf.fit(X, y)
    assert not clf.__sklearn_is_fitted__()


def test_best_weights_are_kept_when_training_diverges(diabetes):
    X, y = diabetes
    options = {"alpha": 0.0, "random_state": 0, "standardize_target": True}
    solver = SGD(Rising(0.01))
    reg = MLPRegressor((20,), solver=solver, early_stopping=True, **options)
    with pytest.warns(ConvergenceWarning, match="best validation score"):
        reg.fit(X, y)
    assert reg.best_validation_score_ == max(reg.validation_scores_)
    assert np.isfinite(reg.predict(X)).all()
    assert (reg.n_iter_, reg.converged_) == (10, False)
    with pytest.raises(ValueError, match="layer"):
        MLPRegressor((20,), solver=solver, **options).fit(X, y)


def test_weight_decay_is_for_networks():
    X, y = load_iris(return_X_y=True)
    for solver in (Adam(weight_decay=0.1), SGD(clip=("adaptive", 0.1))):
        with pytest.raises(ValueError, match="network"):
            LogisticRegression(solver=solver).fit(X, y)


def test_constant_columns_do_no_harm(diabetes):
    X, y = diabetes
    X = np.column_stack([X, np.full(len(X), 7.0)])
    for scaling in (None, "standard", "robust"):
        reg = MLPRegressor((10,), input_scaling=scaling, max_iter=50, random_state=0).fit(X, y)
        assert np.isfinite(reg.predict(X)).all()
