"""Rules of predictors against central differences of their own methods."""

import numpy as np
import pandas as pd
import pytest
from responses import TARGETS, X, assert_close, assert_response, assert_responses, gradients
from scipy import sparse
from sklearn import linear_model as peers
from sklearn.base import is_classifier
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tolerances import arithmetic

import skgrad
from skgrad.inspection import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    input_gradients,
    register_jacobian,
)
from skgrad.losses import Poisson

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # scikit-learn 1.8 renames the passive-aggressive classes.
    pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning"),
]
REGRESSORS = [
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars",
    "LarsCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsIC", "LinearRegression",
    "OrthogonalMatchingPursuit", "PassiveAggressiveRegressor", "QuantileRegressor",
    "RANSACRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
]  # fmt: skip
CLASSIFIERS = [
    "LogisticRegression", "PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier",
    "RidgeClassifierCV", "SGDClassifier",
]  # fmt: skip
SPARSE = sparse.csr_array


@pytest.mark.parametrize("name", REGRESSORS)
def test_linear_regressors_of_scikit_learn(name):
    assert_responses(getattr(peers, name)(), "numbers")


@pytest.mark.parametrize("target", ["two", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_linear_classifiers_of_scikit_learn(name, target):
    assert_responses(getattr(peers, name)(), target)


@pytest.mark.parametrize("name", skgrad.linear_model.__all__)
def test_linear_models_of_ours(name):
    estimator = getattr(skgrad, name)()
    targets = ["two", "three"] if is_classifier(estimator) else ["counts"]
    for target in targets:
        assert_responses(estimator, target)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
@pytest.mark.parametrize("target", ["two", "three"])
def test_probabilities_of_each_class_against_the_rest(loss, target):
    estimator = peers.SGDClassifier(loss=loss, alpha=0.1, random_state=0).fit(X, TARGETS[target])
    methods = ["decision_function", "predict_proba"]
    methods += ["predict_log_proba"] if loss == "log_loss" else []  # else log(0) occurs
    for method in methods:
        assert_response(estimator, X[:15], method)


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        (peers.PoissonRegressor(), "counts"),
        (peers.GammaRegressor(), "counts"),
        (peers.TweedieRegressor(power=0.0), "counts"),
        (peers.TweedieRegressor(power=0.0, link="log"), "counts"),
        (peers.TweedieRegressor(power=1.5), "counts"),
        (skgrad.LinearRegression(loss="poisson"), "counts"),
        (skgrad.LinearRegression(loss="huber"), "counts"),
        (peers.LinearRegression(), "pairs"),
        (peers.MultiTaskLasso(0.01), "pairs"),
        (skgrad.Ridge(), "pairs"),
        (PLSRegression(2), "pairs"),
        (peers.RidgeClassifier(), "labels"),
        (LinearDiscriminantAnalysis(), "two"),
        (LinearDiscriminantAnalysis(), "three"),
        (QuadraticDiscriminantAnalysis(), "two"),
        (QuadraticDiscriminantAnalysis(reg_param=0.2), "three"),
        (GaussianNB(), "two"),
        (GaussianNB(), "three"),
    ],
    ids=str,
)
def test_links_outputs_and_densities(estimator, target):
    assert_responses(estimator, target)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_components_of_a_mixture(covariance_type):
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    assert_response(mixture, X[:15], "predict_proba")


@pytest.mark.parametrize("estimator", [MultinomialNB(), ComplementNB(), BernoulliNB(binarize=None)])
@pytest.mark.parametrize("target", ["two", "three"])
def test_naive_bayes_of_counts(estimator, target):
    counts = np.abs(X) / 4.0
    assert_responses(estimator, target, counts)
    expected = gradients(estimator, counts, "predict_proba")
    assert_close(gradients(estimator, SPARSE(counts), "predict_proba"), expected, 1e-10)


def test_raw_of_two_densities_is_their_log_odds():
    bayes = GaussianNB().fit(X, TARGETS["two"])
    odds = gradients(bayes, X, "predict_log_proba", target="yes")
    odds = odds - gradients(bayes, X, "predict_log_proba", target="no")
    np.testing.assert_allclose(gradients(bayes, X, "raw"), odds, rtol=1e-9)


def test_outliers_of_a_line():
    estimator = peers.SGDOneClassSVM(random_state=0).fit(X)
    assert_response(estimator, X[:15], "decision_function")


@pytest.mark.parametrize("estimator", [skgrad.LogisticRegression(), peers.LogisticRegression()])
@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (SPARSE, "float64"),
        (lambda X: pd.DataFrame(X, columns=list("abcd")), "float64"),
        (lambda X: X.astype(np.float32), "float32"),
    ],
    ids=["sparse", "frame", "float32"],
)
def test_forms_of_the_data(estimator, form, kind):
    estimator.fit(form(X), TARGETS["three"])
    for method in ("decision_function", "predict_proba"):
        found = gradients(estimator, form(X), method)
        estimator.__dict__.pop("feature_names_in_", None)
        assert_close(found, gradients(estimator, X, method), arithmetic(kind))
        estimator.fit(form(X), TARGETS["three"])


def test_sparse_coefficients_are_read():
    dense = skgrad.LogisticRegression().fit(X, TARGETS["three"])
    expected = gradients(dense, X, "predict_proba")
    np.testing.assert_array_equal(gradients(dense.sparsify(), X, "predict_proba"), expected)


class SquareLink(Poisson):
    """A loss with a link of its own."""

    def inverse_link(self, raw):
        return raw**2


def test_loss_with_an_unknown_link_is_refused_until_its_derivative_is_registered():
    class Regressor(skgrad.LinearRegression):
        """Takes a rule of its own, and leaves the others alone."""

    estimator = Regressor(loss=SquareLink()).fit(X, TARGETS["counts"])
    with pytest.raises(NonDifferentiableError, match="inverse link of its own"):
        input_gradients(estimator, X)
    np.testing.assert_array_equal(
        input_gradients(estimator, X, response_method="raw"), np.tile(estimator.coef_, (60, 1))
    )
    register_jacobian(
        Regressor, lambda e, X: 2.0 * (X @ e.coef_ + e.intercept_)[:, None, None] * e.coef_
    )
    assert_response(estimator, X[:15], "predict")


def test_class_of_a_target_is_chosen():
    estimator = skgrad.LogisticRegression().fit(X, TARGETS["three"])
    every = gradients(estimator, X, "predict_proba")
    for k, label in enumerate("abc"):
        one = gradients(estimator, X, "predict_proba", target=label)
        np.testing.assert_array_equal(one[:, :, 0], every[:, :, k])
    np.testing.assert_allclose(every.sum(axis=2), 0.0, atol=arithmetic("float64"))


@pytest.mark.parametrize(
    ("estimator", "target", "reason"),
    [
        (DecisionTreeClassifier(), "two", "made of trees"),
        (RandomForestClassifier(3), "three", "made of trees"),
        (HistGradientBoostingRegressor(max_iter=3), "numbers", "made of trees"),
        (AdaBoostClassifier(n_estimators=3), "two", "counts votes"),
        (KNeighborsRegressor(), "numbers", "set of neighbours"),
        (CategoricalNB(), "two", "codes only"),
        (BernoulliNB(binarize=0.5), "two", r"binarize=0\.5"),
    ],
)
def test_piecewise_constant_models_are_refused_by_name(estimator, target, reason):
    codes = np.abs(np.round(X))
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), estimator)
    pipeline.fit(codes, TARGETS[target])
    name = type(estimator).__name__
    with pytest.raises(NonDifferentiableError, match=rf"{name} in step '{name.lower()}'.*{reason}"):
        input_gradients(pipeline, codes)


def test_slopes_of_a_forest_stand_in():
    forest = RandomForestClassifier(20, random_state=0).fit(X, TARGETS["two"])
    with pytest.warns(FiniteDifferenceWarning, match="RandomForestClassifier"):
        found = input_gradients(forest, X, fallback="difference")
    j, width = 1, 0.5 * X[:, 1].std()
    ends = [X + width * np.eye(4)[j], X - width * np.eye(4)[j]]
    upper, lower = (forest.predict_proba(end)[:, 1] for end in ends)
    np.testing.assert_allclose(found[:, j], (upper - lower) / (2.0 * width))


def test_constant_models_have_a_slope_of_zero():
    for estimator, target in [(DummyRegressor(), "numbers"), (DummyClassifier(), "three")]:
        assert_responses(estimator, target)
    random = DummyClassifier(strategy="stratified").fit(X, TARGETS["two"])
    with pytest.raises(NonDifferentiableError, match="at random"):
        input_gradients(random, X)
