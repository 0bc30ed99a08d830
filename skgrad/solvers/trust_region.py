"""Newton's method in a trust region, for objectives that need not be convex."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.solvers._base import AnyObjective, Run, Solver, State, Status, first_order_gap, norm

# A step is taken if the objective falls by this share of what the model promised; below the second
# number the region shrinks, above the third it may grow (Nocedal and Wright 2006, algorithm 4.1).
ACCEPTED, POOR, GOOD = 1e-4, 0.25, 0.75
SHRINK, GROW = 0.25, 2.0
# Residual of the linear system, relative to the gradient: this, or the root of how far the gradient
# has come down, whichever is less. The steps then converge superlinearly.
LOOSEST = 0.3
# Decreases below so many units of rounding say nothing about the model.
NOISE = 10.0


@dataclass(slots=True)
class TrustRegionState(State):
    """Gradient at w, radius of the region, and the first gradient's norm."""

    gradient: FloatArray | None = None
    radius: float = math.nan
    first_norm: float = math.nan


class Step(NamedTuple):
    """A step, the decrease that the model promises, and the least curvature on the way."""

    displacement: FloatArray
    decrease: float
    curvature: float
    at_border: bool


class TrustRegion(Solver):
    r"""Newton's method with conjugate gradients in a trust region.

    .. math:: d_t \approx \arg\min_{|d| \le r_t} \; \nabla F(w_t)' d
              + \tfrac12 d' \nabla^2 F(w_t) \, d, \qquad w_{t+1} = w_t + d_t

    with the exact Hessian, by products with vectors. Conjugate gradients stop at the border of the
    region, or go there along the first direction of negative curvature that they meet: saddle
    points of networks are left behind, where a line search with a positive definite approximation
    would slow down. The radius follows from how well the quadratic model predicted the decrease; a
    step that does not lower the objective is not taken.

    Parameters
    ----------
    learning_rate : float, default=1.0
        First radius, in units of the (standardised) coefficients.
    max_products : int, default=100
        Most products with the Hessian for a step.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> LogisticRegression(solver="trust_region").fit(X, y).converged_
    True

    References
    ----------
    T. Steihaug (1983). The conjugate gradient method and trust regions in large scale optimization.
    SIAM Journal on Numerical Analysis 20, 626-637.

    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, algorithms 4.1 and 7.2.
    """

    name = "trust_region"
    first_order: ClassVar[bool] = True
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.HESSIAN_PRODUCTS, Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_products": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, learning_rate: float = 1.0, *, max_products: int = 100) -> None:
        self.learning_rate = learning_rate
        self.max_products = max_products

    def init(self, objective: AnyObjective, w: FloatArray, run: Run) -> TrustRegionState:
        """Evaluate the start."""
        value, gradient = objective.value_and_gradient(w)
        length = norm(gradient)
        return TrustRegionState(
            value, length, gap=objective.gradient_gap(w, gradient), gradient=gradient,
            radius=float(self.learning_rate), first_norm=length,
        )  # fmt: skip

    def step(
        self, objective: AnyObjective, w: FloatArray, state: TrustRegionState, run: Run
    ) -> tuple[FloatArray, TrustRegionState]:
        """Minimise the model in the region; take the step if the objective falls."""
        assert state.gradient is not None
        length = state.gradient_norm
        if length == 0.0:
            return w, replace(state, status=Status.PRECISION)
        accuracy = min(LOOSEST, math.sqrt(length / state.first_norm)) * length
        hess_vec = objective.linearise(w).hess_vec
        step = steihaug(hess_vec, state.gradient, state.radius, accuracy, int(self.max_products))
        moved = w + step.displacement
        value, gradient = objective.value_and_gradient(moved)
        noise = NOISE * float(np.finfo(w.dtype).eps) * abs(state.value)
        if step.decrease > noise:
            ratio = (state.value - value) / step.decrease if math.isfinite(value) else -math.inf
        else:
            # Values are rounding: a shorter gradient tells progress.
            ratio = 1.0 if value <= state.value + noise and norm(gradient) < length else -math.inf
        radius = self._radius(state.radius, norm(step.displacement), ratio, step)
        if ratio < ACCEPTED:
            stuck = step.decrease <= noise or np.array_equal(moved, w)
            return w, replace(state, radius=radius, status=Status.PRECISION if stuck else None)
        # Near a saddle point the gradient is short, too.
        known = objective.convex
        gap = first_order_gap(objective, moved, gradient, [step.curvature]) if known else math.nan
        return moved, replace(
            state, value=value, gradient_norm=norm(gradient), step_size=norm(step.displacement),
            gap=gap, gradient=gradient, radius=radius,
        )  # fmt: skip

    @staticmethod
    def _radius(radius: float, length: float, ratio: float, step: Step) -> float:
        if ratio < POOR:
            return SHRINK * length
        return GROW * radius if ratio > GOOD and step.at_border else radius


def steihaug(
    hess_vec: Callable[[FloatArray], FloatArray], gradient: FloatArray, radius: float,
    accuracy: float, max_products: int,
) -> Step:  # fmt: skip
    """Minimise the quadratic model in a ball by conjugate gradients (algorithm 7.2).

    Ends at a residual of this accuracy, at the border, or there along negative curvature.
    """
    d, Hd = np.zeros_like(gradient), np.zeros_like(gradient)
    residual, direction = gradient, -gradient
    square, least = float(gradient @ gradient), math.inf

    def result(at_border: bool) -> Step:
        decrease = -float(gradient @ d) - 0.5 * float(d @ Hd)
        return Step(d, decrease, least, at_border)

    for _ in range(max_products):
        product = hess_vec(direction)
        curvature = float(direction @ product)
        least = min(least, curvature / float(direction @ direction))
        step = square / curvature if curvature > 0.0 else math.inf
        border = to_border(d, direction, radius)
        outside = step >= border
        step = min(step, border)
        d, Hd = d + step * direction, Hd + step * product
        if outside:
            return result(True)
        residual = residual + step * product
        previous, square = square, float(residual @ residual)
        if math.sqrt(square) <= accuracy:
            break
        direction = -residual + (square / previous) * direction
    return result(False)


def to_border(d: FloatArray, direction: FloatArray, radius: float) -> float:
    """Compute the positive step along a direction that leads to the border of the region."""
    a, b = float(direction @ direction), float(d @ direction)
    c = float(d @ d) - radius * radius
    root = math.sqrt(max(b * b - a * c, 0.0))
    # The stable of two forms of the root of a t^2 + 2 b t + c.
    return -c / (b + root) if b > 0.0 else (root - b) / a
