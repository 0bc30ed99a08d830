"""Quadratic models known by products with their Hessian, minimised by conjugate gradients."""

from __future__ import annotations

import math

import numpy as np

from skgrad._typing import FloatArray
from skgrad.objective import Objective
from skgrad.solvers._base import CURVATURE_MARGIN, curvature_gap

# The squared residual falls by this factor: a better minimiser of an inexact model is worth little.
FORCING = 1e-2
# Conjugate gradients end at this relative residual: signs change anyway.
RESIDUAL = 0.1
# Products with the Hessian for one system, and for one model: then its expansion is renewed.
MAX_PRODUCTS = 30
MAX_TOTAL = 150
# Curvature given to all directions, relative to a coordinate's own: more coordinates than rows have
# directions without any, along which conjugate gradients would go far beyond many kinks.
RIDGE = 1e-4
# Lengths of a step that is cut off at kinks, before a proximal gradient step is made instead.
LENGTHS = (1.0, 0.2)
# A proximal gradient step that worked is tried this much longer next time.
GROWTH = 1.5


MAX_HALVINGS = 30

# A point, the gradient of the model's quadratic part there, and the model's value.
Point = tuple[FloatArray, FloatArray, float]


class ImplicitQuadraticModel:
    r"""Quadratic model :math:`g'(z - w) + (z - w)'H(z - w)/2 + penalty(z) - penalty(w)`.

    Minimised by semismooth Newton steps (see `SemismoothNewton`); their systems, restricted to
    the coordinates that are not at their kink, are solved by conjugate gradients.

    Parameters
    ----------
    objective : Objective
        Provides the penalty's proximal operator, and products with the Hessian.
    w, gradient : arrays of shape (n_params,)
        Point of expansion, and gradient of the smooth part there.
    """

    hessian = None  # never built
    exact = False  # as a minimiser

    def __init__(self, objective: Objective, w: FloatArray, gradient: FloatArray) -> None:
        self.objective, self.w, self.gradient = objective, w, gradient
        self._hessian = objective.linearise(w)
        self.steps = np.full_like(w, 1.0 / objective.coordinate_curvature)
        self.offset = objective.nonsmooth_value(w)
        self.kinked = objective.prox_slope(np.zeros_like(w), self.steps) == 0.0
        # Least curvature met along a direction, products made, and length of the last step.
        self.curvature, self.n_products, self.length = math.inf, 0, 1.0

    def product(self, v: FloatArray) -> FloatArray:
        """Multiply the Hessian with v."""
        self.n_products += 1
        return self._hessian.hess_vec(v)

    def value(self, z: FloatArray, slope: FloatArray) -> float:
        """Value of the model, zero at w; slope is the gradient of the quadratic part at z."""
        quadratic = 0.5 * float((slope + self.gradient) @ (z - self.w))
        return quadratic + self.objective.nonsmooth_value(z) - self.offset

    def raw_after(self, step: float) -> None:
        """Raw predictions are not kept."""

    def promise(self, target: FloatArray) -> float:
        """Estimate the objective's gap at w by the model's decrease."""
        change = target - self.w
        return max(0.0, -self.value(target, self.gradient + self.product(change)))

    def gap_after(
        self, target: FloatArray, residual: float, decrease: float, *, settled: bool
    ) -> float:
        """Estimate the gap where the proximal step has this norm, by the least curvature met."""
        return CURVATURE_MARGIN * curvature_gap(residual, [self.curvature])

    def minimise(self, accuracy: float) -> FloatArray:
        """Minimise from w until the squared residual falls by a factor, or to an accuracy."""
        z, slope, value, goal = self.w, self.gradient, 0.0, math.nan
        while self.n_products < MAX_TOTAL:
            target = self.objective.prox(z - self.steps * slope, self.steps)
            residual = z - target
            size = float(residual @ (residual / self.steps))
            if goal != goal:
                goal = max(accuracy, FORCING * size)
            if size <= goal:
                break
            found = self._newton(z, slope, value, target) or self._gradient_step(z, slope, value)
            if found is None:
                break
            z, slope, value = found
        return z

    def _newton(
        self, z: FloatArray, slope: FloatArray, value: float, target: FloatArray
    ) -> Point | None:
        """Make a semismooth Newton step, cut off where coordinates change sign."""
        change, curved = self._semismooth_step(target, z - target)
        for length in LENGTHS:
            candidate = z + length * change
            crossed = self.kinked & (candidate * target < 0.0)
            candidate[crossed] = 0.0
            if crossed.any():
                candidate_slope = slope + self.product(candidate - z)
            else:
                candidate_slope = slope + length * curved
            candidate_value = self.value(candidate, candidate_slope)
            if candidate_value < value:
                return candidate, candidate_slope, candidate_value
        return None

    def _semismooth_step(
        self, target: FloatArray, residual: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Move inactive coordinates to their kink, solve for the others; also H times the move."""
        P = self.objective.prox_slope(target, self.steps)
        free = P != 0.0
        change = np.where(free, 0.0, -residual).astype(residual.dtype, copy=False)
        curved = self.product(change) if change.any() else np.zeros_like(change)
        scaled = np.where(free, P * self.steps, 1.0).astype(P.dtype, copy=False)
        shrinkage = (1.0 - P) / scaled + RIDGE / self.steps
        right = np.where(free, -residual / scaled - curved, 0.0).astype(P.dtype, copy=False)
        direction, size = right.copy(), float(right @ right)
        goal = RESIDUAL**2 * size
        for _ in range(MAX_PRODUCTS):
            if size <= goal:
                break
            bent = self.product(direction)
            image = np.where(free, bent + shrinkage * direction, 0.0)
            curvature = float(direction @ image)
            if curvature <= 0.0:
                break
            self.curvature = min(self.curvature, curvature / float(direction @ direction))
            step = size / curvature
            change += step * direction
            curved += step * bent
            right -= step * image
            previous, size = size, float(right @ right)
            direction = right + (size / previous) * direction
        return change, curved

    def _gradient_step(self, z: FloatArray, slope: FloatArray, value: float) -> Point | None:
        """Make a proximal gradient step, shortened until the model falls; None if it never does."""
        for _ in range(MAX_HALVINGS):
            moved = self.objective.prox(
                z - self.length * self.steps * slope, self.length * self.steps
            )
            moved_slope = slope + self.product(moved - z)
            moved_value = self.value(moved, moved_slope)
            if moved_value < value:
                self.length *= GROWTH
                return moved, moved_slope, moved_value
            self.length *= 0.5
        return None
