"""Newton's method for smooth losses with non-smooth penalties."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, least_gap, norm
from skgrad.solvers._column_quadratic import ColumnQuadraticModel
from skgrad.solvers._implicit_quadratic import ImplicitQuadraticModel
from skgrad.solvers._quadratic import QuadraticModel
from skgrad.solvers._working_set import Part, choose_part, is_explicit

SUFFICIENT_DECREASE = 1e-4
# Where the Hessian is nearly singular the model promises the moon: be quick to come down.
SHRINKAGE = 0.3
MAX_TRIALS = 40
# A full step goes on while the slope along it is this share of the slope at its start, up to so
# many times its length at once. Far from the minimum log losses flatten out: 9 -> 6 iterations.
STEEP, STRETCH = 0.1, 2.0
MAX_EXTENSIONS = 4
# The Newton steps inside converge in one jump: a tight accuracy costs nothing.
INNER_ACCURACY = 1e-6
# After an exact step the gap is of the order of the square of the decrease that it promised, but
# the derivatives there know it to first order only. From this ratio to tol on the model's own dual
# variables are worth a pass.
HOPE = 10.0
# Iterations that may be made to bring a bound that can be proved down to tol, once the model's
# estimate is there.
PATIENCE = 1


Model = QuadraticModel | ColumnQuadraticModel | ImplicitQuadraticModel


@dataclass(slots=True)
class ProximalNewtonState(State):
    """Gradient at w of the smooth part, the working set, and what a model can take up again.

    That is the Hessian, if it is constant, and the raw predictions, where the model knows them.
    ``n_near`` counts the iterations that ended within tol by the model's estimate.
    """

    gradient: FloatArray | None = None
    part: Part | None = None
    hessian: FloatArray | None = None
    raw: FloatArray | None = None
    n_near: int = 0


class Landing(NamedTuple):
    """Where a search ended: the step, the parameters, and there the smooth part, F and gradient."""

    step: float
    w: FloatArray
    value: float
    total: float
    gradient: FloatArray


class ProximalNewton(Solver):
    r"""Newton's method with the penalty kept as it is.

    .. math:: z_t = \arg\min_z \; \nabla f(w_t)'(z - w_t)
              + \tfrac12 (z - w_t)' \nabla^2 f(w_t) (z - w_t) + penalty(z), \qquad
              w_{t+1} = w_t + \eta_t (z_t - w_t)

    The minimisation is over a working set: the columns with coefficients, and of the others those
    that violate their optimality condition most. The gradient, which tells, also gives a bound of
    the duality gap. A handful of iterations, each of cost n_samples * (size of the set)^2, or less:
    the method of choice for L1 and elastic-net penalties and for sign constraints. See
    `QuadraticModel`, `ColumnQuadraticModel` and `ImplicitQuadraticModel` for how the quadratic
    problems are solved.

    Parameters
    ----------
    learning_rate : float in (0, 1], default=1.0
        First trial step :math:`\eta` of the line search.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = LogisticRegression(l1_ratio=1.0, solver="proximal_newton").fit(X, y)
    >>> clf.converged_, bool((clf.coef_ == 0).any())
    (True, True)

    References
    ----------
    J. Lee, Y. Sun and M. Saunders (2014). Proximal Newton-type methods for minimizing composite
    functions. SIAM Journal on Optimization 24, 1420-1443, algorithm 1.

    G.-X. Yuan, C.-H. Ho and C.-J. Lin (2012). An improved GLMNET for L1-regularized logistic
    regression. Journal of Machine Learning Research 13, 1999-2030, section 4.

    T. Johnson and C. Guestrin (2015). Blitz: a principled meta-algorithm for scaling sparse
    optimization. Proceedings of Machine Learning Research 37, 1171-1179.
    """

    name = "proximal_newton"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LINEAR, Capability.SMOOTH_LOSS, Capability.ZERO_KINKS}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> ProximalNewtonState:
        """Evaluate the start, moved to where the penalty is finite."""
        value, gradient = objective.value_and_gradient(w)
        total = value + objective.nonsmooth_value(w)
        return ProximalNewtonState(total, gradient=gradient)

    def step(
        self, objective: Objective, w: FloatArray, state: ProximalNewtonState, run: Run
    ) -> tuple[FloatArray, ProximalNewtonState]:
        """Minimise the model on the working set, then search along the way to its minimiser."""
        assert state.gradient is not None
        part = choose_part(objective, w, state.gradient, state.part)
        if part.columns is not None:
            # A copy counts the passes: what a state holds never changes.
            restricted = copy(part.objective)
            restricted.passes = objective.passes
            model = self._model(part._replace(objective=restricted), w, state)
            target = model.minimise(INNER_ACCURACY * run.tol * abs(state.value))
            objective.passes = restricted.passes
        else:
            model = self._model(part, w, state)
            target = model.minimise(INNER_ACCURACY * run.tol * abs(state.value))
        direction = np.zeros_like(w)
        direction[part.places] = target - model.w
        found = self._search(objective, model, w, direction, state)
        if found is None:
            gap = least_gap(state.gap, model.promise(target))
            return w, replace(state, gap=gap, status=Status.PRECISION)
        return found.w, self._judge(objective, part, model, w, target, found, state, run.tol)

    def _judge(
        self, objective: Objective, part: Part, model: Model, w: FloatArray, target: FloatArray,
        found: Landing, state: ProximalNewtonState, tol: float,
    ) -> ProximalNewtonState:  # fmt: skip
        """Find out how far from the minimum a step ended."""
        moved, gradient = found.w, found.gradient
        mapping = objective.prox(moved - gradient, 1.0) - moved
        residual, n_near = norm(mapping), state.n_near
        gap = objective.columns.dual_bound(moved, found.value, gradient)
        proof = objective.columns.dual_bound_is_proof(found.value, gradient)
        bound = gap if proof else math.nan
        if not gap <= tol * abs(found.total):
            settled = part.columns is None or not np.delete(mapping, part.places).any()
            fall = state.value - found.total
            estimate = model.gap_after(target, residual, fall, settled=settled)
            near = estimate <= tol * abs(found.total)
            ahead = self._gap_of_model(objective, model, w, found, estimate, tol)
            if ahead < (math.inf if math.isnan(gap) else gap):
                gap = bound = ahead
            if math.isnan(gap) or (near and n_near >= PATIENCE):
                gap = least_gap(gap, estimate)
            n_near += near
        return ProximalNewtonState(
            found.total, residual, found.step, gap, bound=bound, gradient=gradient,
            raw=model.raw_after(found.step), part=None if part.columns is None else part,
            n_near=n_near, hessian=model.hessian if objective.constant_curvature else None,
        )  # fmt: skip

    @staticmethod
    def _gap_of_model(
        objective: Objective, model: Model, w: FloatArray, found: Landing, estimate: float,
        tol: float,
    ) -> float:  # fmt: skip
        """Bound the gap after a full step by the model's dual variables, where that may do."""
        informed = objective.continuous_curvature and not objective.constant_curvature
        hopeful = estimate**2 <= HOPE * tol * found.total**2
        if model.exact and informed and hopeful and found.step == 1.0:
            return objective.gap_after_step(w, found.w)
        return math.nan

    def _model(self, part: Part, w: FloatArray, state: ProximalNewtonState) -> Model:
        """Expand the smooth part on the working set."""
        assert state.gradient is not None
        start, slope = w[part.places], state.gradient[part.places]
        if part.walk is not None:
            raw = part.objective.columns.raw(start) if state.raw is None else state.raw
            return ColumnQuadraticModel(part.objective, part.walk, start, slope, raw)
        if not is_explicit(part.objective):
            return ImplicitQuadraticModel(part.objective, start, slope)
        before = None if state.part is None else state.part.columns
        hessian = state.hessian if part.columns is before else None
        if hessian is None:
            hessian = part.objective.hessian(start)
        return QuadraticModel(part.objective, start, slope, hessian)

    def _search(
        self, objective: Objective, model: Model, w: FloatArray, direction: FloatArray,
        state: ProximalNewtonState,
    ) -> Landing | None:  # fmt: skip
        """Shorten the step until the decrease is a fraction of what the model promises."""
        assert state.gradient is not None
        before, after = objective.nonsmooth_value(w), objective.nonsmooth_value(w + direction)
        promised = float(state.gradient @ direction) + after - before
        noise = 10 * float(np.finfo(w.dtype).eps) * abs(state.value)
        step = float(self.learning_rate)
        for _ in range(MAX_TRIALS if promised < 0.0 else 0):
            moved, raw = w + step * direction, model.raw_after(step)
            if raw is None:
                value, gradient = objective.value_and_gradient(moved)
            else:
                value, gradient = objective.columns.value_and_gradient(raw)
            total = value + (after if step == 1.0 else objective.nonsmooth_value(moved))
            if total <= state.value + SUFFICIENT_DECREASE * step * promised + noise:
                landing = Landing(step, moved, value, total, gradient)
                if step == 1.0 and raw is None and not objective.constant_curvature:
                    return _extended(objective, landing, direction, promised)
                return landing
            step *= SHRINKAGE
        return None


def _extended(
    objective: Objective, landing: Landing, direction: FloatArray, promised: float
) -> Landing:
    """Go on beyond a full step, but for the coefficients that it made zero, while that pays.

    Slopes of the penalty are those of a full step: exact for L1 terms where no sign changes, else
    steeper than they are.
    """
    ahead = np.where(landing.w == 0.0, 0.0, direction).astype(direction.dtype, copy=False)
    before, length = promised, 1.0
    for _ in range(MAX_EXTENSIONS):
        penalty = landing.total - landing.value
        slope = float(landing.gradient @ ahead)
        slope += objective.nonsmooth_value(landing.w + ahead) - penalty
        if not slope < STEEP * promised:
            break
        secant = -slope / (slope - before) * length if slope > before else math.inf
        before, length = slope, min(secant, STRETCH * landing.step)
        moved = landing.w + length * ahead
        value, gradient = objective.value_and_gradient(moved)
        total = value + objective.nonsmooth_value(moved)
        if not total < landing.total:
            break
        landing = Landing(landing.step + length, moved, value, total, gradient)
    return landing
