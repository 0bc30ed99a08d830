"""Truncated Newton method: conjugate gradients instead of factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.linearisation import Inverse
from skgrad.objective import Objective
from skgrad.solvers import _hessian_free
from skgrad.solvers._base import Run, Solver, State, Status, least_gap, norm
from skgrad.solvers._conjugate_gradient import conjugate_gradients, energy
from skgrad.solvers._line_search import Evaluate, Trial, along, backtracking, strong_wolfe

# Loosest accuracy of a Newton direction, in the norm of the approximate Hessian.
LOOSEST = 0.3
# A direction need not be more accurate than this, relative to the suboptimality that ends the run.
FINAL_ACCURACY = 0.5
# A direction that takes more products with the Hessian than this pays for a low-rank preconditioner
# for the next, or for a new one: it costs about as much as some of them.
PATIENCE = 5
# Where the Hessian jumps, the decrement may underestimate the distance to the optimum tenfold.
JUMP_MARGIN = 10.0
# Where classes are told apart with certainty, but wrongly, there is a slope and hardly a curvature:
# if Newton's direction is too long by more than this factor, the gradient is tried as well.
SHORT_STEP = 0.1


@dataclass(slots=True)
class NewtonCGState(State):
    """What the next direction starts from.

    The gradient at w, the low-rank preconditioner if there is one, the least curvature relative to
    it that was seen, and the number of products with the Hessian that the last direction took.
    """

    gradient: FloatArray | None = None
    inverse: Inverse | None = None
    flattest: float = math.inf
    n_inner: int = 0


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

    Networks are trained by Hessian-free optimisation (Martens 2010): the Hessian is replaced by the
    Gauss-Newton matrix plus a multiple of the identity that adapts to how well the model predicts,
    conjugate gradients start from the last direction, and their preconditioner is made of Kronecker
    factors of the layers.

    Parameters
    ----------
    max_inner : int, default=500
        Most products with the Hessian for one direction.
    learning_rate : float, default=1.0
        First trial step of the line search; less than 1 is damping.
    damping : float, default=0.01
        For networks: Levenberg-Marquardt damping to start with, relative to the curvature along the
        first gradient.

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

    J. Martens (2010). Deep learning via Hessian-free optimization. ICML 2010.
    """

    name = "newton_cg"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.HESSIAN_PRODUCTS, Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_inner": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "damping": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, max_inner: int = 500, *, learning_rate: float = 1.0, damping: float = 0.01
    ) -> None:
        self.max_inner = max_inner
        self.learning_rate = learning_rate
        self.damping = damping

    def init(self, objective: Any, w: FloatArray, run: Run) -> State:
        """Evaluate the start."""
        if not objective.convex:
            return _hessian_free.start(objective, w, float(self.damping))
        value, gradient = objective.value_and_gradient(w)
        gap = objective.gradient_gap(w, gradient)
        return NewtonCGState(value, norm(gradient), gap=gap, gradient=gradient)

    def step(self, objective: Any, w: FloatArray, state: Any, run: Run) -> tuple[FloatArray, State]:
        """Solve for the Newton direction as far as it pays, and search along it."""
        if not objective.convex:
            return _hessian_free.advance(
                objective, w, state, max_inner=int(self.max_inner),
                first_step=float(self.learning_rate),
            )  # fmt: skip
        return self._newton_step(objective, w, state, run)

    def _newton_step(
        self, objective: Objective, w: FloatArray, state: NewtonCGState, run: Run
    ) -> tuple[FloatArray, NewtonCGState]:
        assert state.gradient is not None
        hessian, inverse, flattest = objective.linearise(w), state.inverse, state.flattest
        if state.n_inner > PATIENCE:
            rebuilt = hessian.low_rank_inverse()
            inverse, flattest = (inverse, flattest) if rebuilt is None else (rebuilt, math.inf)
        used = inverse or hessian.mean_inverse()
        model = conjugate_gradients(
            hessian.hess_vec, used, state.gradient, max_iter=self.max_inner,
            forcing=self._forcing(objective, state, used),
            accuracy=FINAL_ACCURACY * run.tol * abs(state.value),
        )  # fmt: skip
        flattest = min(model.flattest, flattest)
        # How far w is from the minimum, as the Hessian at w sees it.
        margin = 1.0 if objective.continuous_curvature else JUMP_MARGIN
        decrement = margin * (model.decrease + model.error)
        if model.n_iter == self.max_inner:
            decrement = flattest = math.nan  # cut short: there may be flatter directions
        trial = self._search(objective, w, state, model.x)
        if trial is None or trial.step < SHORT_STEP:
            downhill = -state.gradient / objective.coordinate_curvature
            trial = _lower(trial, self._search(objective, w, state, downhill, search=strong_wolfe))
        if trial is None:
            gap = least_gap(objective.gradient_gap(w, state.gradient), decrement)
            return w, replace(state, gap=gap, status=Status.PRECISION)
        gap = objective.gradient_gap(trial.w, trial.gradient)
        if objective.continuous_curvature:
            left = energy(trial.gradient, used) / flattest
            gap = least_gap(gap, decrement, left)
        elif math.isnan(gap):
            gap = decrement
        return trial.w, NewtonCGState(
            trial.value, norm(trial.gradient), trial.step, gap, gradient=trial.gradient,
            inverse=inverse, flattest=flattest, n_inner=model.n_iter,
        )  # fmt: skip

    def _search(
        self, objective: Objective, w: FloatArray, state: NewtonCGState, direction: FloatArray,
        search: Callable[[Evaluate, Trial, float], Trial | None] | None = None,
    ) -> Trial | None:  # fmt: skip
        assert state.gradient is not None
        slope = float(state.gradient @ direction)
        if not slope < 0:
            return None
        start = Trial(0.0, state.value, slope, state.gradient, w)
        evaluate = along(objective.value_and_gradient, w, direction)
        # Across jumps of the Hessian a step that merely decreases may be far too short.
        usual = backtracking if objective.continuous_curvature else strong_wolfe
        search = search or usual
        return search(evaluate, start, float(self.learning_rate))

    @staticmethod
    def _forcing(objective: Objective, state: NewtonCGState, inverse: Inverse) -> float:
        """Accuracy of the direction: the root of the relative decrease that is to be expected.

        It vanishes at the optimum, so that convergence is superlinear.
        """
        assert state.gradient is not None
        # The energy of the residual is not known below its rounding error.
        tightest = math.sqrt(float(np.finfo(objective.dtype).eps))
        if objective.constant_curvature:
            return tightest
        expected, scale = energy(state.gradient, inverse), abs(state.value)
        wanted = math.sqrt(max(expected, 0.0) / scale) if expected < scale else 1.0
        return min(max(wanted, tightest), LOOSEST)


def _lower(first: Trial | None, second: Trial | None) -> Trial | None:
    found = [trial for trial in (first, second) if trial is not None]
    return min(found, key=lambda trial: trial.value, default=None)
