"""BFGS with the whole inverse Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.solvers._base import (
    AnyObjective,
    IncompatibleSolverError,
    Run,
    Solver,
    State,
    Status,
    first_order_gap,
    norm,
)
from skgrad.solvers._line_search import Trial, along, strong_wolfe
from skgrad.solvers.lbfgs import Pair, curvature_pair

# The matrix then takes 200 MB, and an update of it 0.1 s: as much as passes over large data.
LARGEST_ORDER = 5000
# Curvatures along this many recent steps estimate the least curvature of the objective.
CURVATURE_MEMORY = 100


@dataclass(slots=True)
class BFGSState(State):
    """Gradient at w, approximation of the inverse Hessian (None before the first), curvatures."""

    gradient: FloatArray | None = None
    inverse: FloatArray | None = None
    curvatures: tuple[float, ...] = ()


class BFGS(Solver):
    r"""Quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno.

    .. math:: w_{t+1} = w_t - \eta_t H_t \nabla F(w_t), \qquad
              H_{t+1} = (I - \rho s y') H_t (I - \rho y s') + \rho s s', \qquad \rho = 1 / (y's)

    with the displacement s and the change y of the gradient, and :math:`\eta_t` by the strong Wolfe
    conditions, which keep :math:`H_t` positive definite, also where the objective is not convex.
    Remembers every step, where `LBFGS` remembers the last ten, at the cost of a matrix of n_params
    x n_params numbers: for up to some hundred parameters.

    Parameters
    ----------
    learning_rate : float, default=1.0
        First trial step of every line search (1 is the quasi-Newton step).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> LogisticRegression(solver="bfgs").fit(X, y).converged_
    True

    References
    ----------
    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, algorithm 6.1; equations
    (6.17) and (6.20).
    """

    name = "bfgs"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.learning_rate = learning_rate

    def init(self, objective: AnyObjective, w: FloatArray, run: Run) -> BFGSState:
        """Evaluate the start."""
        if len(w) > LARGEST_ORDER:
            raise IncompatibleSolverError(
                f"BFGS keeps a matrix of {len(w)} x {len(w)} numbers, as there are parameters; "
                f"more than {LARGEST_ORDER} are too many. Use LBFGS, which keeps the last steps."
            )
        value, gradient = objective.value_and_gradient(w)
        gap = objective.gradient_gap(w, gradient)
        return BFGSState(value, norm(gradient), gap=gap, gradient=gradient)

    def step(
        self, objective: AnyObjective, w: FloatArray, state: BFGSState, run: Run
    ) -> tuple[FloatArray, BFGSState]:
        """Search along the quasi-Newton direction; on failure once more along the gradient."""
        assert state.gradient is not None
        trial, inverse = None, state.inverse
        if inverse is not None:
            trial = self._search(objective, w, state, -(inverse @ state.gradient), 1.0)
        if trial is None:
            # Without curvature the direction has no natural length: move by one unit at most.
            inverse, first = None, min(1.0, 1.0 / (state.gradient_norm or 1.0))
            trial = self._search(objective, w, state, -state.gradient, first)
        if trial is None:
            return w, replace(state, status=Status.PRECISION)
        return trial.w, self._advance(objective, w, trial, state, inverse)

    def _search(
        self, objective: AnyObjective, w: FloatArray, state: BFGSState, d: FloatArray, first: float
    ) -> Trial | None:
        assert state.gradient is not None
        slope = float(state.gradient @ d)
        if not slope < 0:
            return None
        start = Trial(0.0, state.value, slope, state.gradient, w)
        evaluate = along(objective.value_and_gradient, w, d)
        return strong_wolfe(evaluate, start, first * float(self.learning_rate))

    def _advance(
        self, objective: AnyObjective, w: FloatArray, trial: Trial, state: BFGSState,
        inverse: FloatArray | None,
    ) -> BFGSState:  # fmt: skip
        assert state.gradient is not None
        s = trial.w - w
        pair = curvature_pair(Trial(0.0, state.value, 0.0, state.gradient, w), trial)
        inverse = inverse if pair is None else updated_inverse(inverse, pair)
        product = float(s @ (trial.gradient - state.gradient))
        curvatures = (*state.curvatures, product / float(s @ s))[-CURVATURE_MEMORY:]
        gap = first_order_gap(objective, trial.w, trial.gradient, curvatures)
        return BFGSState(
            trial.value, norm(trial.gradient), trial.step, gap, gradient=trial.gradient,
            inverse=inverse, curvatures=curvatures,
        )  # fmt: skip


def updated_inverse(inverse: FloatArray | None, pair: Pair) -> FloatArray:
    """Correct an approximate inverse Hessian (6.17), the scaled identity (6.20) if there is none.

    Multiplied out: with z = H y, H - rho (s z' + z s') + rho (1 + rho y'z) s s'.
    """
    s, y, product = pair
    if inverse is None:
        inverse = (product / float(y @ y)) * np.eye(len(s), dtype=s.dtype)
    z = inverse @ y
    mixed = np.outer(s, 0.5 * (1.0 + float(y @ z) / product) * s - z) / product
    return inverse + (mixed + mixed.T)
