"""Damped Newton method with Cholesky factors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, least_gap, norm
from skgrad.solvers._block_search import Landing, search_blocks
from skgrad.solvers._cholesky import factorise, solve

# Where the Hessian jumps, the decrement may underestimate the distance to the optimum tenfold.
DECREMENT_MARGIN = 0.1


@dataclass(slots=True)
class NewtonState(State):
    """Gradient at w; the factors of a constant Hessian, and Newton's next step with them."""

    gradient: FloatArray | None = None
    factors: FloatArray | None = None
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
        # Across jumps of the Hessian a step that merely decreases may be far too short.
        found = search_blocks(
            objective.value_and_gradient, w, state.value, state.gradient, direction,
            n_blocks=len(factors), first=float(self.learning_rate),
            extend=not objective.continuous_curvature,
        ) if slope < 0.0 else None  # fmt: skip
        if found is None or _no_progress(state, found):
            # No descent left: the decrement at w itself says how far that is from the minimum.
            gap = least_gap(objective.gradient_gap(w, state.gradient), max(0.0, -0.5 * slope))
            return w, replace(state, gap=gap, status=Status.PRECISION)
        gap = bound = objective.gradient_gap(found.w, found.gradient)
        constant, near, correction = objective.constant_curvature, False, None
        if objective.continuous_curvature:
            # The decrement with the previous Hessian is exact for quadratics, and nearly so close
            # to the optimum. It saves a factorisation just to learn that the run is over.
            correction = -solve(factors, found.gradient)
            decrement = max(0.0, -0.5 * float(found.gradient @ correction))
            near = decrement <= run.tol * abs(found.value)
            # A bound that the penalty gives can be proved. It is often a thousand times as large:
            # so near the optimum a step with the same factors brings it down as well.
            gap = decrement if constant or math.isnan(gap) else gap
        return found.w, NewtonState(
            found.value, norm(found.gradient), found.step, gap,
            singular=singular, gradient=found.gradient,
            bound=bound if objective.gradient_gap_is_proof(found.gradient) else math.nan,
            factors=factors if constant or near else None,
            correction=correction if constant else None,
        )  # fmt: skip

    def finish(
        self, objective: Objective, w: FloatArray, state: NewtonState
    ) -> tuple[FloatArray, State]:
        """Refine the solution of a linear system once: its residual and next step are known."""
        if state.correction is None or state.singular or state.step_size != 1.0:
            return w, state
        return w + state.correction, replace(state, correction=None, bound=math.nan)


def _no_progress(state: NewtonState, found: Landing) -> bool:
    """Tell whether neither the value falls nor the gradient: what is left is rounding."""
    return found.value >= state.value and norm(found.gradient) >= 0.5 * state.gradient_norm
