"""Average marginal effects: statsmodels' numbers, and differences through whole pipelines."""

import copy

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as peers
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from tolerances import COEFFICIENTS, FINITE_DIFFERENCE, arithmetic

from skgrad import Lasso, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from skgrad.inspection import average_marginal_effects, register_jacobian

EXACT = arithmetic("float64")
# Effects and standard errors of statsmodels 0.15.0, which is no dependency:
#
# rng = np.random.default_rng(0)  # continued as in `data` below
# E = statsmodels.api.add_constant(X)
# def fitted(model, **options):
#     return model.fit(disp=0, tol=1e-14, method="newton", maxiter=100, **options)
# for method in ("dydx", "eyex", "dyex", "eydx"):
#     fitted(Logit(y, E)).get_margeff(method=method)
# for at in ("mean", "median", "zero"):
#     fitted(Logit(y, E)).get_margeff(at=at)
# "dummy ...": the same with dummy=True
# "HC0": fitted(Logit(y, E), cov_type="HC0").get_margeff()
# "cluster": fitted(Logit(y, E), cov_type="cluster", cov_kwds={"groups": groups}).get_margeff()
# "multinomial ...": fitted(MNLogit(classes, E)).get_margeff(...)
# "poisson": fitted(Poisson(counts, E)).get_margeff()
# "ols ...": params and bse of OLS(target, E).fit(cov_type=..., cov_kwds=...)
REFERENCE = {
    "dydx": (
        [0.18610261590346422, -0.10347143905147606, 0.10605568292970427],
        [0.02316693091423366, 0.02487835452278626, 0.05005337237187754],
    ),
    "eyex": (
        [-0.2068406370715304, -0.056011164594807816, 0.1017945518221469],
        [0.05478715171423472, 0.02751536902450056, 0.04298906482766671],
    ),
    "dyex": (
        [-0.04452171139327094, -0.009088066529395127, 0.053777924949893266],
        [0.009969134693733624, 0.00469629491912002, 0.024211456797224782],
    ),
    "eydx": (
        [0.3734893464165288, -0.2076568346796363, 0.21284315380994343],
        [0.06611129457072594, 0.05642602690064555, 0.10395951136347131],
    ),
    "mean": (
        [0.2243137362032106, -0.12471649026147485, 0.12783133846912353],
        [0.03638144241987328, 0.032749836535137425, 0.06177242777128253],
    ),
    "median": (
        [0.20459183470838171, -0.1137512842185897, 0.11659227166959286],
        [0.03371540398808298, 0.02997618503694623, 0.05043640533290884],
    ),
    "zero": (
        [0.2338350388556312, -0.1300102518902831, 0.13325731408091543],
        [0.03866373490779212, 0.03443461959228455, 0.06802129324795597],
    ),
    "dummy": (
        [0.18610261590346422, -0.10347143905147606, 0.10617413323155482],
        [0.02316693091423366, 0.02487835452278626, 0.0504767048644877],
    ),
    "dummy at mean": (
        [0.2243137362032106, -0.12471649026147485, 0.12759533422235725],
        [0.03638144241987328, 0.032749836535137425, 0.06123344098381587],
    ),
    "dummy eydx": (
        [0.3734893464165288, -0.2076568346796363, 0.21419723616841607],
        [0.06611129457072594, 0.05642602690064555, 0.10503727979375654],
    ),
    "HC0": (
        [0.18610261590346422, -0.10347143905147606, 0.10605568292970427],
        [0.02211703434886774, 0.023520182924889343, 0.05008888672239802],
    ),
    "cluster": (
        [0.18610261590346422, -0.10347143905147606, 0.10605568292970427],
        [0.023899157497633963, 0.02868257097558059, 0.05125002915021721],
    ),
    "multinomial": (
        [
            [-0.21406888372258, 0.0237064892505798, 0.19036239447200018],
            [0.10441918329621906, 0.009043106655481446, -0.11346228995170052],
            [-0.09776060461766996, -0.11004365344478813, 0.20780425806245806],
        ],
        [
            [0.02154026349166606, 0.024050055235046212, 0.022275756975964817],
            [0.023939203590002678, 0.02542398630871172, 0.024026191532336073],
            [0.04810988329983336, 0.04857360587820023, 0.04544373925113321],
        ],
    ),
    "multinomial mean": (
        [
            [-0.28236678118625597, 0.03454309699324548, 0.2478236841930105],
            [0.13909692177960825, 0.006456437895471172, -0.14555335967507937],
            [-0.1369465659987014, -0.12092737903101762, 0.25787394502971894],
        ],
        [
            [0.039639765264997316, 0.03359677531093276, 0.03629672901526439],
            [0.034030890626403805, 0.030973594842648406, 0.03279805772221996],
            [0.06402825787777452, 0.05884127643280033, 0.06222025376006747],
        ],
    ),
    "poisson": (
        [0.33147760624099265, 0.07026481209934113, 0.12406146821797205],
        [0.06725461106645746, 0.06567986395153214, 0.12749886985500264],
    ),
    "ols nonrobust": (
        [1.0115242621375402, -0.45884457912460647, 0.6209354492215451],
        [0.07017639624019598, 0.06967802817164173, 0.1370640838011938],
    ),
    "ols HC0": (
        [1.0115242621375402, -0.45884457912460647, 0.6209354492215451],
        [0.07051217413215083, 0.06879257076250263, 0.1337322229791586],
    ),
    "ols cluster": (
        [1.0115242621375402, -0.45884457912460647, 0.6209354492215451],
        [0.057235295944113314, 0.07307196193542706, 0.11551038221115381],
    ),
}

LOGIT = {
    "dydx": {"discrete": ()},
    "eyex": {"method": "eyex"},
    "dyex": {"method": "dyex"},
    "eydx": {"method": "eydx", "discrete": ()},
    "mean": {"at": "mean", "discrete": ()},
    "median": {"at": "median", "discrete": ()},
    "zero": {"at": "zero", "discrete": ()},
    "dummy": {},
    "dummy at mean": {"at": "mean"},
    "dummy eydx": {"method": "eydx"},
    "HC0": {"vcov": "sandwich", "discrete": ()},
    "cluster": {"vcov": "cluster", "discrete": ()},
}
OURS = LogisticRegression(C=float("inf"), tol=1e-12)
PEER = peers.LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    X[:, 2] = rng.integers(0, 2, 300)
    groups = rng.integers(0, 20, 300)
    score = X @ [1.0, -0.5, 0.7]
    y = (score + 0.3 + rng.logistic(size=300) > 0).astype(int)
    classes = np.digitize(score + rng.logistic(size=300), [-0.5, 1.0])
    target = score + rng.normal(size=300) * (0.5 + X[:, 2])
    counts = rng.poisson(np.exp(0.3 * X[:, 0] + 0.2))
    return {
        "X": X, "y": y, "groups": groups, "classes": classes, "target": target, "counts": counts,
    }  # fmt: skip


def assert_equals_statsmodels(result, name, rtol=1e-8):
    effects, errors = REFERENCE[name]
    np.testing.assert_allclose(result.effects, effects, rtol=rtol)
    np.testing.assert_allclose(result.standard_errors, errors, rtol=rtol)


@pytest.mark.parametrize("name", LOGIT)
@pytest.mark.parametrize("clf", [OURS, PEER], ids=["ours", "peer"])
def test_logit_equals_statsmodels(data, clf, name):
    X, y = data["X"], data["y"]
    groups = data["groups"] if name == "cluster" else None
    result = average_marginal_effects(clf.fit(X, y), X, y, groups=groups, **LOGIT[name])
    assert_equals_statsmodels(result, name)


@pytest.mark.parametrize("at", ["overall", "mean"])
def test_multinomial_equals_statsmodels(data, at):
    X, classes = data["X"], data["classes"]
    name = "multinomial" if at == "overall" else "multinomial mean"
    result = average_marginal_effects(PEER.fit(X, classes), X, classes, at=at, discrete=())
    assert_equals_statsmodels(result, name)
    np.testing.assert_allclose(result.effects.sum(axis=1), 0.0, atol=1e-12)
    ours = average_marginal_effects(OURS.fit(X, classes), X, classes, at=at, discrete=())
    assert_equals_statsmodels(ours, name, rtol=COEFFICIENTS["float64"])


@pytest.mark.parametrize(
    ("name", "vcov"), [("nonrobust", "delta"), ("HC0", "sandwich"), ("cluster", "cluster")]
)
def test_linear_regression_equals_statsmodels(data, name, vcov):
    X, target = data["X"], data["target"]
    for model in (LinearRegression(tol=1e-12), peers.LinearRegression()):
        result = average_marginal_effects(
            model.fit(X, target), X, target, vcov=vcov,
            groups=data["groups"] if vcov == "cluster" else None,
        )  # fmt: skip
        assert_equals_statsmodels(result, f"ols {name}")


def test_poisson_equals_statsmodels(data):
    X, counts = data["X"], data["counts"]
    for model in (PoissonRegressor(alpha=0, tol=1e-14), peers.PoissonRegressor(alpha=0, tol=1e-10)):
        result = average_marginal_effects(model.fit(X, counts), X, counts, discrete=())
        assert_equals_statsmodels(result, "poisson", rtol=COEFFICIENTS["float64"])


def test_delta_of_logit_needs_no_targets(data):
    result = average_marginal_effects(OURS.fit(data["X"], data["y"]), data["X"], discrete=())
    assert_equals_statsmodels(result, "dydx")


# Through pipelines


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    n = 240
    frame = pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, n),
            "income": rng.lognormal(1.0, 0.5, n),
            "city": rng.choice(list("abc"), n),
            "member": rng.integers(0, 2, n),
        }
    )
    frame.loc[::7, "age"] = np.nan
    score = frame["age"].fillna(40.0) / 20.0 + frame["income"] + (frame["city"] == "a")
    score = (score - 5.0 + frame["member"]).to_numpy() + rng.logistic(size=n)
    return frame, np.where(score > 0, "yes", "no"), np.digitize(score, [-1.0, 1.0]), score


class Curves(StandardScaler):
    """Each column z and sin(z), and the product of the first two: neither affine nor columnwise."""

    def transform(self, X):
        z = super().transform(X)
        return np.hstack([z, np.sin(z), z[:, :1] * z[:, 1:2]])


def pull_curves(step, X, cotangent):
    z, k = (np.asarray(X) - step.mean_) / step.scale_, step.n_features_in_
    pulled = cotangent[:, :k] + np.cos(z) * cotangent[:, k : 2 * k]
    pulled[:, 0] += z[:, 1] * cotangent[:, -1]
    pulled[:, 1] += z[:, 0] * cotangent[:, -1]
    return pulled / step.scale_


register_jacobian(Curves, pull_curves)


def mixed(last, *, drop="first"):
    numbers = make_pipeline(SimpleImputer(), Curves(), PCA(4))
    columns = ColumnTransformer(
        [("numbers", numbers, ["age", "income"]), ("city", OneHotEncoder(drop=drop), ["city"])],
        remainder="passthrough",
    )
    return make_pipeline(columns, last)


MODELS = {
    "binary": lambda: LogisticRegression(tol=1e-10),
    "multinomial": lambda: LogisticRegression(tol=1e-12),
    "linear": lambda: Ridge(alpha=0.3),
}


def fitted(kind, people, **options):
    frame, binary, classes, score = people
    y = {"binary": binary, "multinomial": classes, "linear": score}[kind]
    return mixed(MODELS[kind](), **options).fit(frame, y), frame, y


def shifted(pipeline, change):
    changed = copy.deepcopy(pipeline)
    last = changed[-1]
    params = np.column_stack([np.atleast_2d(last.coef_), np.atleast_1d(last.intercept_)])
    params += change.reshape(params.shape)
    last.coef_ = params[:, :-1].reshape(np.shape(last.coef_))
    last.intercept_ = params[:, -1].reshape(np.shape(last.intercept_))
    return changed


def assert_derivatives_in_parameters(pipeline, frame, options):
    n_params = pipeline[-1].coef_.size + np.size(pipeline[-1].intercept_)
    # Covariances of rank 4, so that derivatives along 4 directions tell what must come out.
    root, step = np.random.default_rng(0).normal(size=(n_params, 4)), 1e-5
    along = []
    for direction in root.T:
        ends = [
            average_marginal_effects(
                shifted(pipeline, h * direction), frame, vcov=None, **options
            ).effects.ravel()
            for h in (step, -step)
        ]
        along.append((ends[0] - ends[1]) / (2 * step))
    expected = np.stack(along, axis=1) @ np.stack(along)
    result = average_marginal_effects(pipeline, frame, vcov=root @ root.T, **options)
    atol = FINITE_DIFFERENCE * np.diag(expected).max()
    np.testing.assert_allclose(result.covariance, expected, rtol=FINITE_DIFFERENCE, atol=atol)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", ["dydx", "eydx", "dyex", "eyex"])
def test_derivatives_in_parameters_match_differences(people, kind, method):
    pipeline, frame, _ = fitted(kind, people)
    options = {"method": method, "sample_weight": np.arange(240) % 3}
    if method.endswith("ex"):
        options["variables"] = ["age", "income"]
    if kind == "linear":  # scores of both signs have no logarithm
        pipeline[-1].intercept_ += 100.0
    assert_derivatives_in_parameters(pipeline, frame, options)


def test_splines_and_interactions(people):
    frame, y = people[0].fillna({"age": 40.0}), people[1]
    columns = ColumnTransformer(
        [
            ("spline", SplineTransformer(n_knots=4, include_bias=False), ["age"]),
            ("products", PolynomialFeatures(2, include_bias=False), ["income", "member"]),
            ("city", OneHotEncoder(drop="first"), ["city"]),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression(tol=1e-10)).fit(frame, y)
    assert_derivatives_in_parameters(pipeline, frame, {})
    ages = frame["age"]
    frame, h = frame[(ages > ages.min()) & (ages < ages.max())], 1e-5  # without the spline's kinks
    result = average_marginal_effects(pipeline, frame, vcov=None, variables=["age", "income"])
    for name, effect in zip(["age", "income"], result.effects, strict=True):
        ends = [
            pipeline.predict_proba(frame.assign(**{name: frame[name] + step}))[:, 1].mean()
            for step in (h, -h)
        ]
        np.testing.assert_allclose(effect, (ends[0] - ends[1]) / (2 * h), rtol=FINITE_DIFFERENCE)


def test_effects_match_differences_on_raw_columns(people):
    pipeline, frame, y = fitted("binary", people)
    result = average_marginal_effects(pipeline, frame, y)
    assert result.feature_names.tolist() == [
        "age", "income", "city[b - a]", "city[c - a]", "member[1 - 0]",
    ]  # fmt: skip

    def mean(**columns):
        return pipeline.predict_proba(frame.assign(**columns))[:, 1].mean()

    h = 1e-5
    expected = [
        (mean(**{name: frame[name] + h}) - mean(**{name: frame[name] - h})) / (2 * h)
        for name in ("age", "income")
    ]
    expected += [mean(city=city) - mean(city="a") for city in "bc"]
    expected.append(mean(member=1) - mean(member=0))
    np.testing.assert_allclose(result.effects, expected, rtol=FINITE_DIFFERENCE)


def test_binary_target_turns_the_sign(people):
    pipeline, frame, y = fitted("binary", people)
    yes, no = (average_marginal_effects(pipeline, frame, y, target=k) for k in ("yes", "no"))
    np.testing.assert_allclose(yes.effects, -no.effects, rtol=EXACT)
    np.testing.assert_allclose(yes.standard_errors, no.standard_errors, rtol=EXACT)


def test_probabilities_of_all_classes_sum_to_one(people):
    pipeline, frame, y = fitted("multinomial", people)
    result = average_marginal_effects(pipeline, frame, y, vcov="sandwich")
    np.testing.assert_allclose(result.effects.sum(axis=1), 0.0, atol=1e-12)
    of_sums = np.kron(np.eye(5), np.ones(3)) @ result.covariance
    np.testing.assert_allclose(of_sums, 0.0, atol=1e-12)


@pytest.mark.parametrize("vcov", ["delta", "sandwich", "unconditional", None])
@pytest.mark.parametrize("kind", MODELS)
def test_weights_are_repeated_rows_and_chunks_make_no_difference(people, kind, vcov):
    pipeline, frame, y = fitted(kind, people)
    k = np.arange(240) % 3
    rows = np.repeat(np.arange(240), k)
    pipeline[-1].fit(pipeline[:-1].transform(frame), y, sample_weight=k)
    weighted = average_marginal_effects(pipeline, frame, y, sample_weight=k, vcov=vcov)
    repeated = average_marginal_effects(pipeline, frame.iloc[rows], y[rows], vcov=vcov)
    chunked = average_marginal_effects(
        pipeline, frame, y, sample_weight=k, vcov=vcov, batch_size=17
    )
    for other in (repeated, chunked):
        np.testing.assert_allclose(other.effects, weighted.effects, rtol=EXACT, atol=1e-15)
        np.testing.assert_allclose(other.covariance, weighted.covariance, rtol=1e-9, atol=1e-15)


def test_search_and_pipeline_are_seen_through(people):
    pipeline, frame, y = fitted("binary", people)
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0]}, cv=2).fit(frame, y)
    here, there = (average_marginal_effects(one, frame, y) for one in (pipeline, search))
    np.testing.assert_allclose(here.covariance, there.covariance, rtol=EXACT)


class Products(PolynomialFeatures):
    """Two columns and their product."""


def pull_products(step, X, c):
    return np.column_stack([c[:, 0] + X[:, 1] * c[:, 2], c[:, 1] + X[:, 0] * c[:, 2]])


register_jacobian(Products, pull_products)


def test_interaction_by_itself():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=200)
    steps = Products(2, interaction_only=True, include_bias=False)
    pipeline = make_pipeline(steps, LinearRegression()).fit(X, y)
    result = average_marginal_effects(pipeline, X, y)
    a, b, c = pipeline[-1].coef_
    means = X.mean(axis=0)
    np.testing.assert_allclose(result.effects, [a + c * means[1], b + c * means[0]], rtol=EXACT)
    design = np.column_stack([steps.transform(X), np.ones(200)])
    residuals = y - pipeline.predict(X)
    V = np.linalg.inv(design.T @ design) * (residuals @ residuals) / (200 - 4)
    J = np.array([[1, 0, means[1], 0], [0, 1, means[0], 0]])
    np.testing.assert_allclose(result.covariance, J @ V @ J.T, rtol=1e-9)

    # A row moves the mean of a + c x1 by its own x1, and by its pull on the coefficients.
    own = c * (X[:, ::-1] - means[::-1]) / 200
    moves = own + (design * residuals[:, None]) @ np.linalg.inv(design.T @ design) @ J.T
    unconditional = average_marginal_effects(pipeline, X, y, vcov="unconditional")
    np.testing.assert_allclose(unconditional.covariance, moves.T @ moves, rtol=1e-9)


# Uncertainty


def test_ridge_has_the_penalised_hessian_in_the_bread(data):
    X, target = data["X"], data["target"]
    ridge = Ridge(alpha=20.0).fit(X, target)
    E = np.column_stack([X, np.ones(300)])
    bread = np.linalg.inv(E.T @ E + np.diag([20.0, 20.0, 20.0, 0.0]))
    residuals = target - ridge.predict(X)
    used = np.trace(bread @ E.T @ E)
    meats = {
        "delta": E.T @ E * (residuals @ residuals) / (300 - used),
        "sandwich": (E * residuals[:, None] ** 2).T @ E,
    }
    for vcov, meat in meats.items():
        for model in (ridge, peers.Ridge(alpha=20.0).fit(X, target)):
            result = average_marginal_effects(model, X, target, vcov=vcov)
            expected = (bread @ meat @ bread)[:3, :3]
            np.testing.assert_allclose(result.covariance, expected, rtol=1e-9)


def test_multinomial_penalty_is_that_of_all_classes(data):
    # Sandwich by brute force in all parameters: the pseudo-inverse leaves out the free intercept.
    X, classes = data["X"], data["classes"]
    clf = LogisticRegression(C=0.1, tol=1e-13).fit(X, classes)
    E, P = np.column_stack([X, np.ones(300)]), clf.predict_proba(X)
    curvature = np.einsum("nk,kl->nkl", P, np.eye(3)) - np.einsum("nk,nl->nkl", P, P)
    H = np.einsum("nkl,np,nq->kplq", curvature, E, E).reshape(12, 12)
    bread = np.linalg.pinv(H + np.diag(np.tile([10.0, 10.0, 10.0, 0.0], 3)), rcond=1e-10)
    V = bread @ H @ bread
    given = average_marginal_effects(clf, X, vcov=V)
    delta = average_marginal_effects(clf, X, classes)
    np.testing.assert_allclose(delta.covariance, given.covariance, rtol=1e-7, atol=1e-14)


def test_class_weight_is_in_the_scores(data):
    # Weights of classes that are weights of rows of another fit, with meat of squared weights.
    X, y = data["X"], data["y"]
    clf = LogisticRegression(class_weight={0: 1.0, 1: 3.0}, tol=1e-12).fit(X, y)
    E, p, c = np.column_stack([X, np.ones(300)]), clf.predict_proba(X)[:, 1], 1.0 + 2.0 * y
    bread = np.linalg.inv((E * (c * p * (1 - p))[:, None]).T @ E + np.diag([1.0, 1.0, 1.0, 0.0]))
    u = E * (c * (p - y))[:, None]
    expected = average_marginal_effects(clf, X, vcov=bread @ (u.T @ u) @ bread)
    result = average_marginal_effects(clf, X, y, vcov="sandwich")
    np.testing.assert_allclose(result.covariance, expected.covariance, rtol=1e-9)
    with pytest.raises(ValueError, match="class_weight makes the losses no likelihood"):
        average_marginal_effects(clf, X, y)


def test_liblinear_penalises_the_intercept(data):
    X, y = data["X"], data["y"]
    clf = peers.LogisticRegression(
        C=0.1, solver="liblinear", intercept_scaling=2.0, tol=1e-10, max_iter=10_000
    ).fit(X, y)
    E, p = np.column_stack([X, np.ones(300)]), clf.predict_proba(X)[:, 1]
    H = (E * (p * (1 - p))[:, None]).T @ E
    bread = np.linalg.inv(H + np.diag([10.0, 10.0, 10.0, 2.5]))
    expected = average_marginal_effects(clf, X, vcov=bread @ H @ bread)
    result = average_marginal_effects(clf, X, y)
    np.testing.assert_allclose(result.covariance, expected.covariance, rtol=1e-9)


def test_rows_only_error_is_that_of_a_mean(data):
    X, y = data["X"], data["y"]
    clf = OURS.fit(X, y)
    p = clf.predict_proba(X)[:, 1]
    of_rows = np.outer(p * (1 - p), clf.coef_[0])
    result = average_marginal_effects(clf, X, vcov=None, discrete=())
    np.testing.assert_allclose(result.standard_errors, of_rows.std(axis=0) / 300**0.5, rtol=1e-10)
    point = average_marginal_effects(clf, X, vcov=None, at="mean")
    assert np.isnan(point.standard_errors).all()


def test_unconditional_error_is_that_of_refits_on_new_rows():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(800, 2))
    y = (X @ [1.0, -1.0] + rng.logistic(size=800) > 0).astype(int)
    clf = LogisticRegression(C=float("inf")).fit(X, y)
    unconditional = average_marginal_effects(clf, X, y, vcov="unconditional")
    bootstrap = average_marginal_effects(
        clf, X, y, vcov="bootstrap", n_bootstrap=200, random_state=0
    )
    np.testing.assert_array_equal(bootstrap.effects, unconditional.effects)
    np.testing.assert_allclose(bootstrap.standard_errors, unconditional.standard_errors, rtol=0.15)


def test_clusters_of_one_row_are_rows_and_pairs_count_twice(data):
    X, y = data["X"], data["y"]
    clf = OURS.fit(X, y)
    rows = average_marginal_effects(clf, X, y, vcov="unconditional")
    single = average_marginal_effects(clf, X, y, vcov="unconditional", groups=np.arange(300))
    np.testing.assert_allclose(single.covariance, rows.covariance * 300 / 299, rtol=EXACT)
    twice = np.repeat(np.arange(300), 2)
    pairs = average_marginal_effects(clf, X[twice], y[twice], vcov="unconditional", groups=twice)
    np.testing.assert_allclose(pairs.covariance, single.covariance, rtol=1e-9)


def test_bootstrap_draws_clusters_and_refits_searches(people):
    pipeline, frame, y = fitted("binary", people)
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(frame, y)
    options = {"vcov": "bootstrap", "n_bootstrap": 5, "variables": ["income", "city"]}
    groups = np.arange(240) // 4
    first, again = (
        average_marginal_effects(search, frame, y, groups=groups, random_state=0, **options)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.covariance, again.covariance)
    assert (first.standard_errors > 0.0).all()


# At, by, variables, contrasts


def test_by_averages_within_groups(people):
    pipeline, frame, y = fitted("binary", people)
    everywhere = average_marginal_effects(pipeline, frame, y, variables="income")
    split = average_marginal_effects(pipeline, frame, y, variables="income", by="city")
    assert split.strata.tolist() == ["city=a", "city=b", "city=c"]
    shares = frame["city"].value_counts(normalize=True).sort_index().to_numpy()
    np.testing.assert_allclose(shares @ split.effects, everywhere.effects[0], rtol=EXACT)
    variance = shares @ split.covariance @ shares
    np.testing.assert_allclose(variance, everywhere.covariance[0, 0], rtol=1e-10)
    labels = average_marginal_effects(
        pipeline, frame, y, variables="income", by=frame["city"].to_numpy()
    )
    np.testing.assert_array_equal(labels.effects, split.effects)


@pytest.mark.parametrize("vcov", ["unconditional", None])
def test_rows_of_other_groups_move_only_the_parameters(people, vcov):
    pipeline, frame, y = fitted("binary", people)
    split = average_marginal_effects(
        pipeline, frame, y, variables="income", by="city", vcov=vcov, batch_size=50
    )
    everywhere = average_marginal_effects(
        pipeline, frame, y, variables="income", vcov=vcov
    ).covariance[0, 0]
    shares = frame["city"].value_counts(normalize=True).sort_index().to_numpy()
    between = shares @ np.square(split.effects - shares @ split.effects) / 240
    # Shares that are given leave out that they vary; the cross term is that of means and pulls.
    assert shares @ split.covariance @ shares <= everywhere * 1.05
    if vcov is None:
        variance = shares @ split.covariance @ shares + between
        np.testing.assert_allclose(variance, everywhere, rtol=1e-10)
        off = split.covariance - np.diag(np.diag(split.covariance))
        np.testing.assert_allclose(off, 0.0, atol=1e-18)


def test_at_a_frame_sets_columns(people):
    pipeline, frame, y = fitted("binary", people)
    profiles = pd.DataFrame({"city": ["a", "c"], "income": [2.0, 3.0]})
    result = average_marginal_effects(pipeline, frame, y, at=profiles, variables="age")
    assert result.strata.tolist() == ["city=a, income=2.0", "city=c, income=3.0"]
    for k, (city, income) in enumerate([("a", 2.0), ("c", 3.0)]):
        there = average_marginal_effects(
            pipeline, frame.assign(city=city, income=income), variables="age", vcov=None
        )
        np.testing.assert_allclose(result.effects[k], there.effects[0], rtol=EXACT)


def test_at_the_mean_is_at_means_and_modes(people):
    pipeline, frame, y = fitted("binary", people)
    result = average_marginal_effects(pipeline, frame, y, at="mean", variables="income")
    row = frame.iloc[:1].assign(
        age=frame["age"].mean(), income=frame["income"].mean(), city=frame["city"].mode()[0],
        member=frame["member"].mean(),
    )  # fmt: skip
    there = average_marginal_effects(pipeline, row, variables="income", vcov=None)
    np.testing.assert_allclose(result.effects, there.effects, rtol=EXACT)


@pytest.mark.parametrize(
    ("contrast", "labels"),
    [
        ("reference", ["city[b - a]", "city[c - a]"]),
        ("pairwise", ["city[b - a]", "city[c - a]", "city[c - b]"]),
        ("sequential", ["city[b - a]", "city[c - b]"]),
        ({"city": "b"}, ["city[a - b]", "city[c - b]"]),
    ],
)
def test_contrasts(people, contrast, labels):
    pipeline, frame, y = fitted("binary", people)
    result = average_marginal_effects(pipeline, frame, y, variables="city", contrast=contrast)
    assert result.feature_names.tolist() == labels
    level = {c: pipeline.predict_proba(frame.assign(city=c))[:, 1].mean() for c in "abc"}
    expected = [level[label[5]] - level[label[9]] for label in labels]
    np.testing.assert_allclose(result.effects, expected, rtol=EXACT)


def test_categories_keep_their_order_and_type(people):
    frame = people[0]
    frame = frame.assign(city=pd.Categorical(frame["city"], categories=["c", "a", "b", "z"]))
    y = people[1]
    pipeline = mixed(LogisticRegression()).fit(frame, y)
    result = average_marginal_effects(pipeline, frame, y, variables=["member", "city"])
    assert result.feature_names.tolist() == ["member[1 - 0]", "city[a - c]", "city[b - c]"]


def test_column_that_an_encoder_reads_has_contrasts():
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.integers(0, 3, 120), rng.normal(size=120)])
    encoder = ColumnTransformer(
        [("code", OneHotEncoder(drop="first"), [0])], remainder="passthrough"
    )
    y = X[:, 0] ** 2 + X[:, 1] + 0.1 * rng.normal(size=120)
    pipeline = make_pipeline(encoder, LinearRegression()).fit(X, y)
    result = average_marginal_effects(pipeline, X, y)
    assert result.feature_names.tolist() == ["x0[1 - 0]", "x0[2 - 0]", "x1"]
    np.testing.assert_allclose(result.effects, pipeline[-1].coef_, rtol=1e-10)


def test_sparse_equals_dense(data):
    from scipy import sparse

    X, y = data["X"], data["y"]
    clf = OURS.fit(X, y)
    dense = average_marginal_effects(clf, X, y, vcov="sandwich")
    found = average_marginal_effects(clf, sparse.csr_array(X), y, vcov="sandwich")
    np.testing.assert_allclose(found.covariance, dense.covariance, rtol=EXACT)
    np.testing.assert_allclose(found.effects, dense.effects, rtol=EXACT)


def test_float32(data):
    X, y = data["X"].astype(np.float32), data["y"]
    result = average_marginal_effects(LogisticRegression(C=float("inf")).fit(X, y), X, y)
    assert_equals_statsmodels(result, "dummy", rtol=COEFFICIENTS["float32"])


def test_response_before_the_link_has_the_errors_of_the_coefficients(data):
    X, y = data["X"], data["y"]
    clf = OURS.fit(X, y)
    result = average_marginal_effects(clf, X, y, response_method="decision_function")
    E, p = np.column_stack([X, np.ones(300)]), clf.predict_proba(X)[:, 1]
    V = np.linalg.inv((E * (p * (1 - p))[:, None]).T @ E)
    np.testing.assert_allclose(result.effects, clf.coef_[0], rtol=EXACT)
    np.testing.assert_allclose(result.covariance, V[:3, :3], rtol=1e-9)


def test_result_is_a_table(people):
    pipeline, frame, y = fitted("multinomial", people)
    result = average_marginal_effects(pipeline, frame, y, by="member", variables=["age", "city"])
    table = result.to_frame()
    assert list(table.columns) == [
        "feature", "stratum", "target", "effect", "standard_error", "z", "p_value", "lower",
        "upper",
    ]  # fmt: skip
    assert len(table) == 2 * 3 * 3
    chosen = table.query("feature == 'city[c - a]' and stratum == 'member=1' and target == 2")
    assert chosen["effect"].item() == result.effects[5, 2]
    np.testing.assert_allclose(table["lower"], table["effect"] - 1.959964 * table["standard_error"],
                               rtol=1e-6, atol=1e-9)  # fmt: skip
    assert result.unit == (
        "change in the probability per unit of the column, or from one category to the other"
    )


# What is refused


def test_refusals_name_the_way_out(data, people):
    X, y, target = data["X"], data["y"], data["target"]
    clf, regressor = LogisticRegression().fit(X, y), LinearRegression().fit(X, target)
    pipeline, frame, labels = fitted("binary", people)
    network = peers_network().fit(X, y)
    doubled = np.column_stack([X, X[:, 0]])
    cases = [
        (clf, X, None, {"vcov": "sandwich"}, "needs y"),
        (regressor, X, None, {}, "needs y for LinearRegression"),
        (clf, X, y, {"vcov": "cluster"}, "needs groups"),
        (clf, X, y, {"vcov": "cluster", "groups": np.arange(7)}, "groups has 7 labels"),
        (clf, X, y, {"vcov": "cluster", "groups": np.ones(300)}, "two clusters at least"),
        (clf, X, y, {"groups": np.arange(300)}, 'groups belong to vcov="cluster"'),
        (clf, X, y[:7], {}, "y has 7 rows, but X has 300"),
        (clf, X, y + 1, {}, "none of the classes"),
        (clf, X, y, {"vcov": "HC3"}, "vcov must be one of"),
        (clf, X, y, {"vcov": np.eye(3)}, "has 4 parameters"),
        (clf, X, y, {"vcov": "unconditional", "at": "mean"}, "averages over rows"),
        (clf, X, y, {"method": "slope"}, "method must be one of"),
        (clf, X, y, {"at": "mode"}, "at must be one of"),
        (clf, X, y, {"at": pd.DataFrame({"x9": [1.0]})}, "at names 'x9'"),
        (clf, X, y, {"variables": ["x1", "x7"]}, "variables names 'x7', but the columns of X are"),
        (clf, X, y, {"variables": ["x1", 1]}, "names a column twice"),
        (clf, X, y, {"discrete": "x9"}, "discrete names 'x9'"),
        (clf, X, y, {"discrete": ["x0"]}, "too many categories"),
        (clf, X, y, {"by": "x9"}, "by names 'x9'"),
        (clf, X, y, {"confidence_level": 95}, "confidence_level must be between 0 and 1"),
        (clf, X, y, {"sample_weight": -np.ones(300)}, "Negative values"),
        (pipeline, frame, labels, {"contrast": "helmert"}, "contrast must be one of"),
        (pipeline, frame, labels, {"contrast": {"city": "q"}}, "holds no 'q'"),
        (pipeline, frame, labels, {"method": "eyex"}, r"leave \['city'\] out with variables="),
        (LogisticRegression(l1_ratio=1.0).fit(X, y), X, y, {}, "L1 penalty.*bootstrap"),
        (Lasso(alpha=0.1).fit(X, target), X, target, {}, "L1 penalty.*bootstrap"),
        (LinearRegression(positive=True).fit(X, target), X, target, {}, "positive=True"),
        (peers.LinearRegression().fit(doubled, target), doubled, target, {}, "singular"),
        (network, X, y, {}, "not identified.*bootstrap.*vcov=None"),
        (peers.RidgeClassifier().fit(X, y), X, y, {}, "is not known.*bootstrap.*vcov=None"),
    ]  # fmt: skip
    for estimator, rows, targets, options, message in cases:
        with pytest.raises(ValueError, match=message):
            average_marginal_effects(estimator, rows, targets, **options)


def peers_network():
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((3,), solver="lbfgs", max_iter=50, tol=0.1, random_state=0)


def test_other_data_than_those_of_the_fit_are_noticed(data):
    from sklearn.exceptions import ConvergenceWarning

    X, y = data["X"], data["y"]
    clf = LogisticRegression().fit(X, y)
    with pytest.warns(ConvergenceWarning, match="standard errors away from the optimum"):
        average_marginal_effects(clf, X[:100], y[:100])


def test_unfitted_is_refused(data):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        average_marginal_effects(LogisticRegression(), data["X"], data["y"])
