"""The set that a constraint leaves to solvers, in their coordinates, and the objective on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray
from skgrad.certificates import ROUNDING, newton_step, predict
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.gaps import INTERCEPT_MARGIN
from skgrad.losses import Loss
from skgrad.models import LinearModel
from skgrad.penalties import Penalty
from skgrad.penalties.constraints import Constraint
from skgrad.rows import Batch, RowSum

# Newton's iterations for the intercepts alone, which start at those of a neighbouring point.
MAX_ITERATIONS = 50
MAX_HALVINGS = 40


class InfeasibleStartError(ValueError):
    """A run starts outside of the set that its constraint allows."""


class Settled(NamedTuple):
    """A point with the best intercepts for its coefficients: parameters, F there, predictions."""

    w: FloatArray
    value: float
    raw: FloatArray


@dataclass(frozen=True, slots=True)
class FeasibleSet:
    r"""The feasible parameters, and :math:`f = F` on them, which is smooth.

    Intercepts are free. Methods that minimise linear functions over a bounded set see

    .. math:: g(coef) = \min_b f(coef, b)

    instead: `settle` finds b without a pass over the data. Its gradient is that of f at the best
    intercepts, so a Frank-Wolfe gap of g is a bound without ifs.

    Parameters
    ----------
    rows : RowSum
        The data.
    model, loss, penalty
        The parts of the objective.
    curvature : float
        Typical curvature of the loss.
    count : callable
        Takes the number of passes over the data that were made.
    """

    rows: RowSum
    model: LinearModel
    loss: Loss
    penalty: CoordinatePenalty
    curvature: float
    count: Callable[[float], None]

    @property
    def constraint(self) -> Constraint:
        """The constraint, of the user's coefficients."""
        region = self.penalty.penalty.region
        assert region is not None
        return region

    def check(self, w: FloatArray) -> None:
        """Raise unless a start is feasible; say how far off it is."""
        coef = self.penalty.coef(w)
        if self.constraint.value(coef) > 0.0:
            raise InfeasibleStartError(
                f"The start is infeasible: it violates {self.constraint!r} by "
                f"{self.constraint.violation(coef):.2g}, relatively. Start at "
                "objective.prox(w, 1.0), the nearest feasible point."
            )

    # -- geometry ---------------------------------------------------------------------------------

    def project(self, w: FloatArray) -> FloatArray:
        """Nearest feasible point in a solver's coordinates."""
        scaling, moved = self.penalty.standardization, w.copy()
        metric = scaling.scale**2 if self.constraint.per_coordinate else 1.0
        coef = self.constraint.project(self.penalty.coef(w), metric)
        self.model.coef(moved)[...] = coef * scaling.inverse_scale
        return moved

    def vertex(self, gradient: FloatArray) -> FloatArray:
        """Minimise a linear function of the coefficients; intercepts are left at zero."""
        scaling, vertex = self.penalty.standardization, np.zeros_like(gradient)
        slope = scaling.push(self.model.coef(gradient))
        self.model.coef(vertex)[...] = self.constraint.lmo(slope) * scaling.inverse_scale
        return vertex

    def gap(self, w: FloatArray, gradient: FloatArray) -> float:
        """Bound f(w) - min f by the Frank-Wolfe gap; inf where the set is not bounded.

        Where the intercepts are not at their best, Newton's decrement is added, with a fraction of
        the loss's curvature, or the first-order effect where the curvature jumps (and may vanish).
        """
        if not self.constraint.bounded:
            return math.inf
        slope = self.penalty.standardization.push(self.model.coef(gradient))
        gap = max(0.0, self.constraint.gap(self.penalty.coef(w), slope))
        return gap + self.intercept_gap(w, gradient)

    def intercept_gap(self, w: FloatArray, gradient: FloatArray) -> float:
        """Estimate what better intercepts would gain."""
        free = self.model.intercept(gradient).astype(np.float64, copy=False)
        if self.loss.continuous_curvature:
            return INTERCEPT_MARGIN * float(free @ free) / self.curvature
        return float(np.abs(free * self.model.intercept(w)).sum())

    def coefficients(self, w: FloatArray) -> FloatArray:
        """Copy w without its intercepts, which become zero."""
        bare = np.zeros_like(w)
        self.model.coef(bare)[...] = self.model.coef(w)
        return bare

    def intercepts(self, w: FloatArray) -> FloatArray:
        """Copy w without its coefficients, which become zero."""
        bare = w.copy()
        self.model.coef(bare)[...] = 0.0
        return bare

    # -- the objective ----------------------------------------------------------------------------

    def add_rest(self, w: FloatArray, gradient: FloatArray) -> float:
        """Add the gradient of all of f but the loss in place; return its value."""
        rest = self._rest
        return 0.0 if rest is None else rest.add_to(w, gradient)

    def settle(self, w: FloatArray) -> Settled:
        """Minimise f over the intercepts, for the coefficients of w."""
        self.count(0.5)
        data, raw = self.rows.data, predict(self.rows, self.model, w)
        if self.model.fit_intercept:
            shift, raw = best_shift(data, self.loss, raw, self.curvature)
            w = w.copy()
            self.model.rows(w)[:, self.model.n_features] += shift.astype(w.dtype)
        value = data.sum(self.loss.value(data.y, raw)) + self._rest_value(w)
        return Settled(w, value, raw)

    def gradient(self, at: Settled) -> FloatArray:
        """Compute the gradient of f at a settled point; intercepts have none."""
        self.count(0.5)
        slopes = self.loss.gradient(self.rows.data.y, at.raw)
        gradient: FloatArray = self.rows.with_targets(slopes).reduce(
            lambda block: self.model.backward(block.A, block.weigh(block.y))
        )
        gradient = gradient.astype(at.w.dtype, copy=False)
        self.add_rest(at.w, gradient)
        return self.coefficients(gradient)

    @property
    def _rest(self) -> CoordinatePenalty | None:
        rest: Penalty | None = self.penalty.penalty.finite_part
        if rest is None:
            return None
        return CoordinatePenalty(rest, self.model, self.penalty.standardization)

    def _rest_value(self, w: FloatArray) -> float:
        rest = self._rest
        return 0.0 if rest is None else rest.value(w)


def best_shift(
    data: Batch, loss: Loss, raw: FloatArray, curvature: float
) -> tuple[FloatArray, FloatArray]:
    """Find the shift of raw predictions, alike in all rows, that minimises the loss; no pass.

    Newton's method with halved steps, as the Hessian of some losses jumps. Outputs without any
    curvature where they are take a step with the typical one, then steps of twice the size.

    Parameters
    ----------
    data : Batch
        All rows.
    loss : Loss
        A smooth one.
    raw : array of shape (n_samples, n_outputs)
        Predictions.
    curvature : float
        Typical curvature of the loss.

    Returns
    -------
    shift : array of shape (n_outputs,)
        In float64.
    raw : array of shape (n_samples, n_outputs)
        The shifted predictions, in the precision of raw.
    """
    start, y = raw.astype(np.float64), data.y
    y = y.astype(np.float64) if y.dtype.kind == "f" else y
    eps = float(np.finfo(np.float64).eps)
    shift: FloatArray = np.zeros(raw.shape[1])
    moved: FloatArray = start
    value, stride = data.sum(loss.value(y, start)), np.ones(raw.shape[1])
    for _ in range(MAX_ITERATIONS):
        terms = data.weigh(loss.gradient(y, moved))
        slope = terms.sum(axis=0, dtype=np.float64)
        if float(np.abs(slope).max()) <= ROUNDING * eps * float(np.abs(terms).sum()):
            break
        step = newton_step(data, loss, y, moved, slope)
        falls = step @ slope > 0.0 if loss.coupled else step * slope > 0.0
        step = np.where(falls, step, stride * slope / curvature)
        stride = np.where(falls, 1.0, 2.0 * stride)
        found = _shorten(data, loss, start, shift, step, value)
        if found is None:
            break
        shift, moved, value = found
    return shift, moved.astype(raw.dtype, copy=False)


def _shorten(
    data: Batch, loss: Loss, start: FloatArray, shift: FloatArray, step: FloatArray, value: float
) -> tuple[FloatArray, FloatArray, float] | None:
    """Halve a step against the slope until the value does not rise but by rounding."""
    y = data.y.astype(np.float64) if data.y.dtype.kind == "f" else data.y
    noise = ROUNDING * float(np.finfo(np.float64).eps) * abs(value)
    for _ in range(MAX_HALVINGS):
        moved = start + (shift - step)
        reached = data.sum(loss.value(y, moved))
        if math.isfinite(reached) and reached <= value + noise:
            return shift - step, moved, reached
        step = 0.5 * step
    return None
