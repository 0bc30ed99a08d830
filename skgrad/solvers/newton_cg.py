"""Truncated Newton method: conjugate gradients instead of factors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.linearisation import Inverse, Linearisation
from skgrad.objective import Capability, Objective
from skgrad.solvers._base import Run, Solver, State, Status, least_gap, norm
from skgrad.solvers._conjugate_gradient import Quadratic, at_zero, conjugate_gradients, energy
from skgrad.solvers._line_search import Trial, along, backtracking, strong_wolfe

# Loosest accuracy of a Newton direction, in the norm of the approximate Hessian.
LOOSEST = 0.3
# A direction need not be more accurate than this, relative to the suboptimality that ends the run.
FINAL_ACCURACY = 0.3
# A direction that takes more products with the Hessian than this pays for a low-rank preconditioner
# for the next, or for a new one: it costs about as much as some of them.
PATIENCE = 5
# A low-rank preconditioner that needs a handful of products is the Hessian up to this factor.
DECREMENT_MARGIN = 2.0
# Where the Hessian jumps, the decrement may underestimate the distance to the optimum tenfold.
JUMP_MARGIN = 10.0


@dataclass(slots=True)
class NewtonCGState(State):
    """Gradient at w, products that the last direction took, and a low-rank preconditioner if any."""

    gradient: FloatArray | None = None
    n_inner: int = 0
    inverse: Inverse | None = None


class NewtonCG(Solver):
    r"""Newton's method with directions from preconditioned conjugate gradients.

    .. math:: w_{t+1} = w_t + \eta_t d_t, \qquad
              \nabla^2 F(w_t)\, d_t \approx -\nabla F(w_t)

    It needs products with the Hessian only, each about as expensive as a gradient. Far from the
    optimum directions are crude; they get more accurate on the way, so that convergence is
    superlinear. The preconditioner is diagonal first. Where that takes too many products, the
    rank-one terms of the rows that carry most of the curvature are added: near the optimum of
    nearly separable classes these are few rows, and a handful of products makes a step.

    The method of choice for the multinomial loss with many parameters.

    Parameters
    ----------
    max_inner : int, default=500
        Most products with the Hessian for one direction.
    learning_rate : float, default=1.0
        First trial step of the line search; less than 1 is damping.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgrad import LogisticRegression
    >>> X, y = load_digits(return_X_y=True)  # 640 coefficients
    >>> clf = LogisticRegression(solver="newton_cg").fit(X, y)
    >>> clf.converged_, bool(clf.n_iter_[0] < 20)
    (True, True)

    References
    ----------
    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, section 7.1.

    S. Eisenstat and H. Walker (1996). Choosing the forcing terms in an inexact Newton method. SIAM
    Journal on Scientific Computing 17(1), 16-32.
    """

    name = "newton_cg"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_inner": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, max_inner: int = 500, *, learning_rate: float = 1.0) -> None:
        self.max_inner = max_inner
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> NewtonCGState:
        """Evaluate the start."""
        value, gradient = objective.value_and_gradient(w)
        gap = objective.gradient_gap(w, gradient)
        return NewtonCGState(value, norm(gradient), gap=gap, gradient=gradient)

    def step(
        self, objective: Objective, w: FloatArray, state: NewtonCGState, run: Run
    ) -> tuple[FloatArray, NewtonCGState]:
        """Solve for the Newton direction as far as it pays, and search along it."""
        assert state.gradient is not None
        model, inverse = self._direction(objective, w, state, run)
        # How far w is from the minimum, as the Hessian at w sees it.
        margin = 1.0 if objective.continuous_curvature else JUMP_MARGIN
        decrement = margin * (model.decrease + model.error)
        slope = float(state.gradient @ model.x)
        start = Trial(0.0, state.value, slope, state.gradient, w)
        evaluate = along(objective.value_and_gradient, w, model.x)
        # Across jumps of the Hessian a step that merely decreases may be far too short.
        search = backtracking if objective.continuous_curvature else strong_wolfe
        trial = search(evaluate, start, float(self.learning_rate)) if slope < 0 else None
        if trial is None:
            gap = least_gap(objective.gradient_gap(w, state.gradient), decrement)
            return w, replace(state, gap=gap, status=Status.PRECISION)
        gap = objective.gradient_gap(trial.w, trial.gradient)
        if objective.continuous_curvature or math.isnan(gap):
            gap = least_gap(gap, decrement)
        if inverse is not None and objective.continuous_curvature:
            left = energy(trial.gradient, inverse(trial.gradient))
            gap = least_gap(gap, DECREMENT_MARGIN * left)
        return trial.w, NewtonCGState(
            trial.value, norm(trial.gradient), trial.step, gap,
            gradient=trial.gradient, n_inner=model.n_iter, inverse=inverse,
        )  # fmt: skip

    def _direction(
        self, objective: Objective, w: FloatArray, state: NewtonCGState, run: Run
    ) -> tuple[Quadratic, Inverse | None]:
        """Minimise the quadratic model at w; return also the low-rank preconditioner, if any."""
        assert state.gradient is not None
        hessian, inverse = objective.linearise(w), state.inverse
        if state.n_inner > PATIENCE:
            inverse = hessian.low_rank_inverse() or inverse
        used = inverse or hessian.diagonal_inverse()
        target = self._target(objective, state, run, used)
        model = conjugate_gradients(
            hessian.hess_vec, used, at_zero(state.gradient), target=target, max_iter=self.max_inner
        )
        return model, inverse

    @staticmethod
    def _target(
        objective: Objective, state: NewtonCGState, run: Run, inverse: Inverse
    ) -> float:
        """Error of the quadratic model at which its minimisation stops.

        The forcing term, a bound on the relative error, is the square root of the relative decrease
        to expect: zero at the optimum, so that convergence is superlinear.
        """
        assert state.gradient is not None
        expected, scale = energy(state.gradient, inverse(state.gradient)), abs(state.value)
        final = FINAL_ACCURACY * run.tol * scale
        if objective.constant_curvature:
            return final
        forcing = min(LOOSEST, math.sqrt(expected / scale)) if expected < scale else LOOSEST
        return max(forcing**2 * expected, final)
