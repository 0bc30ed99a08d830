"""Penalties and constraints as parameters of the linear estimators."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import Lasso, MultiTaskLasso
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale

from skgrad import LinearRegression, LinearSVC, LinearSVR, LogisticRegression
from skgrad.penalties import L1, L2, MCP, ElasticNet, GroupLasso, NonNegative
from skgrad.penalties.constraints import Box, Constrained, L1Ball, L2Ball, NuclearNormBall, Simplex
from skgrad.solvers import FrankWolfe

X, y = load_diabetes(return_X_y=True)
NAMES = load_diabetes().feature_names


def frame():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=NAMES)


@pytest.mark.parametrize("alpha", [0.05, 0.5])
@pytest.mark.parametrize("solver", ["auto", "frank_wolfe", "proximal_gradient"])
def test_the_l1_ball_is_the_lasso(alpha, solver):
    """With the radius of the lasso's answer both have the same answer."""
    lasso = Lasso(alpha, tol=1e-12, max_iter=100_000).fit(X, y)
    radius = np.abs(lasso.coef_).sum()
    ours = LinearRegression(constraint=L1Ball(radius), solver=solver, tol=1e-11).fit(X, y)
    np.testing.assert_allclose(ours.coef_, lasso.coef_, atol=1e-2)
    assert np.abs(ours.coef_).sum() <= radius * (1 + 1e-12)
    assert ours.gap_is_certified_
    if solver == "frank_wolfe":
        assert ours.n_vertices_ == (ours.coef_ != 0).sum()


def test_the_l2_ball_is_ridge_regression():
    ridge = LinearRegression(alpha=0.01).fit(X, y)
    radius = np.linalg.norm(ridge.coef_)
    ours = LinearRegression(constraint=L2Ball(radius), tol=1e-10).fit(X, y)
    np.testing.assert_allclose(ours.coef_, ridge.coef_, rtol=1e-3)


@pytest.mark.parametrize(
    ("penalty", "scalars"),
    [
        (L2(0.02), {"alpha": 0.02}),
        (L1(0.3), {"alpha": 0.3, "l1_ratio": 1.0}),
        (ElasticNet(0.1, 0.4), {"alpha": 0.1, "l1_ratio": 0.4}),
        (NonNegative(L1(0.3)), {"alpha": 0.3, "l1_ratio": 1.0, "positive": True}),
    ],
    ids=repr,
)
def test_objects_mean_what_the_scalars_mean(penalty, scalars):
    ours = LinearRegression(penalty=penalty).fit(X, y)
    np.testing.assert_array_equal(ours.coef_, LinearRegression(**scalars).fit(X, y).coef_)


def test_a_penalty_is_added_to_the_mean_of_the_losses():
    features, labels = load_breast_cancer(return_X_y=True)
    features = scale(features)
    n = len(labels)
    for kind in (LogisticRegression, LinearSVC):
        scalar = kind(C=2.0).fit(features, labels)
        ours = kind(penalty=L2(1.0 / (2.0 * n))).fit(features, labels)
        np.testing.assert_allclose(ours.coef_, scalar.coef_, rtol=1e-10)
    scalar = LinearSVR(C=2.0, epsilon=10.0).fit(X, y)
    ours = LinearSVR(penalty=L2(1.0 / (2.0 * len(y))), epsilon=10.0).fit(X, y)
    np.testing.assert_allclose(ours.coef_, scalar.coef_, rtol=1e-6)


def test_a_constraint_comes_on_top_of_the_penalty():
    free = LinearRegression(alpha=0.01).fit(X, y)
    wide = LinearRegression(alpha=0.01, constraint=Box(-1e4, 1e4), tol=1e-11).fit(X, y)
    np.testing.assert_allclose(wide.coef_, free.coef_, rtol=1e-4)
    tight = LinearRegression(alpha=0.01, constraint=Box(-50, 50)).fit(X, y)
    assert np.abs(tight.coef_).max() <= 50 * (1 + 1e-12)


def test_signs_are_those_of_nonnegative_least_squares():
    ours = LinearRegression(constraint=Box(0), tol=1e-12).fit(X, y)
    expected = LinearRegression(positive=True).fit(X, y)
    np.testing.assert_allclose(ours.coef_, expected.coef_, rtol=1e-5, atol=1e-3)


def test_bounds_and_groups_by_the_names_of_columns():
    data = frame()
    box = Box(columns={"bmi": (0, 100), "s5": (None, 50.0)})
    bounded = LinearRegression(constraint=box).fit(data, y)
    coef = dict(zip(NAMES, bounded.coef_, strict=True))
    assert coef["bmi"] == pytest.approx(100)
    assert coef["s5"] == pytest.approx(50)
    assert coef["sex"] < 0
    groups = [["age", "sex"], ["bmi", "bp"], NAMES[4:]]
    selected = LinearRegression(penalty=GroupLasso(groups, 0.8)).fit(data, y)
    assert not selected.coef_[:2].any()
    assert selected.coef_[2:].all()
    assert repr(selected.penalty) == repr(GroupLasso(groups, 0.8))  # as it was given


def test_unknown_columns_are_named():
    with pytest.raises(ValueError, match=r"Box\(columns=...\) names column 'bim'.*'bmi'"):
        LinearRegression(constraint=Box(columns={"bim": (0, 1)})).fit(frame(), y)
    with pytest.raises(ValueError, match="GroupLasso names column 'age', but X is no DataFrame"):
        LinearRegression(penalty=GroupLasso([["age"]])).fit(X, y)


def test_the_group_lasso_of_tasks_is_scikit_learns():
    """One group for each column, over all targets: the multi-task lasso."""
    rng = np.random.default_rng(0)
    targets = np.column_stack([y, y[::-1] + X @ rng.normal(size=10), X @ rng.normal(size=10)])
    peer = MultiTaskLasso(0.3, tol=1e-12, max_iter=100_000).fit(X, targets)
    penalty = GroupLasso([[j] for j in range(10)], 0.3)
    ours = LinearRegression(penalty=penalty, tol=1e-11).fit(X, targets)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-2)
    assert ((ours.coef_ == 0) == (peer.coef_ == 0)).all()


def test_mcp_selects_with_less_shrinkage_than_the_lasso():
    lasso = LinearRegression(penalty=L1(1.0)).fit(X, y)
    ours = LinearRegression(penalty=MCP(1.0, gamma=1e4)).fit(X, y)
    chosen = ours.coef_ != 0
    assert 0 < chosen.sum() < 10
    assert np.abs(ours.coef_).sum() > np.abs(lasso.coef_).sum()
    assert not ours.gap_is_certified_


def test_the_nuclear_norm_ball_lowers_the_rank_of_the_classes():
    features, labels = load_iris(return_X_y=True)
    features = scale(features)
    for solver in ("auto", FrankWolfe()):
        clf = LogisticRegression(
            C=np.inf, constraint=NuclearNormBall(1.5), solver=solver, tol=1e-5
        ).fit(features, labels)
        sizes = np.linalg.svd(clf.coef_, compute_uv=False)
        assert sizes.sum() == pytest.approx(1.5, rel=1e-4)
        assert sizes[1] < 0.05 * sizes[0]
        assert clf.score(features, labels) > 0.8


def test_a_bounded_set_makes_separated_classes_harmless():
    """Without penalty the optimum would be at infinity, and a warning would say so."""
    labels = y > np.median(y)
    features = np.column_stack([X, labels])
    clf = LogisticRegression(C=np.inf, constraint=L2Ball(5.0)).fit(features, labels)
    assert clf.converged_
    assert np.linalg.norm(clf.coef_) == pytest.approx(5.0)


@pytest.mark.parametrize("region", [L1Ball(0.5), L2Ball(0.5), Box(-0.1, 0.3), Simplex(0.5)])
def test_losses_with_kinks(region):
    features, labels = load_breast_cancer(return_X_y=True)
    for ours in (
        LinearSVC(loss="hinge", constraint=region).fit(scale(features), labels),
        LinearSVR(constraint=clone(region).set_params(**wider(region))).fit(scale(X), y),
    ):
        assert ours.converged_
        assert ours.optimality_gap_ <= 1e-6
        assert ours.constraint.violation(ours.coef_) <= 1e-12


def wider(region):
    """Parameters of a set a hundred times as large."""
    return {name: 100 * value for name, value in region.get_params().items() if value is not None}


@pytest.mark.parametrize("solver", ["auto", "frank_wolfe", "projected_gradient"])
def test_weights_are_repeated_rows_and_float32_stays(solver):
    weight = np.random.default_rng(0).integers(0, 4, size=len(y))
    options = {"constraint": L1Ball(600.0), "solver": solver, "tol": 1e-10}
    weighted = LinearRegression(**options).fit(X, y, sample_weight=weight)
    rows = np.repeat(np.arange(len(y)), weight)
    repeated = LinearRegression(**options).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-2)
    single = LinearRegression(**{**options, "tol": 1e-6}).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32


def test_warm_starts_outside_of_the_set_are_not_taken():
    reg = LinearRegression(constraint=L1Ball(800.0), warm_start=True).fit(X, y)
    again = reg.set_params(constraint__radius=100.0).fit(X, y)
    assert np.abs(again.coef_).sum() <= 100.0 * (1 + 1e-12)
    cold = LinearRegression(constraint=L1Ball(100.0)).fit(X, y)
    np.testing.assert_allclose(again.coef_, cold.coef_, atol=1e-2)


def test_objects_are_searched_and_cloned():
    search = GridSearchCV(
        LinearRegression(solver="frank_wolfe"),
        {"constraint": [L1Ball(), Simplex()], "constraint__radius": [10.0, 500.0]},
        cv=3, error_score="raise",
    ).fit(X, y)  # fmt: skip
    assert search.best_params_["constraint__radius"] == 500.0
    assert clone(search.best_estimator_).constraint.radius == 500.0


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LinearRegression(penalty=L1(), alpha=0.5), "penalty=L1.. and alpha=0.5.*default, 0.0"),
        (LinearRegression(penalty=L1(), positive=True), "penalty=L1.. and positive=True"),
        (LogisticRegression(C=2.0, penalty=L1()), "penalty=L1.. and C=2.0.*default, 1.0"),
        (LogisticRegression(l1_ratio=0.5, penalty=L1()), "penalty=L1.. and l1_ratio=0.5"),
        (LinearSVC(C=2.0, penalty=L1()), "penalty=L1.. and C=2.0"),
        (LinearSVR(C=2.0, penalty=L1()), "penalty=L1.. and C=2.0"),
    ],
)
def test_a_penalty_that_is_given_twice(estimator, message):
    with pytest.raises(ValueError, match=f"The penalty was given twice: {message}"):
        estimator.fit(X, y > 100)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LinearRegression(positive=True, constraint=L1Ball()), "twice: positive=True and constr"),
        (LinearRegression(penalty=L1Ball(), constraint=Box(0)), r"twice: penalty=L1Ball\(\) and"),
        (
            LinearRegression(penalty=Constrained(L2(), Box(0)), constraint=Box(1)),
            "twice: penalty=Constrained.* and constraint=Box",
        ),
        (LinearRegression(alpha=1.0, l1_ratio=0.5, constraint=L1Ball()), "No proximal operator"),
        (LinearRegression(constraint=L1Ball(-1.0)), "'radius' parameter of L1Ball"),
        (LinearRegression(constraint=L1()), "'constraint' parameter of LinearRegression"),
        (LinearRegression(penalty="l2"), "'penalty' parameter of LinearRegression"),
        (LinearRegression(penalty=GroupLasso([[0, 1], [1]])), "Column 1 is in two groups"),
        (LinearRegression(constraint=Box(1, 0)), "lower bound 1 and the upper bound 0"),
    ],
)
def test_bad_objects_are_explained(estimator, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y)
