"""The checkers pass what the package has, and find what is wrong."""

import numpy as np
import pytest
from problems import EVERY_PENALTY, LINEAR_LOSSES, PENALTIES, make_loss, make_penalty

from skgrad.losses import Logistic
from skgrad.losses import SquaredError as Squares
from skgrad.penalties import L1, L2
from skgrad.penalties.constraints import Constraint, L1Ball
from skgrad.solvers import SGD, ProximalGradient
from skgrad.testing import check_constraint, check_loss, check_penalty, check_solver


@pytest.mark.parametrize("name", LINEAR_LOSSES)
def test_losses_pass(name):
    check_loss(make_loss(name))


@pytest.mark.parametrize("kind", PENALTIES)
def test_penalties_pass(kind):
    check_penalty(make_penalty(kind))


@pytest.mark.parametrize("solver", [ProximalGradient(), SGD("cosine", batch_size=8)])
def test_solvers_pass(solver):
    check_solver(solver, max_iter=1000)


class SlopeTooSmall(Squares):
    def gradient(self, y, raw):
        return 0.99 * (raw - y)

    def value_and_gradient(self, y, raw):
        return self.value(y, raw), self.gradient(y, raw)


class CurvatureTooLarge(Logistic):
    def curvature(self, y, raw):
        return 1.1 * super().curvature(y, raw)


class ConjugateTooLarge(Squares):
    def conjugate(self, y, dual):
        return super().conjugate(y, dual) + 0.01


class ProxTooLong(Squares):
    def prox(self, y, raw, step_size):
        return super().prox(y, raw, 1.5 * step_size)


class Overflows(Logistic):
    def value(self, y, raw):
        with np.errstate(over="ignore"):
            return np.log1p(np.exp(raw)) - y * raw


class GivesDoubles(Squares):
    def value(self, y, raw):
        return super().value(y, raw).astype(np.float64)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (SlopeTooSmall(), "gradient is not a derivative"),
        (CurvatureTooLarge(), "curvature is not the gradient's derivative"),
        (ConjugateTooLarge(), "Fenchel's equality"),
        (ProxTooLong(), "prox with step 0.3 is not a minimiser"),
        (Overflows(), "overflows"),
        (GivesDoubles(), "turns float32 into float64"),
    ],
)
def test_flaws_of_losses_are_found(loss, message):
    with pytest.raises(AssertionError, match=message):
        check_loss(loss)


class TooMuchShrinkage(L1):
    def prox(self, coef, step_size):
        return super().prox(coef, 1.2 * step_size)


class SlopeTooLarge(L2):
    def gradient(self, coef):
        return 1.01 * super().gradient(coef)


class Boasts(L2):
    @property
    def strong_convexity(self):
        return 2.0 * self.alpha


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (TooMuchShrinkage(0.5), "prox with step 0.3 is not a minimiser"),
        (SlopeTooLarge(0.5), "gradient is not a derivative"),
        (Boasts(0.5), "less convex than it says"),
    ],
)
def test_flaws_of_penalties_are_found(penalty, message):
    with pytest.raises(AssertionError, match=message):
        check_penalty(penalty)


class Lazy(ProximalGradient):
    def step(self, objective, w, state, run):
        moved, state = super().step(objective, w, state, run)
        return 0.999 * moved, state


def test_solver_that_misses_the_minimum_is_found():
    with pytest.raises(AssertionError, match="above the minimum"):
        check_solver(Lazy(), max_iter=200)


@pytest.mark.parametrize("kind", [kind for kind in EVERY_PENALTY if issubclass(kind, Constraint)])
def test_constraints_pass(kind):
    check_constraint(make_penalty(kind), shape=(2, 5))


class TooSmall(L1Ball):
    def project(self, coef, metric=1.0):
        return 0.9 * super().project(coef, metric)


class WrongVertex(L1Ball):
    def lmo(self, gradient):
        return -super().lmo(gradient)


@pytest.mark.parametrize(
    ("constraint", "message"),
    [(TooSmall(2.0), "not a minimiser|moves when projected"), (WrongVertex(2.0), "lmo does not")],
)
def test_flaws_of_constraints_are_found(constraint, message):
    with pytest.raises(AssertionError, match=message):
        check_constraint(constraint)
