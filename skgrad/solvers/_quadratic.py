"""Quadratic models with a separable penalty, minimised without touching the data."""

from __future__ import annotations

import math

import numpy as np

from skgrad._typing import FloatArray
from skgrad.coordinate_penalty import Terms
from skgrad.objective import Objective
from skgrad.solvers._gram_descent import minimise_block
from skgrad.solvers._orthants import OrthantNewton

# Semismooth Newton steps find the right signs in a few rounds, or cycle; then accelerated proximal
# gradient steps bring the point closer before they are tried again.
MAX_ROUNDS = 100
GRADIENT_STEPS = 20
# Compiled loops are for more coordinates than these.
SMALL = 50
# Curvature given to directions without any, relative to the largest: no division by zero.
RIDGE = 1e-10
# The same where the Hessian jumps: what is flat here may curve a little further on.
RIDGE_AT_JUMPS = 1e-6
# Errors of a Hessian's entries, in units of rounding.
ROUNDING = 10.0
# Dampings of a semismooth Newton step, relative to each coordinate's curvature. A direction with
# hardly any curvature (a shift of one feature's coefficients in all classes) else makes a step that
# is far too long, across kinks that the model of the step does not see.
DAMPINGS = (0.0, 1e-6, 1e-4, 1e-2, 1e-1)


# Where the Hessian jumps, the model may underestimate the gap by about this factor.
JUMP_MARGIN = 100.0


class QuadraticModel:
    r"""Quadratic model :math:`g'(z - w) + (z - w)'H(z - w)/2 + penalty(z) - penalty(w)`.

    Parameters
    ----------
    objective : Objective
        Provides the penalty's proximal operator.
    w, gradient : arrays of shape (n_params,)
        Point of expansion, and gradient of the smooth part there.
    hessian : array of shape (n_blocks, block_size, block_size)
        Diagonal blocks; a single one may serve all groups of parameters.
    """

    def __init__(
        self, objective: Objective, w: FloatArray, gradient: FloatArray, hessian: FloatArray
    ) -> None:
        self.objective, self.w, self.gradient, self.hessian = objective, w, gradient, hessian
        size = hessian.shape[-1]
        self.H = np.broadcast_to(hessian, (len(w) // size, size, size))
        diagonal = np.einsum("bii->bi", self.H).ravel()
        largest = float(diagonal.max(initial=0.0)) or 1.0
        relative = RIDGE if objective.continuous_curvature else RIDGE_AT_JUMPS
        # The rounding of a Hessian in single precision passes for curvature, of either sign.
        rounding = ROUNDING * float(np.finfo(hessian.dtype).eps)
        self.ridge = max(relative, rounding) * largest
        # Steps of Jacobi's method: a coordinate's own curvature.
        self.steps: FloatArray = 1.0 / np.maximum(diagonal, 1e-8 * largest).astype(w.dtype)
        self.offset = objective.nonsmooth_value(w)
        # Coordinates at whose zero the penalty has a kink: all but the intercepts.
        self.kinked = objective.prox_slope(np.zeros_like(w), self.steps) == 0.0

    def slope(self, z: FloatArray) -> FloatArray:
        """Gradient of the quadratic part."""
        moved = (z - self.w).reshape(len(self.H), -1, 1)
        product: FloatArray = (self.H @ moved).ravel()
        return self.gradient + product

    def value(self, z: FloatArray, slope: FloatArray | None = None) -> float:
        """Value of the model, zero at w."""
        slope = self.slope(z) if slope is None else slope
        quadratic = 0.5 * float((slope + self.gradient) @ (z - self.w))
        return quadratic + self.objective.nonsmooth_value(z) - self.offset

    def minimise(self, accuracy: float) -> FloatArray:
        """Minimise to an accuracy of the value, from w."""
        terms = self.objective.columns.penalty.terms(self.w)
        if terms is not None:
            return self._minimise_blocks(terms, accuracy)
        z, slope, value = self.w, self.gradient, 0.0
        first = 0  # the damping that worked last time, less one
        for _ in range(MAX_ROUNDS):
            target = self.objective.prox(z - self.steps * slope, self.steps)
            residual = z - target
            if float(residual @ (residual / self.steps)) <= accuracy:
                return target
            for level in range(first, len(DAMPINGS)):
                candidate = z + self._semismooth_step(target, residual, DAMPINGS[level])
                # A coordinate stops where it changes sign.
                candidate[self.kinked & (candidate * target < 0.0)] = 0.0
                candidate_slope = self.slope(candidate)
                candidate_value = self.value(candidate, candidate_slope)
                if candidate_value < value:
                    z, slope, value = candidate, candidate_slope, candidate_value
                    first = max(0, level - 1)
                    break
            else:
                first = max(0, len(DAMPINGS) - 2)
                z = self._gradient_steps(z)
                slope = self.slope(z)
                value = self.value(z, slope)
        return z

    def _minimise_blocks(self, terms: Terms, accuracy: float) -> FloatArray:
        """Minimise block by block in float64."""
        size, z = self.H.shape[-1], self.w.copy()
        accuracy = max(accuracy, float(np.finfo(z.dtype).eps) ** 2 * abs(self.offset))
        compiled = self.objective.columns.are_many and self.w.size > SMALL
        for b, H in enumerate(self.H):
            block = slice(b * size, (b + 1) * size)
            H, gradient, w, *parts = (
                part.astype(np.float64, copy=False)
                for part in (H, self.gradient[block], self.w[block], *(t[block] for t in terms))
            )
            if compiled:
                rounding = ROUNDING * float(np.finfo(self.hessian.dtype).eps)
                z[block] = minimise_block(H, gradient, w, Terms(*parts), accuracy, rounding)
            else:
                z[block] = OrthantNewton(H, gradient, w, Terms(*parts), self.ridge).minimise(
                    accuracy
                )
        return z

    def raw_after(self, step: float) -> None:
        """Raw predictions are not kept."""

    def promise(self, target: FloatArray) -> float:
        """Estimate the objective's gap at w: by the model's decrease towards its minimiser."""
        margin = 1.0 if self.objective.continuous_curvature else JUMP_MARGIN
        return margin * max(0.0, -self.value(target))

    def gap_after(
        self, target: FloatArray, residual: float, decrease: float, *, settled: bool
    ) -> float:
        """Estimate the gap after a step to the minimiser: at most what it was before.

        Only where the step settled all other coordinates; NaN else.
        """
        return self.promise(target) if settled else math.nan

    def _semismooth_step(
        self, target: FloatArray, residual: FloatArray, damping: float
    ) -> FloatArray:
        """Move inactive coordinates to their kink, and solve for the others.

        Newton's step for residual(z) = z - prox(z - steps * slope(z)) = 0 with the generalised
        derivative of the proximal operator, P: zero where it is flat.
        """
        P = self.objective.prox_slope(target, self.steps).reshape(len(self.H), -1)
        residual = residual.reshape(P.shape)
        steps = self.steps.reshape(P.shape)
        change = -residual
        for H, p, r, t, delta in zip(self.H, P, residual, steps, change, strict=True):
            free = np.flatnonzero(p)
            if not len(free):
                continue
            matrix = H[np.ix_(free, free)].astype(np.float64)
            scaled = p[free] * t[free]
            diagonal = np.einsum("ii->i", matrix)
            diagonal *= 1.0 + damping
            diagonal += (1.0 - p[free]) / scaled + self.ridge
            pinned = np.flatnonzero(p == 0)
            right = -r[free] / scaled - H[np.ix_(free, pinned)] @ delta[pinned]
            delta[free] = np.linalg.solve(matrix, right)
        return change.ravel()

    def _gradient_steps(self, z: FloatArray) -> FloatArray:
        """Make accelerated proximal gradient steps, restarted when momentum points uphill."""
        rows = np.abs(self.H).sum(axis=2).ravel() * self.steps
        steps = self.steps / max(float(rows.max()), 1.0)
        previous, t = z, 1.0
        for _ in range(GRADIENT_STEPS):
            t_next = 0.5 * (1.0 + (1.0 + 4.0 * t * t) ** 0.5)
            y = z + (t - 1.0) / t_next * (z - previous)
            moved = self.objective.prox(y - steps * self.slope(y), steps)
            if float(((y - moved) / steps) @ (moved - z)) > 0:
                t_next = 1.0
            previous, z, t = z, moved, t_next
        return z
