"""Damped Newton method with Cholesky factors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray, IntArray
from skgrad.capabilities import Capability
from skgrad.lines import Point
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, least_gap, norm
from skgrad.solvers._block_search import rounding_noise, search_blocks
from skgrad.solvers._cholesky import Factors, factorise, factorise_and_solve, solve

# Where the Hessian jumps, the decrement may underestimate the distance to the optimum tenfold.
DECREMENT_MARGIN = 0.1
# Outputs whose gap is below this share of what is allowed them are left where they are.
FINISHED = 0.01


@dataclass(slots=True)
class NewtonState(State):
    """Where w is; the factors of a constant Hessian, and Newton's next step with them.

    ``gaps`` bounds the shares of the outputs in the gap, NaN where there is no bound.
    """

    point: Point | None = None
    gaps: FloatArray | None = None
    factors: Factors | None = None
    correction: FloatArray | None = None


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
        {Capability.LINEAR, Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> NewtonState:
        """Evaluate the start, unless it is known together with the Hessian.

        Newton's steps with a constant Hessian known to seven digits are iterative refinement.
        """
        expansion = objective.rough_expansion(w)
        if expansion is None:
            point = objective.point(w)
            return NewtonState(point.value, norm(point.gradient), point=point)
        value, gradient, hessian = expansion
        factors, singular = factorise(hessian)
        point = Point(w, value, gradient)
        return NewtonState(value, norm(gradient), singular=singular, point=point, factors=factors)

    def step(
        self, objective: Objective, w: FloatArray, state: NewtonState, run: Run
    ) -> tuple[FloatArray, NewtonState]:
        """Solve for the Newton direction and search along it."""
        assert state.point is not None
        point, factors, singular = state.point, state.factors, state.singular
        here = objective.expand(point, unfinished(objective, state, run.tol))
        if factors is None:
            factors, solution, singular = factorise_and_solve(here.hessian(), here.gradient)
        else:
            solution = solve(factors, here.gradient)
        solution = objective.without_shift(solution.ravel())
        line = here.line(-solution.reshape(len(factors), -1))
        decrement = -0.5 * sum(line.slopes)
        # No bound from the penalty: the decrement with the Hessian at w itself has to do.
        unknown = not objective.continuous_curvature and math.isnan(state.gap)
        if unknown and decrement <= DECREMENT_MARGIN * run.tol * abs(state.value):
            return w, replace(state, gap=decrement / DECREMENT_MARGIN)
        # Far from the optimum the tails of a logistic loss, and across its jumps the Hessian of a
        # hinge, make the full step too short: one more evaluation saves up to half the Hessians.
        extend = self.learning_rate >= 1.0 or not objective.continuous_curvature
        trial = search_blocks(
            line, state.value, first=float(self.learning_rate), extend=extend,
            noise=rounding_noise(point),
        ) if decrement > 0.0 else None  # fmt: skip
        found = None if trial is None else line.land(trial)
        if trial is None or found is None or _no_progress(state, found):
            # No descent left: the decrement at w itself says how far that is from the minimum.
            gap = least_gap(objective.gradient_gap(w, point.gradient), max(0.0, decrement))
            return w, replace(state, gap=gap, status=Status.PRECISION)
        step = sum(trial.steps) / len(trial.steps)
        return found.w, _arrival(objective, found, step, factors, singular=singular, tol=run.tol)

    def finish(
        self, objective: Objective, w: FloatArray, state: NewtonState
    ) -> tuple[FloatArray, State]:
        """Refine the solution of a linear system once: its residual and next step are known.

        Otherwise tell whether the gap is a proven bound.
        """
        if state.correction is not None and not state.singular and state.step_size == 1.0:
            return w + state.correction, replace(state, correction=None)
        if state.gaps is None or state.point is None:
            return w, state
        proof = objective.gradient_gap_is_proof(state.point.gradient)
        return w, replace(state, bound=sum(state.gaps.tolist()) if proof else math.nan)


def _arrival(
    objective: Objective, found: Point, step: float, factors: Factors, *, singular: bool, tol: float
) -> NewtonState:
    """Estimate how far from the minimum a step has led, and keep what the next one can use."""
    gaps = objective.gradient_gaps(found.w, found.gradient)
    gap = sum(gaps.tolist())
    constant, near, correction = objective.constant_curvature, False, None
    if objective.continuous_curvature:
        # The decrement with the previous Hessian is exact for quadratics, and nearly so close to
        # the optimum. It saves a factorisation just to learn that the run is over.
        correction = -solve(factors, found.gradient)
        decrement = max(0.0, -0.5 * float(found.gradient @ correction))
        near = decrement <= tol * abs(found.value)
        # A bound that the penalty gives can be proved. It is often a thousand times as large: so
        # near the optimum a step with the same factors brings it down as well.
        gap = decrement if constant or math.isnan(gap) else gap
    return NewtonState(
        found.value, norm(found.gradient), step, gap, singular=singular, point=found, gaps=gaps,
        factors=factors if constant or near else None, correction=correction if constant else None,
    )  # fmt: skip


def unfinished(objective: Objective, state: NewtonState, tol: float) -> IntArray | None:
    """Find the outputs that are not at their minimum yet; None if all are taken for that.

    Where the Hessian jumps, Newton's method ends with an exact step, and soonest for the outputs
    whose rows change sides least: for ten digits, at between 7 and 35 iterations.
    """
    if state.gaps is None or objective.continuous_curvature or objective.coupled:
        return None
    if objective.cheap_products:  # to leave some out costs more than it saves
        return None
    limit = FINISHED * tol * abs(state.value) / len(state.gaps)
    unfinished = (~(state.gaps <= limit)).nonzero()[0]
    return unfinished if 0 < len(unfinished) < len(state.gaps) else None


def _no_progress(state: NewtonState, found: Point) -> bool:
    """Tell whether neither the value falls nor the gradient: what is left is rounding."""
    return found.value >= state.value and norm(found.gradient) >= 0.5 * state.gradient_norm
