"""Augmented Lagrangian method for losses with kinks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._auto import choose_for_smooth_loss
from skgrad.solvers._base import Run, Solver, State, Status

# Accuracy of the inner minimisation relative to the gap it starts from.
INNER_ACCURACY = 0.1
MAX_INNER_ITERATIONS = 200
# Those of first-order methods are cheap, and more are needed.
MAX_FIRST_ORDER_ITERATIONS = 2000
# They see a gap of so many units of rounding, and go on in vain below it.
FIRST_ORDER_ROUNDING = 32.0
# The inner accuracy starts here and is TIGHTENED every time: were it tied to the gap alone, a gap
# that is large because the inner problem was solved loosely would keep it loose.
FIRST_ACCURACY = 1e-2
TIGHTENED = 0.3


@dataclass(slots=True)
class MultiplierState(State):
    """Dual variables, one per row and output, width of the smoothing, and the best gap so far."""

    multipliers: FloatArray | None = None
    width: float = float("nan")
    narrowest: float = 0.0
    accuracy: float = FIRST_ACCURACY
    best_gap: float = float("inf")
    n_bad: int = 0


class AugmentedLagrangian(Solver):
    r"""Method of multipliers: a sequence of smooth problems with the exact solution as their limit.

    .. math:: w_{t+1} = \arg\min_w \frac1S \sum_i s_i\,
              env_{\mu_t}\!\left(raw_i(w) + \mu_t \theta_i\right) + penalty(w), \qquad
              \theta_i \leftarrow env_{\mu_t}'(\cdot)

    where :math:`env_\mu` is the Moreau envelope of the loss. The multipliers :math:`\theta` remove
    the bias of the smoothing, so the widths :math:`\mu_t` need not go to zero; shrinking them makes
    convergence superlinear. With Newton inside this is the semismooth Newton augmented Lagrangian
    method, whose Newton matrix involves only the rows on a kink. Serves hinge, absolute, quantile
    and epsilon-insensitive losses, and linear programs such as quantile regression without penalty.

    Parameters
    ----------
    learning_rate : float, default=1.0
        First width :math:`\mu_1`, relative to the width of the data (1 for the hinge, the mean
        absolute deviation of y for regression).
    shrink : float in (0, 1), default=0.3
        Factor of the width from one iteration to the next.
    inner : Solver or "auto", default="auto"
        Solver of the smooth problems.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import LinearRegression
    >>> X, y = load_diabetes(return_X_y=True)
    >>> median = LinearRegression("absolute_error", alpha=1e-3, solver="augmented_lagrangian")
    >>> median = median.fit(X, y)
    >>> bool(abs((y > median.predict(X)).mean() - 0.5) < 0.02)
    True

    References
    ----------
    X. Li, D. Sun and K.-C. Toh (2018). A highly efficient semismooth Newton augmented Lagrangian
    method for solving Lasso problems. SIAM Journal on Optimization 28, 433-458, algorithm SSNAL.

    R. T. Rockafellar (1976). Augmented Lagrangians and applications of the proximal point algorithm
    in convex programming. Mathematics of Operations Research 1, 97-116.
    """

    name = "augmented_lagrangian"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LOSS_PROX, Capability.CONVEX_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "shrink": [Interval(Real, 0, 1, closed="neither")],
        "inner": [Solver, StrOptions({"auto"})],
    }

    def __init__(
        self, learning_rate: float = 1.0, *, shrink: float = 0.3, inner: Solver | str = "auto"
    ) -> None:
        self.learning_rate = learning_rate
        self.shrink = shrink
        self.inner = inner

    def init(self, objective: Objective, w: FloatArray, run: Run) -> MultiplierState:
        """Start with multipliers zero and a smoothing as wide as the data."""
        multipliers = np.zeros((objective.n_samples, objective.n_outputs), dtype=objective.dtype)
        width = self.learning_rate / objective.coordinate_curvature
        value = objective.value(w)
        return MultiplierState(
            value, gap=abs(value), multipliers=multipliers, width=width,
            narrowest=_narrowest(objective) * width,
        )  # fmt: skip

    def step(
        self, objective: Objective, w: FloatArray, state: MultiplierState, run: Run
    ) -> tuple[FloatArray, MultiplierState]:
        """Minimise the smoothed objective, then move the multipliers to its derivatives."""
        assert state.multipliers is not None
        smoothed = objective.smoothed(state.width, state.multipliers)
        inner = self.inner if isinstance(self.inner, Solver) else choose_for_smooth_loss(smoothed)
        relative_gap = state.gap / abs(state.value) if state.value else 1.0
        accuracy = INNER_ACCURACY * max(run.tol, min(state.accuracy, relative_gap))
        most = MAX_INNER_ITERATIONS
        if inner.first_order:
            most = MAX_FIRST_ORDER_ITERATIONS
            accuracy = max(accuracy, FIRST_ORDER_ROUNDING * float(np.finfo(w.dtype).eps))
        result = inner.run(smoothed, w, tol=accuracy, max_iter=most, rng=run.rng)
        multipliers = smoothed.multipliers(result.w)
        value = objective.value(result.w)
        gap = objective.duality_gap(result.w, multipliers)
        _, gradient = smoothed.value_and_gradient(result.w)
        objective.passes = smoothed.passes
        # A narrower smoothing is harder: wait until the inner solver manages this one.
        precise = result.status is Status.PRECISION and not inner.first_order
        solved = result.status is Status.CONVERGED or precise
        shrink = self.shrink if solved else 1.0
        n_bad = 0 if gap < 0.9 * state.best_gap else state.n_bad + 1
        return result.w, replace(
            state, value=value, gradient_norm=float(np.linalg.norm(gradient)),
            step_size=state.width, gap=gap, multipliers=multipliers,
            width=max(state.width * shrink, state.narrowest),
            accuracy=TIGHTENED * state.accuracy, best_gap=min(gap, state.best_gap), n_bad=n_bad,
            status=Status.STALLED if n_bad >= 2 * run.n_iter_no_change else None,
        )  # fmt: skip

    def multipliers(self, objective: Objective, state: MultiplierState) -> FloatArray | None:
        """Return the multipliers themselves."""
        return state.multipliers


def _narrowest(objective: Objective) -> float:
    """Relative width below which a multiplier, a difference divided by the width, is rounding."""
    return float(np.sqrt(np.finfo(objective.dtype).eps))
