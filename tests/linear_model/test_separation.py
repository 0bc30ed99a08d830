"""Without penalty, separated classes have their optimum at infinity: fits say so, and why."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning

from skgrad import LinearSVC, LogisticRegression, linalg
from skgrad.capabilities import Capability
from skgrad.linear_model._separation import CERTAIN, NEARLY_ONE
from skgrad.solvers import SOLVERS

OFFERED = {Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
layouts = pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
AT_INFINITY = r"without a penalty \(C=inf\) the optimum is at infinity.*Use a finite C"


def notice(X, y, sample_weight=None, **options):
    """What a fit without penalty says; it is one warning, and the answer separates the classes."""
    model = LogisticRegression(C=np.inf, **options)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(X, y, sample_weight)
    assert len(said) <= 1
    assert model.converged_ is not bool(said)
    assert np.isfinite(model.coef_).all()
    if not said:
        return "", model
    assert said[0].category is ConvergenceWarning
    return str(said[0].message), model


def overlapping(rng, n_samples=120, n_classes=2):
    X = rng.normal(size=(n_samples, 4))
    scores = X @ rng.normal(size=(4, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
    return X, scores.argmax(axis=1)


def confident(rng):
    """Classes that overlap, although most rows are far from the other class."""
    X, y = rng.normal(size=(200, 4)), np.arange(200) % 2
    X[:, 1] = np.where(y == 1, 1.0, -1.0) * rng.uniform(-0.1, 8.0, 200)
    X[:4, 1] *= -1.0
    return X, y


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_that_overlap_are_no_cause_for_a_warning(n_classes, rng):
    said, model = notice(*overlapping(rng, n_classes=n_classes))
    assert said == ""
    assert model.optimality_gap_ <= 1e-7


@layouts
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_combination_of_columns(n_classes, fit_intercept, layout, rng, blocks):
    X = rng.normal(size=(200, 5)) * [1.0, 10.0, 1.0, 0.1, 1.0]
    centers = np.array([[1, 2, -1, 0.5, 0.0], [-2, 1, 1, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    y = (X / X.std(axis=0) @ centers[:n_classes].T).argmax(axis=1)
    said, model = notice(layout(X), y, fit_intercept=fit_intercept)
    assert "The classes are perfectly separated by a combination of columns (foremost" in said
    assert "column 0" in said
    assert "column 4" not in said
    assert pd.Series(said).str.contains(AT_INFINITY).all()
    assert model.score(layout(X), y) == 1.0


@layouts
def test_a_single_column_is_named_with_its_border(layout, rng, blocks):
    X, y = overlapping(rng)
    X[:, 2] = np.where(y == 1, 2.5 + rng.random(120), 1.25 - rng.random(120))
    X[np.flatnonzero(y == 1)[0], 2], X[np.flatnonzero(y == 0)[0], 2] = 2.5, 1.25
    said, _ = notice(layout(X), np.array(["no", "yes"])[y])
    assert "separated by column 2 (1.25 or less for 'no', 2.5 or more for the rest)" in said
    frame = pd.DataFrame(X, columns=["a", "b", "the one", "d"])
    assert "separated by column 'the one' (" in notice(frame, y)[0]
    assert "(-1.25 or more for 0, -2.5 or less for the rest)" in notice(layout(-X), y)[0]


def test_the_run_ends_once_separation_is_certain(rng):
    X = rng.normal(size=(300, 3))
    y = (X.sum(axis=1) > 0).astype(int)
    for solver in ["newton", "lbfgs", "gradient_descent", "proximal_newton"]:
        said, model = notice(X, y, solver=solver)
        assert "foremost" in said
        loss = model.history_["loss"]
        limit = CERTAIN * np.log(2) / 300  # below it, no row can be on the wrong side
        assert loss[-1] < limit <= loss[-2]


@pytest.mark.parametrize("name", [name for name in SOLVERS if SOLVERS[name].needs <= OFFERED])
def test_any_solver_reports_it(name, rng):
    X = np.concatenate([rng.normal(-4, 1, size=(30, 2)), rng.normal(4, 1, size=(30, 2))])
    said, model = notice(X, np.repeat([0, 1], 30), solver=name, random_state=0)
    assert "perfectly separated" in said
    assert np.max(model.n_iter_) < 100


@layouts
@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_indicator_that_is_never_set_in_one_class(n_classes, layout, rng):
    X, y = overlapping(rng, n_classes=n_classes)
    X[:, 3] = (y == 1) & (rng.random(120) < 0.4)
    said, model = notice(layout(X), y)
    assert "Class 1 is separated by column 3 (0 or more for 1, 0 or less for the rest)" in said
    # All else is as well estimated as it can be: as without the rows that go to infinity.
    assert model.optimality_gap_ <= 1e-6
    X[0, 3] = 1 - X[0, 3] if y[0] != 1 else X[0, 3]
    X[np.flatnonzero(y == 0)[0], 3] = 1
    X[np.flatnonzero(y == n_classes - 1)[0], 3] = 1
    assert notice(layout(X), y)[0] == ""


def test_one_class_among_several(rng):
    X, y = overlapping(rng, n_classes=3)
    X[y == 2, 1] += 20.0
    said, model = notice(X, np.array(["ant", "bee", "cat"])[y])
    assert said.startswith("Class 'cat' is separated by column 1 (")
    assert "The classes are perfectly" not in said
    assert model.score(X, np.array(["ant", "bee", "cat"])[y]) < 1.0
    iris = load_iris(as_frame=True, return_X_y=True)
    assert (
        "Class 0 is separated by column 'petal length (cm)' (1.9 or less for 0, 3 or"
        in notice(*iris)[0]
    )
    assert "perfectly separated by a combination" in notice(*load_digits(return_X_y=True))[0]


def test_without_intercept_a_column_separates_at_zero_only(rng):
    X, y = overlapping(rng)
    X[:, 0] = np.where(y == 1, 0.5 + rng.random(120), -rng.random(120))
    assert "separated by column 0" in notice(X, y, fit_intercept=False)[0]
    X, y = confident(rng)
    X[:, 0] = np.where(y == 1, 1.001, 1.0)  # tells the classes apart only with an intercept
    assert notice(X, y, fit_intercept=False)[0] == ""
    assert "separated by column 0" in notice(X, y)[0]


def test_confident_predictions_and_constant_columns_are_no_cause_for_a_warning(rng):
    X, y = confident(rng)
    X[:, 2] = 3.0
    for fit_intercept in [True, False]:
        said, model = notice(X, y, fit_intercept=fit_intercept)
        assert model.predict_proba(X).max() > NEARLY_ONE
        assert said == ""


def test_rows_of_weight_zero_do_not_count(rng):
    X = rng.normal(size=(100, 3))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    weight = rng.uniform(0.5, 2.0, 100)
    y[:3], weight[:3] = 1 - y[:3], 0.0
    said, _ = notice(X, y, weight)
    assert "perfectly separated" in said
    weight[:3] = 1.0
    assert notice(X, y, weight)[0] == ""
    said, _ = notice(X, y, class_weight={0: 1.0, 1: 1e-3})
    assert said == ""
    three = np.where(rng.random(100) < 0.3, 2, X[:, 0] + X[:, 1] > 0)
    assert notice(X, three)[0] == ""
    assert "perfectly separated" in notice(X, three, class_weight={2: 0.0})[0]
    X[:, 2] = np.where(y == 1, 1.0, -1.0)
    assert "separated by column 2" in notice(X, y, class_weight={0: 1.0, 1: 1e-3})[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_more_columns_than_rows(dtype, rng):
    X, y = rng.normal(size=(20, 50)).astype(dtype), np.arange(20) % 2
    said, model = notice(X, y)
    assert "foremost" in said
    assert model.coef_.dtype == dtype
    assert model.score(X, y) == 1.0


def test_with_a_penalty_there_is_an_optimum(rng):
    X = rng.normal(size=(50, 3))
    y = (X[:, 0] > 0).astype(int)
    for C in [1.0, 1e6]:
        assert LogisticRegression(C=C).fit(X, y).converged_
    for loss in ["hinge", "squared_hinge"]:  # a margin of one costs nothing: the optimum is finite
        svm = LinearSVC(C=np.inf, loss=loss).fit(X, y)
        assert svm.converged_
        assert svm.score(X, y) == 1.0


@layouts
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_column_extremes(layout, dtype, rng, blocks):
    X = (rng.normal(size=(90, 7)) * (rng.random((90, 7)) < 0.3)).astype(dtype)
    X[:, 0] = 5.0
    for rows in [np.arange(90), np.array([3]), rng.choice(90, 40, replace=False)]:
        low, high = linalg.column_extremes(layout(X), rows)
        np.testing.assert_array_equal(low, X[rows].min(axis=0))
        np.testing.assert_array_equal(high, X[rows].max(axis=0))
