"""Limited-memory BFGS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.linalg.blas import get_blas_funcs
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status, first_order_gap, norm
from skgrad.solvers._line_search import Trial, along, strong_wolfe

# Curvatures along this many recent steps estimate the least curvature of the objective.
CURVATURE_MEMORY = 100

Pair = tuple[FloatArray, FloatArray, float]  # displacement s, change of gradient y, their product


@dataclass(slots=True)
class LBFGSState(State):
    """Gradient at w, the pairs that make up the inverse Hessian, oldest first, and curvatures."""

    gradient: FloatArray | None = None
    pairs: tuple[Pair, ...] = ()
    curvatures: tuple[float, ...] = ()


class LBFGS(Solver):
    r"""Limited-memory quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno.

    .. math:: w_{t+1} = w_t - \eta_t H_t \nabla F(w_t)

    where :math:`H_t` is built from the last `memory` displacements and changes of the gradient, and
    :math:`\eta_t` satisfies the strong Wolfe conditions. Runs in the precision of the data.

    Parameters
    ----------
    memory : int, default=10
        Number of pairs kept.
    learning_rate : float, default=1.0
        First trial step of every line search (1 is the quasi-Newton step).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)  # columns of very different scales
    >>> LogisticRegression(solver="lbfgs").fit(X, y).converged_
    True

    References
    ----------
    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, algorithms 7.4 and 7.5.
    """

    name = "lbfgs"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "memory": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, memory: int = 10, *, learning_rate: float = 1.0) -> None:
        self.memory = memory
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> LBFGSState:
        """Evaluate the start."""
        value, gradient = objective.value_and_gradient(w)
        gap = objective.gradient_gap(w, gradient)
        return LBFGSState(value, norm(gradient), gap=gap, gradient=gradient)

    def step(
        self, objective: Objective, w: FloatArray, state: LBFGSState, run: Run
    ) -> tuple[FloatArray, LBFGSState]:
        """Search along the quasi-Newton direction; on failure once more along the gradient."""
        assert state.gradient is not None
        pairs = state.pairs
        direction = -inverse_hessian_product(pairs, state.gradient)
        trial = self._search(objective, w, state, direction, bool(pairs))
        if trial is None and pairs:
            pairs = ()
            trial = self._search(objective, w, state, -state.gradient, False)
        if trial is None:
            return w, replace(state, status=Status.PRECISION)
        return trial.w, self._advance(objective, w, trial, state, pairs)

    def _search(
        self, objective: Objective, w: FloatArray, state: LBFGSState, d: FloatArray, scaled: bool
    ) -> Trial | None:
        assert state.gradient is not None
        slope = float(state.gradient @ d)
        if not slope < 0:
            return None
        # Without curvature pairs the direction has no natural length: move by one unit at most.
        first = 1.0 if scaled else min(1.0, 1.0 / state.gradient_norm)
        start = Trial(0.0, state.value, slope, state.gradient, w)
        evaluate = along(objective.value_and_gradient, w, d)
        return strong_wolfe(evaluate, start, first * float(self.learning_rate))

    def _advance(
        self, objective: Objective, w: FloatArray, trial: Trial, state: LBFGSState,
        pairs: tuple[Pair, ...],
    ) -> LBFGSState:  # fmt: skip
        assert state.gradient is not None
        s = trial.w - w
        pair = curvature_pair(Trial(0.0, state.value, 0.0, state.gradient, w), trial)
        pairs = pairs if pair is None else (*pairs, pair)[-self.memory :]
        product = float(s @ (trial.gradient - state.gradient)) if pair is None else pair[2]
        curvatures = (*state.curvatures, product / float(s @ s))[-CURVATURE_MEMORY:]
        gradient_norm = norm(trial.gradient)
        gap = first_order_gap(objective, trial.w, trial.gradient, curvatures)
        return LBFGSState(
            trial.value, gradient_norm, trial.step, gap, gradient=trial.gradient, pairs=pairs,
            curvatures=curvatures,
        )  # fmt: skip


def curvature_pair(start: Trial, end: Trial) -> Pair | None:
    """Build a pair from the ends of a step; None if the sign of the curvature is rounding."""
    s, y = end.w - start.w, end.gradient - start.gradient
    product = float(s @ y)
    # The Wolfe conditions make s'y positive.
    smallest = float(np.finfo(y.dtype).eps) * norm(s) * norm(y)
    return (s, y, product) if product > smallest else None


def inverse_hessian_product(
    pairs: tuple[Pair, ...],
    gradient: FloatArray,
    *,
    initial: Callable[[FloatArray], FloatArray] | None = None,
) -> FloatArray:
    """Multiply by the quasi-Newton inverse Hessian with the two-loop recursion (algorithm 7.4).

    ``initial`` multiplies by the inverse that the pairs correct; by default it is the identity
    times the curvature of the last pair.
    """
    # In place: sums with a scaled copy of each vector took 1.4 times as long.
    axpy = get_blas_funcs("axpy", (gradient,))
    q = gradient.copy()
    coefficients = []
    for s, y, product in reversed(pairs):
        a = float(s @ q) / product
        coefficients.append(a)
        q = axpy(y, q, a=-a)
    if initial is not None:
        q = initial(q)
    elif pairs:
        _, y, product = pairs[-1]
        q *= product / float(y @ y)
    for (s, y, product), a in zip(pairs, reversed(coefficients), strict=True):
        q = axpy(s, q, a=a - float(y @ q) / product)
    return q
