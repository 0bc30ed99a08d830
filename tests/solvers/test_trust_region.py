"""Newton in a trust region: the subproblem, negative curvature, networks; Hessian eigenvalues."""

from types import SimpleNamespace

import numpy as np
import pytest
from problems import Variant, make_objective, minimise
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris
from tolerances import FINITE_DIFFERENCE, suboptimality

from skgrad import LogisticRegression, MLPClassifier
from skgrad.losses import Hinge, Logistic, Multinomial
from skgrad.penalties import L1, L2
from skgrad.solvers import (
    IncompatibleSolverError,
    Status,
    TrustRegion,
    hessian_eigenvalues,
)
from skgrad.solvers.trust_region import steihaug, to_border


class Saddle:
    """x^2 / 2 - y^2 / 2 + y^4 / 4: a saddle at 0, minima of -1/4 at y = -1 and y = 1."""

    convex = continuous_curvature = False
    dtype = np.dtype("float64")
    passes = 0.0
    offers = TrustRegion.needs

    def value_and_gradient(self, w):
        self.passes += 1.0
        x, y = w
        return x**2 / 2 - y**2 / 2 + y**4 / 4, np.array([x, y**3 - y])

    def linearise(self, w):
        hessian = np.diag([1.0, 3 * w[1] ** 2 - 1.0])
        return SimpleNamespace(hess_vec=lambda v: hessian @ v)

    def gradient_gap(self, w, gradient):
        return np.nan


# The quadratic model


def test_inside_the_region_it_is_newtons_step(rng):
    Q = rng.normal(size=(6, 6))
    hessian, gradient = Q @ Q.T + np.eye(6), rng.normal(size=6)
    step = steihaug(lambda v: hessian @ v, gradient, 1e6, 1e-12, 50)
    np.testing.assert_allclose(step.displacement, -np.linalg.solve(hessian, gradient), rtol=1e-8)
    assert step.decrease == pytest.approx(0.5 * gradient @ np.linalg.solve(hessian, gradient))
    assert not step.at_border
    assert np.linalg.eigvalsh(hessian)[0] <= step.curvature <= np.linalg.eigvalsh(hessian)[-1]


@pytest.mark.parametrize("shift", [1.0, -3.0])
def test_at_the_border_the_model_falls_further_than_along_the_gradient(shift, rng):
    Q = rng.normal(size=(6, 6))
    hessian, gradient = Q @ Q.T + shift * np.eye(6), rng.normal(size=6)
    for radius in [1e-3, 0.1, 0.5]:
        step = steihaug(lambda v: hessian @ v, gradient, radius, 1e-12, 50)
        assert np.linalg.norm(step.displacement) <= radius * (1 + 1e-12)
        length = np.linalg.norm(gradient)
        curvature = gradient @ hessian @ gradient / length**2
        along = min(radius, length / curvature) if curvature > 0 else radius
        cauchy = along * length - 0.5 * along**2 * curvature
        assert step.decrease >= cauchy * (1 - 1e-12)
        promised = gradient @ step.displacement
        promised += 0.5 * step.displacement @ hessian @ step.displacement
        assert step.decrease == pytest.approx(-promised)


def test_negative_curvature_is_followed_to_the_border():
    step = steihaug(lambda v: v * [1.0, -2.0], np.array([0.0, 1e-3]), 2.0, 1e-12, 50)
    np.testing.assert_allclose(step.displacement, [0.0, -2.0])
    assert step.at_border
    assert step.curvature == -2.0


def test_the_way_to_the_border(rng):
    for _ in range(50):
        d = rng.normal(size=4)
        d *= rng.random() / np.linalg.norm(d)
        direction = rng.normal(size=4) * 10.0 ** rng.integers(-3, 4)
        step = to_border(d, direction, 1.0)
        assert step >= 0
        assert np.linalg.norm(d + step * direction) == pytest.approx(1.0, rel=1e-12)


# Runs


def test_it_leaves_a_saddle_point():
    result = TrustRegion().run(Saddle(), np.array([1.0, 1e-9]), tol=0.0, max_iter=30)
    assert result.value == pytest.approx(-0.25)
    np.testing.assert_allclose(np.abs(result.w), [0.0, 1.0], atol=1e-7)
    assert result.n_iter <= 15
    assert (np.diff(result.history["loss"]) <= 0).all()


def test_a_step_that_does_not_lower_the_objective_is_not_taken():
    # From far out in the tail of y^4 a region that is too large overshoots at first.
    start = np.array([50.0, 0.6])
    solver = TrustRegion(1e3)
    result = solver.run(Saddle(), start, tol=0.0, max_iter=1)
    assert result.value <= Saddle().value_and_gradient(start)[0]
    whole = solver.run(Saddle(), start, tol=0.0, max_iter=100)
    assert whole.value == pytest.approx(-0.25)


@pytest.mark.parametrize("loss", [Logistic(), Multinomial()], ids=repr)
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_few_iterations_for_linear_models(loss, layout):
    objective = make_objective(loss, L2(0.01), Variant(layout, weights="rows"))
    result = TrustRegion().run(objective, objective.start(), tol=1e-10)
    best = minimise(objective).value
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 15
    assert result.value - best <= suboptimality(TrustRegion(), "float64") * best


@pytest.mark.filterwarnings("ignore:MLPClassifier:sklearn.exceptions.ConvergenceWarning")
def test_estimators():
    X, y = load_breast_cancer(return_X_y=True)
    exact = LogisticRegression(tol=1e-12).fit(X, y).history_["loss"][-1]
    for data, dtype in [(X, "float64"), (X.astype("float32"), "float32"), (sparse.csr_array(X), 0)]:
        clf = LogisticRegression(solver=TrustRegion(), tol=1e-6).fit(data, y)
        assert clf.converged_
        assert clf.history_["loss"][-1] <= exact * (
            1 + suboptimality(TrustRegion(), dtype or float)
        )
    X, y = load_iris(return_X_y=True)
    net = MLPClassifier((5,), "tanh", alpha=0.1, solver="trust_region", random_state=0).fit(X, y)
    lbfgs = MLPClassifier((5,), "tanh", alpha=0.1, solver="lbfgs", random_state=0).fit(X, y)
    assert net.score(X, y) > 0.97
    assert net.n_iter_ < lbfgs.n_iter_
    with pytest.raises(ValueError, match="TrustRegion needs a smooth penalty"):
        LogisticRegression(l1_ratio=1.0, solver="trust_region").fit(X, y)


# Eigenvalues


@pytest.mark.parametrize("n_features", [5, 60])
@pytest.mark.parametrize("which", ["largest", "smallest", "magnitude"])
def test_eigenvalues_are_those_of_the_matrix(n_features, which):
    objective = make_objective(Logistic(), L2(0.1), Variant(weights="rows"), n_features=n_features)
    w = objective.start() + 0.1
    values, vectors = hessian_eigenvalues(
        objective, w, 3, which=which, tol=1e-12, return_vectors=True
    )
    hessian = objective.hessian(w)[0]
    exact = np.linalg.eigvalsh(hessian)
    expected = exact[:3] if which == "smallest" else exact[::-1][:3]
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    np.testing.assert_allclose(hessian @ vectors, vectors * values, atol=1e-8)
    every = hessian_eigenvalues(objective, w, n_features + 1, which=which)
    np.testing.assert_allclose(np.sort(every), exact, rtol=1e-9, atol=1e-12)


def test_eigenvalues_of_a_network_that_is_no_minimum():
    from skgrad.neural_network._base import build_objective, resolve_solver

    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((6,), "tanh", alpha=0.1, solver="lbfgs", dtype="float64")
    task = clf._task(X, y, None, first=True)
    objective = build_objective(clf, task, resolve_solver(clf, task), None)
    w = np.random.default_rng(0).normal(size=objective.n_params)
    h, n = 1e-5, len(w)
    gradient = [
        [objective.value_and_gradient(w + s * h * e)[1] for s in (1, -1)] for e in np.eye(n)
    ]
    hessian = np.array([(one - other) / (2 * h) for one, other in gradient])
    exact = np.linalg.eigvalsh(0.5 * (hessian + hessian.T))
    assert exact[0] < 0 < exact[-1]
    scale = FINITE_DIFFERENCE * np.abs(exact).max()
    largest = hessian_eigenvalues(objective, w, 2, tol=1e-10)
    smallest = hessian_eigenvalues(objective, w, 2, which="smallest", tol=1e-10)
    np.testing.assert_allclose(largest, exact[::-1][:2], atol=scale)
    np.testing.assert_allclose(smallest, exact[:2], atol=scale)


def test_eigenvalues_refuse_what_makes_no_sense():
    objective = make_objective(Logistic(), L1(0.1), Variant())
    w = objective.start()
    for options, message in [
        ({"k": 0}, "k=0 is not from 1"), ({"k": 7}, "k=7 .* 6"), ({"which": "top"}, "which='top'"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            hessian_eigenvalues(objective, w, **options)
    kinked = make_objective(Hinge(), L2(0.1), Variant())
    with pytest.raises(IncompatibleSolverError, match="the Hinge loss is not smooth"):
        hessian_eigenvalues(kinked, w)
