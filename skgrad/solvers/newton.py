"""Damped Newton method with Cholesky factors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.objective import Capability, Objective
from skgrad.solvers._base import Run, Solver, State, Status, least_gap, norm
from skgrad.solvers._cholesky import factorise, solve
from skgrad.solvers._line_search import Trial, along, backtracking, strong_wolfe

# Where the Hessian jumps, the decrement may underestimate the distance to the optimum tenfold.
DECREMENT_MARGIN = 0.1


@dataclass(slots=True)
class NewtonState(State):
    """Gradient at w, and the factors of a constant Hessian once they are known."""

    gradient: FloatArray | None = None
    factors: FloatArray | None = None


class Newton(Solver):
    r"""Newton's method with a line search.

    .. math:: w_{t+1} = w_t - \eta_t \left(\nabla^2 F(w_t)\right)^{-1} \nabla F(w_t)

    The Hessian is factorised block by block: one block per output for losses that treat outputs
    separately, one block in all for the multinomial loss. A singular Hessian (collinear columns,
    more features than samples, the shift of all multinomial intercepts) gets the smallest ridge
    that makes it factorisable. Few iterations, each of cost n_samples * block_size^2: the method of
    choice for many rows and up to some hundred columns. For losses whose gradient has kinks
    (squared hinge) this is the semismooth Newton method.

    Parameters
    ----------
    learning_rate : float, default=1.0
        First trial step of the line search; less than 1 is damping.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> bool(LogisticRegression(solver="newton").fit(X, y).n_iter_[0] < 15)
    True

    References
    ----------
    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, section 3.4.
    """

    name = "newton"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> NewtonState:
        """Evaluate the start."""
        value, gradient = objective.value_and_gradient(w)
        return NewtonState(value, norm(gradient), gradient=gradient)

    def step(
        self, objective: Objective, w: FloatArray, state: NewtonState, run: Run
    ) -> tuple[FloatArray, NewtonState]:
        """Solve for the Newton direction and search along it."""
        assert state.gradient is not None
        factors, singular = state.factors, state.singular
        if factors is None:
            factors, singular = factorise(objective.hessian(w))
        direction = -solve(factors, state.gradient)
        slope = float(state.gradient @ direction)
        # No bound from the penalty: the decrement with the Hessian at w itself has to do.
        unknown = not objective.continuous_curvature and math.isnan(state.gap)
        if unknown and -0.5 * slope <= DECREMENT_MARGIN * run.tol * abs(state.value):
            return w, replace(state, gap=-0.5 * slope / DECREMENT_MARGIN)
        start = Trial(0.0, state.value, slope, state.gradient, w)
        evaluate = along(objective.value_and_gradient, w, direction)
        # Across jumps of the Hessian a step that merely decreases may be far too short.
        search = backtracking if objective.continuous_curvature else strong_wolfe
        trial = search(evaluate, start, float(self.learning_rate)) if slope < 0 else None
        if not objective.continuous_curvature and trial and trial.value >= state.value:
            trial = None  # the search allows for rounding, and nothing else may end such a run
        if trial is None:
            # No descent left: the decrement at w itself says how far that is from the minimum.
            gap = least_gap(objective.gradient_gap(w, state.gradient), max(0.0, -0.5 * slope))
            return w, replace(state, gap=gap, status=Status.PRECISION)
        gap = objective.gradient_gap(trial.w, trial.gradient)
        if objective.continuous_curvature:
            # The decrement with the previous Hessian is exact for quadratics, and nearly so close
            # to the optimum. It saves a factorisation just to learn that the run is over.
            gap = least_gap(gap, 0.5 * float(trial.gradient @ solve(factors, trial.gradient)))
        return trial.w, NewtonState(
            trial.value, norm(trial.gradient), trial.step, gap,
            singular=singular, gradient=trial.gradient,
            factors=factors if objective.constant_curvature else None,
        )  # fmt: skip
