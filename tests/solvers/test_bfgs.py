"""BFGS: the update by its formula, quadratics, functions that are not convex, size."""

import numpy as np
import pytest
from problems import Variant, least_squares, make_objective
from scipy.optimize import rosen, rosen_der
from sklearn.datasets import load_breast_cancer, load_iris
from tolerances import COEFFICIENTS

from skgrad import LogisticRegression, MLPClassifier
from skgrad.losses import Logistic, SquaredError
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, NoPenalty
from skgrad.solvers import BFGS, LBFGS, IncompatibleSolverError
from skgrad.solvers.bfgs import updated_inverse


class Rosenbrock:
    """A valley that is not convex; the minimum is 0, at ones."""

    convex = continuous_curvature = False
    dtype = np.dtype("float64")
    passes = 0.0
    offers = BFGS.needs

    def value_and_gradient(self, w):
        self.passes += 1.0
        return float(rosen(w)), rosen_der(w)

    def gradient_gap(self, w, gradient):
        return np.nan


def test_the_update_is_the_formula(rng):
    inverse = np.eye(4)
    for _ in range(5):
        s = rng.normal(size=4)
        y = s * [1.0, 2.0, 3.0, 4.0] + 0.1 * rng.normal(size=4)
        rho = 1.0 / (s @ y)
        left = np.eye(4) - rho * np.outer(s, y)
        expected = left @ inverse @ left.T + rho * np.outer(s, s)
        inverse = updated_inverse(inverse, (s, y, float(s @ y)))
        np.testing.assert_allclose(inverse, expected, rtol=1e-10)
        np.testing.assert_allclose(inverse @ y, s, rtol=1e-10)  # the secant equation
        np.testing.assert_array_equal(inverse, inverse.T)
    first = updated_inverse(None, (s, y, float(s @ y)))
    scaled = updated_inverse((s @ y) / (y @ y) * np.eye(4), (s, y, float(s @ y)))
    np.testing.assert_array_equal(first, scaled)


def test_on_a_quadratic_it_finds_the_inverse_hessian(rng):
    X, y, coef, intercept, minimum = least_squares(np.array([30.0, 10.0, 3.0, 1.0]), 50, rng)
    objective = Objective(LinearModel(4, 1, True), SquaredError(), NoPenalty(), X, y[:, None])
    result = BFGS().run(objective, objective.start(), tol=1e-15, max_iter=100)
    user = objective.to_user(result.w)
    np.testing.assert_allclose(user, [*coef, intercept], rtol=COEFFICIENTS["float64"])
    assert result.value == pytest.approx(minimum, rel=1e-12)
    hessian = objective.hessian(result.w)[0]
    # The start is the best intercept: no step says anything about it.
    product = (result.state.inverse @ hessian)[:4, :4]
    np.testing.assert_allclose(product, np.eye(4), atol=0.1)


def test_a_curved_valley():
    start = np.array([-1.2, 1.0, -0.5, 0.8, 1.2, -1.0])
    results = {
        kind: kind.run(Rosenbrock(), start, tol=0.0, max_iter=300) for kind in [BFGS(), LBFGS(3)]
    }
    whole, limited = results.values()
    assert whole.value <= 1e-15
    np.testing.assert_allclose(whole.w, 1.0, rtol=COEFFICIENTS["float64"])
    # All steps say more than the last three.
    assert whole.n_iter < limited.n_iter


@pytest.mark.filterwarnings("ignore:MLPClassifier:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_estimators(dtype):
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(dtype)
    exact = LogisticRegression(tol=1e-12).fit(X.astype(float), y)
    fitted = LogisticRegression(solver=BFGS(), tol=1e-9 if dtype == "float64" else 1e-6).fit(X, y)
    assert fitted.coef_.dtype == dtype
    loss = exact.history_["loss"][-1]
    assert fitted.history_["loss"][-1] <= loss * (1 + COEFFICIENTS[dtype])
    X, y = load_iris(return_X_y=True)
    net = MLPClassifier((5,), "tanh", alpha=1.0, solver="bfgs", random_state=0).fit(X, y)
    assert net.score(X, y) > 0.95


def test_refusals():
    objective = make_objective(Logistic(), L1(0.1), Variant())
    with pytest.raises(IncompatibleSolverError, match="BFGS needs a smooth penalty"):
        BFGS().run(objective, objective.start())
    large = make_objective(Logistic(), L2(0.1), Variant(), n_features=5001, n_samples=10)
    with pytest.raises(IncompatibleSolverError, match=r"matrix of 5002 x 5002.*Use LBFGS"):
        BFGS().run(large, large.start())
