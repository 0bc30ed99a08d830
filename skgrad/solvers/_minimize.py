"""The solvers on their own: minimise any function of a vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from sklearn.utils.validation import check_array

from skgrad._typing import FloatArray
from skgrad.function_objective import FunctionObjective
from skgrad.penalties import Penalty
from skgrad.solvers._base import Callback, Iteration, Solver, Status
from skgrad.solvers._registry import get_solver

# A stochastic solver has no estimate of the gap of an unknown function: it ends when so many
# iterations have not improved the value by tol.
PATIENCE = 50
# Ends of a run at which the answer is good.
GOOD = {Status.CONVERGED, Status.PRECISION, Status.STALLED, Status.SCHEDULE_ENDED}


def minimize(
    function: Callable[[FloatArray], Any], w0: Any, solver: str | Solver = "lbfgs", *,
    penalty: Penalty | None = None, constraint: Penalty | None = None, tol: float = 1e-7,
    max_iter: int = 1000, random_state: int | None = None, callbacks: Iterable[Callback] = (),
) -> OptimizeResult:  # fmt: skip
    r"""Minimise a function of a vector with any solver that needs values and gradients only.

    .. math:: \min_w f(w) + penalty(w)

    Parameters
    ----------
    function : callable
        ``function(w)`` returns the value and the gradient, a number and an array of w's shape; or
        the value alone: its gradient is then computed by central differences, which takes two
        evaluations for each parameter, and the result says so.
    w0 : array-like
        Start, of any shape; float32 is kept.
    solver : str or Solver, default="lbfgs"
        A name, or an object with hyper-parameters. Those that walk rows or need Hessians refuse,
        and name others. Stochastic ones see the whole function as one batch.
    penalty : Penalty, default=None
        Of all of w, such as ``L1(0.1)``; those with kinks need a solver that can handle them,
        `ProximalGradient` or a stochastic one.
    constraint : Penalty, default=None
        What w has to satisfy, such as ``NonNegative()``; in the place of a penalty.
    tol : float, default=1e-7
        Stop when the estimate of the relative suboptimality is at most this.
    max_iter : int, default=1000
        Most iterations.
    random_state : int, default=None
        Seed of stochastic solvers.
    callbacks : iterable of callables
        Each gets an `Iteration`; one that returns True ends the run.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``x``, of the shape of ``w0``; ``fun``, penalty included; ``jac``, the gradient of the
        smooth part there; ``success``, ``status`` and ``message``; ``nit``; ``nfev``, all
        evaluations, those for differences included; ``gradients``, "exact" or "finite
        differences"; ``gap``, the estimate of fun - min fun; ``history``, a dict of arrays;
        ``solver``.

    Raises
    ------
    IncompatibleSolverError
        If the solver needs more than values and gradients, or a smooth penalty.
    DivergenceError
        If the function becomes infinite or NaN.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der
    >>> from skgrad.solvers import minimize
    >>> result = minimize(lambda w: (rosen(w), rosen_der(w)), [-1.0, 2.0, 0.5])
    >>> result.x.round(5).tolist(), result.success
    ([1.0, 1.0, 1.0], True)

    The lasso of two coefficients, with a gradient by differences:

    >>> from skgrad.penalties import L1
    >>> def half_squares(w):
    ...     return 0.5 * (w[0] - 3.0) ** 2 + 0.5 * (w[1] - 0.5) ** 2
    >>> result = minimize(half_squares, [0.0, 0.0], "proximal_gradient", penalty=L1(1.0))
    >>> result.x.round(3).tolist(), result.gradients
    ([2.0, 0.0], 'finite differences')
    """
    if penalty is not None and constraint is not None:
        raise ValueError("Give either a penalty or a constraint, not both.")
    if not callable(function):
        raise TypeError(f"function must be callable, got {function!r}.")
    w = check_array(
        w0, dtype=["float64", "float32"], ensure_2d=False, allow_nd=True, input_name="w0", copy=True
    )
    objective = FunctionObjective(function, w, constraint if penalty is None else penalty)
    chosen = get_solver(solver)
    stall = _Stall(tol)
    result = chosen.run(
        objective, w.ravel(), tol=tol, max_iter=max_iter, rng=np.random.default_rng(random_state),
        callbacks=(*callbacks, stall) if chosen.stochastic else callbacks,
    )  # fmt: skip
    status = Status.STALLED if stall.is_reached else result.status
    _, gradient = objective.value_and_gradient(result.w)
    return OptimizeResult(
        x=result.w.reshape(w.shape),
        fun=objective.value(result.w),
        jac=gradient.reshape(w.shape),
        success=status in GOOD,
        status=status.name.lower(),
        message=status.value,
        nit=result.n_iter,
        nfev=objective.n_evaluations,
        gradients="exact" if objective.has_gradient else "finite differences",
        gap=result.gap,
        history=result.history,
        solver=chosen,
    )


class _Stall:
    """Ask a run to end when its value has stopped improving."""

    def __init__(self, tol: float) -> None:
        self.tol, self.best, self.n_bad = tol, math.inf, 0

    @property
    def is_reached(self) -> bool:
        """Whether the value has stopped improving."""
        return self.n_bad >= PATIENCE

    def __call__(self, iteration: Iteration) -> bool:
        """Look at an iteration."""
        value = iteration.state.value
        improved = value < self.best - self.tol * abs(value)
        self.n_bad = 0 if improved else self.n_bad + 1
        self.best = min(self.best, value)
        return self.is_reached


def check_gradient(
    function: Callable[[FloatArray], Any], w: Any, *, rtol: float = 1e-6
) -> OptimizeResult:
    r"""Compare a function's gradient with central differences, in directions and entries.

    .. math:: \frac{f(w + h d) - f(w - h d)}{2 h} \approx \nabla f(w)' d

    with the best of three step sizes h for each direction.

    Parameters
    ----------
    function : callable
        ``function(w)`` returns value and gradient.
    w : array-like
        Where to compare, of any shape.
    rtol : float, default=1e-6
        Largest error, relative to the length of the gradient.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``error``, the largest one, relative; ``gradient``; ``differences``, entry by entry.

    Raises
    ------
    AssertionError
        Naming the worst entry, if the error is larger than rtol.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.solvers import check_gradient
    >>> result = check_gradient(lambda w: (np.sum(w**4), 4 * w**3), [1.0, -2.0])
    >>> bool(result.error < 1e-9)
    True
    """
    w = check_array(w, dtype="float64", ensure_2d=False, allow_nd=True, input_name="w", copy=True)
    objective = FunctionObjective(function, w)
    if not objective.has_gradient:
        raise ValueError("function must return its value and its gradient as a tuple.")
    _, gradient = objective.loss_and_gradient(w.ravel())
    differences = _best_differences(objective, w.ravel(), gradient)
    size = float(np.linalg.norm(gradient)) or 1.0
    errors = np.abs(gradient - differences) / size
    worst = int(np.argmax(errors))
    if not errors[worst] <= rtol:
        entry = np.unravel_index(worst, w.shape)
        raise AssertionError(
            f"The gradient is off by {errors[worst]:.1e} of its length at entry"
            f" {tuple(map(int, entry))}: it says {gradient[worst]:.6g}, differences say"
            f" {differences[worst]:.6g}."
        )
    return OptimizeResult(
        error=float(errors[worst]), gradient=gradient.reshape(w.shape),
        differences=differences.reshape(w.shape),
    )  # fmt: skip


def _best_differences(
    objective: FunctionObjective, w: FloatArray, gradient: FloatArray
) -> FloatArray:
    """Take for each entry the difference that is nearest to the gradient, of three steps.

    Too long a step is wrong by truncation and too short a one by rounding, and which is which
    depends on the function; a wrong gradient is near none of them.
    """
    found = np.empty((3, len(w)))
    for k, relative in enumerate((1e-3, 1e-5, 1e-7)):
        for j in range(len(w)):
            step = relative * max(1.0, abs(float(w[j])))
            upper, lower = w.copy(), w.copy()
            upper[j] += step
            lower[j] -= step
            change = objective.value(upper) - objective.value(lower)
            found[k, j] = change / (upper[j] - lower[j])
    nearest = np.abs(found - gradient).argmin(axis=0)
    best: FloatArray = found[nearest, np.arange(len(w))]
    return best
