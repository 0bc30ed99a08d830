"""Quadratic models with a separable penalty, minimised without touching the data."""

from __future__ import annotations

import math

import numpy as np

from skgrad._typing import FloatArray
from skgrad.coordinate_penalty import Terms
from skgrad.objective import Objective
from skgrad.solvers._gram_descent import minimise_block
from skgrad.solvers._orthants import OrthantNewton
from skgrad.solvers._semismooth import SemismoothNewton

# Compiled loops are for more coordinates than these.
SMALL = 50
# Curvature given to directions without any, relative to the largest: no division by zero.
RIDGE = 1e-10
# The same where the Hessian jumps: what is flat here may curve a little further on.
RIDGE_AT_JUMPS = 1e-6
# Errors of a Hessian's entries, in units of rounding.
ROUNDING = 10.0
# Where the Hessian jumps, the model may underestimate the gap by about this factor.
JUMP_MARGIN = 100.0


class QuadraticModel:
    r"""Quadratic model :math:`g'(z - w) + (z - w)'H(z - w)/2 + penalty(z) - penalty(w)`.

    Parameters
    ----------
    objective : Objective
        Provides the penalty.
    w, gradient : arrays of shape (n_params,)
        Point of expansion, and gradient of the smooth part there.
    hessian : array of shape (n_blocks, block_size, block_size)
        Diagonal blocks; a single one may serve all groups of parameters.
    """

    exact = True  # as a minimiser

    def __init__(
        self, objective: Objective, w: FloatArray, gradient: FloatArray, hessian: FloatArray
    ) -> None:
        self.objective, self.w, self.gradient, self.hessian = objective, w, gradient, hessian
        self.groups = (len(w) // hessian.shape[-1], hessian.shape[-1])
        self.offset = objective.nonsmooth_value(w)
        self._diagonal = hessian.diagonal(axis1=1, axis2=2)
        self._largest = float(self._diagonal.max(initial=0.0)) or 1.0
        relative = RIDGE if objective.continuous_curvature else RIDGE_AT_JUMPS
        # The rounding of a Hessian in single precision passes for curvature, of either sign.
        self._rounding = ROUNDING * float(np.finfo(hessian.dtype).eps)
        self.ridge = max(relative, self._rounding) * self._largest

    @property
    def steps(self) -> FloatArray:
        """Steps of Jacobi's method: the inverse of a coordinate's own curvature."""
        inverse = 1.0 / np.maximum(self._diagonal, 1e-8 * self._largest).astype(self.w.dtype)
        return np.broadcast_to(inverse, self.groups).ravel()

    def slope(self, z: FloatArray) -> FloatArray:
        """Gradient of the quadratic part."""
        moved = (z - self.w).reshape(*self.groups, 1)
        product: FloatArray = (self.hessian @ moved).ravel()
        product += self.gradient
        return product

    def value(self, z: FloatArray, slope: FloatArray | None = None) -> float:
        """Value of the model, zero at w."""
        slope = self.slope(z) if slope is None else slope
        quadratic = 0.5 * float((slope + self.gradient) @ (z - self.w))
        return quadratic + self.objective.nonsmooth_value(z) - self.offset

    def minimise(self, accuracy: float) -> FloatArray:
        """Minimise to an accuracy of the value, from w."""
        terms = self.objective.columns.penalty.terms()
        if terms is None:
            return SemismoothNewton(self, self.objective, self.hessian).minimise(accuracy)
        accuracy = max(accuracy, float(np.finfo(self.w.dtype).eps) ** 2 * abs(self.offset))
        compiled = self.objective.columns.are_many and self.w.size > SMALL
        z, (n_blocks, size) = self.w.copy(), self.groups
        for b in range(n_blocks):
            block, H = slice(b * size, (b + 1) * size), self.hessian[min(b, len(self.hessian) - 1)]
            H, gradient, w, *parts = (
                part.astype(np.float64, copy=False)
                for part in (H, self.gradient[block], self.w[block], *(t[block] for t in terms))
            )
            if compiled:
                z[block] = minimise_block(H, gradient, w, Terms(*parts), accuracy, self._rounding)
            else:
                newton = OrthantNewton(H, gradient, w, Terms(*parts), self.ridge)
                z[block] = newton.minimise()
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
