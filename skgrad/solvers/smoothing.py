"""Continuation: smooth problems that approach one with kinks."""

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
from skgrad.solvers._base import Run, Solver, State, Status, norm

# The inner minimisation ends at this accuracy relative to the gap: the smoothing's error is of the
# order of the gap, more digits are lost with the next width.
INNER_ACCURACY = 0.03
MAX_INNER_ITERATIONS = 200


@dataclass(slots=True)
class SmoothingState(State):
    """Width of the next smoothing, the least one, and the dual variables of the last."""

    width: float = float("nan")
    narrowest: float = 0.0
    multipliers: FloatArray | None = None
    best_gap: float = float("inf")
    n_bad: int = 0


class Smoothing(Solver):
    r"""Minimise ever narrower smoothings of a loss with kinks, each from where the last one ended.

    .. math:: w_{t+1} = \arg\min_w \frac1S \sum_i s_i \, env_{\mu_t}(raw_i(w)) + penalty(w),
              \qquad \mu_{t+1} = \rho \mu_t

    with the Moreau envelope :math:`env_\mu` of `skgrad.losses.Smoothed`. Its minimiser is within
    :math:`\mu_t / 2` (times the largest squared slope) of the minimum of the loss itself, and its
    derivatives are dual variables that prove it: the run ends when the duality gap says so.
    `AugmentedLagrangian` adds multipliers, which remove the error of the smoothing, and needs no
    such narrow ones; `InteriorPoint` is faster where it can work.

    Parameters
    ----------
    learning_rate : float, default=1.0
        First width :math:`\mu_1`, relative to the width of the data (1 for the hinge, the mean
        absolute deviation of y for regression).
    shrink : float in (0, 1), default=0.2
        Factor :math:`\rho` of the width from one iteration to the next.
    inner : Solver or "auto", default="auto"
        Solver of the smooth problems.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LinearSVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> svm = LinearSVC(loss="hinge", solver="smoothing", tol=1e-4).fit(X, y)
    >>> svm.gap_is_certified_
    True

    References
    ----------
    Y. Nesterov (2005). Smooth minimization of non-smooth functions. Mathematical Programming 103,
    127-152.

    S. Becker, J. Bobin and E. Candes (2011). NESTA: a fast and accurate first-order method for
    sparse recovery. SIAM Journal on Imaging Sciences 4, 1-39 (continuation).
    """

    name = "smoothing"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.LOSS_PROX})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "shrink": [Interval(Real, 0, 1, closed="neither")],
        "inner": [Solver, StrOptions({"auto"})],
    }

    def __init__(
        self, learning_rate: float = 1.0, *, shrink: float = 0.2, inner: Solver | str = "auto"
    ) -> None:
        self.learning_rate = learning_rate
        self.shrink = shrink
        self.inner = inner

    def init(self, objective: Objective, w: FloatArray, run: Run) -> SmoothingState:
        """Start with a smoothing as wide as the data."""
        width = float(self.learning_rate) / objective.coordinate_curvature
        value = objective.value(w)
        # Dual variables are differences divided by the width: below this they are rounding.
        least = float(np.sqrt(np.finfo(objective.dtype).eps)) * width
        return SmoothingState(value, gap=abs(value), width=width, narrowest=least)

    def step(
        self, objective: Objective, w: FloatArray, state: SmoothingState, run: Run
    ) -> tuple[FloatArray, SmoothingState]:
        """Minimise a smoothing, then measure the gap of its minimiser."""
        unshifted = np.zeros((objective.n_samples, objective.n_outputs), dtype=objective.dtype)
        smoothed = objective.smoothed(state.width, unshifted)
        inner = self.inner if isinstance(self.inner, Solver) else choose_for_smooth_loss(smoothed)
        relative_gap = min(1.0, state.gap / abs(state.value)) if state.value else 1.0
        accuracy = INNER_ACCURACY * max(run.tol, self.shrink * relative_gap)
        result = inner.run(smoothed, w, tol=accuracy, max_iter=MAX_INNER_ITERATIONS, rng=run.rng)
        multipliers = smoothed.multipliers(result.w)
        value = objective.value(result.w)
        gap = objective.duality_gap(result.w, multipliers)
        _, gradient = smoothed.value_and_gradient(result.w)
        objective.passes = smoothed.passes
        n_bad = 0 if gap < 0.9 * state.best_gap else state.n_bad + 1
        return result.w, replace(
            state, value=value, gradient_norm=norm(gradient), step_size=state.width, gap=gap,
            width=max(float(self.shrink) * state.width, state.narrowest), multipliers=multipliers,
            best_gap=min(gap, state.best_gap), n_bad=n_bad,
            status=Status.STALLED if n_bad >= run.n_iter_no_change else None,
        )  # fmt: skip

    def multipliers(self, objective: Objective, state: SmoothingState) -> FloatArray | None:
        """Return the derivatives of the last smoothing."""
        return state.multipliers
