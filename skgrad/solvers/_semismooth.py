"""Quadratic problems with any separable penalty, known by its proximal operator."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from skgrad._typing import FloatArray
from skgrad.objective import Objective

# Semismooth Newton steps find the right signs in a few rounds, or cycle; then accelerated proximal
# gradient steps bring the point closer before they are tried again.
MAX_ROUNDS = 100
GRADIENT_STEPS = 20
# Dampings of a semismooth Newton step, relative to each coordinate's curvature. A direction with
# hardly any curvature (a shift of one feature's coefficients in all classes) else makes a step that
# is far too long, across kinks that the model of the step does not see.
DAMPINGS = (0.0, 1e-6, 1e-4, 1e-2, 1e-1)


class Quadratic(Protocol):
    """What the method needs of a quadratic model with a penalty."""

    w: FloatArray
    gradient: FloatArray
    ridge: float

    @property
    def steps(self) -> FloatArray:
        """Inverse curvature of each coordinate."""

    def slope(self, z: FloatArray) -> FloatArray:
        """Gradient of the quadratic part."""

    def value(self, z: FloatArray, slope: FloatArray | None = None) -> float:
        """Value of the model."""


class SemismoothNewton:
    """Newton's method for z = prox(z - steps * slope(z)), in the precision of the data.

    For penalties that are more than L1 and L2 terms with bounds (see `OrthantNewton` for those).

    Parameters
    ----------
    model : Quadratic
        The function to minimise.
    objective : Objective
        Provides the penalty's proximal operator.
    hessian : array of shape (n_blocks, size, size)
        Diagonal blocks; a single one may serve all groups of parameters.
    """

    def __init__(self, model: Quadratic, objective: Objective, hessian: FloatArray) -> None:
        self.model, self.objective, self.steps = model, objective, model.steps
        size = hessian.shape[-1]
        self.H = np.broadcast_to(hessian, (len(model.w) // size, size, size))
        # Coordinates at whose zero the penalty has a kink: all but the intercepts.
        self.kinked = objective.prox_slope(np.zeros_like(model.w), self.steps) == 0.0

    def minimise(self, accuracy: float) -> FloatArray:
        """Minimise to an accuracy of the value, from the model's point of expansion."""
        model = self.model
        z, slope, value = model.w, model.gradient, 0.0
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
                candidate_slope = model.slope(candidate)
                candidate_value = model.value(candidate, candidate_slope)
                if candidate_value < value:
                    z, slope, value = candidate, candidate_slope, candidate_value
                    first = max(0, level - 1)
                    break
            else:
                first = max(0, len(DAMPINGS) - 2)
                z = self._gradient_steps(z)
                slope = model.slope(z)
                value = model.value(z, slope)
        return z

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
            diagonal += (1.0 - p[free]) / scaled + self.model.ridge
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
            moved = self.objective.prox(y - steps * self.model.slope(y), steps)
            if float(((y - moved) / steps) @ (moved - z)) > 0:
                t_next = 1.0
            previous, z, t = z, moved, t_next
        return z
