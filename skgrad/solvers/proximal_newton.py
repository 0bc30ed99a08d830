"""Newton's method for smooth losses with non-smooth penalties."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, least_gap
from skgrad.solvers._column_quadratic import ColumnQuadraticModel
from skgrad.solvers._implicit_quadratic import ImplicitQuadraticModel
from skgrad.solvers._quadratic import QuadraticModel
from skgrad.solvers._working_set import Part, choose_part, is_explicit

SUFFICIENT_DECREASE = 1e-4
# Where the Hessian is nearly singular the model promises the moon: be quick to come down.
SHRINKAGE = 0.3
MAX_TRIALS = 40
# The semismooth Newton steps inside converge in one jump: a tight accuracy costs nothing.
INNER_ACCURACY = 1e-6
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
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.LINEAR, Capability.SMOOTH_LOSS})
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
        decrease = (
            float(state.gradient @ direction)
            + objective.nonsmooth_value(w + direction)
            - objective.nonsmooth_value(w)
        )
        found = self._search(objective, model, w, direction, decrease, state)
        if found is None:
            gap = least_gap(state.gap, model.promise(target))
            return w, replace(state, gap=gap, status=Status.PRECISION)
        step, moved, value, gradient = found
        mapping = objective.prox(moved - gradient, 1.0) - moved
        residual = float(np.linalg.norm(mapping))
        outside = np.count_nonzero(mapping) > np.count_nonzero(mapping[part.places])
        total = value + objective.nonsmooth_value(moved)
        gap = objective.columns.dual_bound(moved, value, gradient)
        estimate = model.gap_after(target, residual, state.value - total, settled=not outside)
        near = estimate <= run.tol * abs(total)
        if math.isnan(gap) or (near and state.n_near >= PATIENCE):
            gap = least_gap(gap, estimate)
        return moved, ProximalNewtonState(
            total, residual, step, gap, gradient=gradient, raw=model.raw_after(step),
            part=None if part.columns is None else part, n_near=state.n_near + near,
            hessian=model.hessian if objective.constant_curvature else None,
        )  # fmt: skip

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
        decrease: float, state: ProximalNewtonState,
    ) -> tuple[float, FloatArray, float, FloatArray] | None:  # fmt: skip
        """Shorten the step until the decrease is a fraction of what the model promises."""
        noise = 10 * float(np.finfo(w.dtype).eps) * abs(state.value)
        step = float(self.learning_rate)
        for _ in range(MAX_TRIALS if decrease < 0.0 else 0):
            moved, raw = w + step * direction, model.raw_after(step)
            if raw is None:
                value, gradient = objective.value_and_gradient(moved)
            else:
                value, gradient = objective.columns.value_and_gradient(raw)
            total = value + objective.nonsmooth_value(moved)
            if total <= state.value + SUFFICIENT_DECREASE * step * decrease + noise:
                return step, moved, value, gradient
            step *= SHRINKAGE
        return None
