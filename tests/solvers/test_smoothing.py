"""Continuation: widths, certificates, inner solvers."""

import numpy as np
import pytest
from problems import Variant, make_data, make_objective, minimise
from scipy import sparse
from sklearn.datasets import load_breast_cancer

from skgrad import LinearSVC
from skgrad.losses import (
    AbsoluteError,
    EpsilonInsensitive,
    Hinge,
    Huber,
    Logistic,
    Quantile,
    Smoothed,
)
from skgrad.penalties import L1, L2, NoPenalty
from skgrad.solvers import (
    LBFGS,
    IncompatibleSolverError,
    Newton,
    ProximalGradient,
    Smoothing,
    Status,
)

KINKED = [AbsoluteError(), Quantile(0.8), EpsilonInsensitive(0.2), Hinge()]


def test_an_iteration_minimises_the_smoothed_objective():
    data = make_data(Hinge(), Variant())
    objective = data.objective(Hinge(), L2(0.1))
    solver = Smoothing(0.5, shrink=0.3, inner=Newton())
    seen = []

    def describe(iteration):
        return iteration.w, iteration.state.step_size, iteration.state.multipliers

    solver.run(
        objective, objective.start(), max_iter=3, tol=1e-10,
        callbacks=[lambda iteration: seen.append(describe(iteration))],
    )  # fmt: skip
    width = 0.5 / objective.coordinate_curvature
    for k, (w, step_size, multipliers) in enumerate(seen):
        assert step_size == pytest.approx(width * 0.3**k)
        smoothed = data.objective(Smoothed(Hinge(), step_size), L2(0.1))
        best = minimise(smoothed).value
        value = smoothed.value(smoothed.from_user(objective.to_user(w)))
        assert -1e-12 <= value - best <= 0.3 * step_size
        slopes = smoothed.multipliers(smoothed.from_user(objective.to_user(w)))
        np.testing.assert_allclose(multipliers, slopes, atol=1e-9)


@pytest.mark.parametrize("loss", [*KINKED, Huber(0.7)], ids=repr)
@pytest.mark.parametrize("penalty", [L2(0.05), L1(0.02), NoPenalty()], ids=repr)
def test_the_gap_is_a_bound_and_reaches_tol(loss, penalty):
    objective = make_objective(loss, penalty, Variant(weights="rows"))
    best = minimise(objective).value
    gaps = []
    result = Smoothing().run(
        objective, objective.start(), tol=1e-6,
        callbacks=[lambda i: gaps.append((i.state.gap, i.state.value - best))],
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    assert result.value - best <= 1e-6 * best
    assert all(gap >= excess - 1e-9 * best for gap, excess in gaps)


@pytest.mark.parametrize("inner", [Newton(), LBFGS()], ids=repr)
def test_inner_solvers(inner):
    objective = make_objective(Hinge(), L2(0.1), Variant("csr"))
    result = Smoothing(inner=inner).run(objective, objective.start(), tol=1e-4)
    assert result.status is Status.CONVERGED
    with_l1 = make_objective(Hinge(), L1(0.02), Variant())
    Smoothing(inner=ProximalGradient()).run(with_l1, with_l1.start(), tol=1e-3)
    with pytest.raises(IncompatibleSolverError, match="needs a smooth penalty"):
        Smoothing(inner=inner).run(with_l1, with_l1.start())


def test_estimators_certify_the_answer():
    X, y = load_breast_cancer(return_X_y=True)
    exact = LinearSVC(loss="hinge", C=0.1).fit(X, y)
    for data in [X, sparse.csr_array(X)]:
        clf = LinearSVC(loss="hinge", C=0.1, solver=Smoothing(), tol=1e-5).fit(data, y)
        assert clf.gap_is_certified_
        assert clf.history_["loss"][-1] <= exact.history_["loss"][-1] * (1 + 1e-5)
        np.testing.assert_array_equal(clf.predict(data), exact.predict(X))


def test_losses_without_a_proximal_operator_are_refused():
    objective = make_objective(Logistic(), L2(0.1), Variant())
    with pytest.raises(IncompatibleSolverError, match="Smoothing needs a loss with a proximal"):
        Smoothing().run(objective, objective.start())
