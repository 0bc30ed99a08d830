"""Conjugate gradients on the free variables of a quadratic program over a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.duals import DualForm, DualPoint

# Reduction of the residual that ends conjugate gradients.
RESIDUAL = 1e-2
# Share of the linear decrease that a step must make, and how often it is halved for that.
SUFFICIENT = 1e-4
MAX_HALVINGS = 10


class Face(NamedTuple):
    """The free rows, and the part of the box where the function is smooth around them."""

    rows: IntArray
    lower: FloatArray
    upper: FloatArray
    slope: FloatArray


def face(form: DualForm, point: DualPoint, raw: FloatArray) -> Face:
    """Find the variables strictly between their bounds; zero is one where it is a kink."""
    rows = form.free_rows(point)
    lower, upper, target, tube = form.box[rows].T
    alpha = point.alpha[rows]
    lower = np.where((tube > 0.0) & (alpha > 0.0), 0.0, lower)
    upper = np.where((tube > 0.0) & (alpha < 0.0), 0.0, upper)
    return Face(rows, lower, upper, target + tube * np.sign(alpha) - raw[rows])


def minimise_on_face(
    form: DualForm, point: DualPoint, free: Face, damping: float, step: float, max_iter: int
) -> float:
    """Move the free variables, in place, to the damped minimum of their face or towards it.

    The damping keeps steps finite along directions without curvature, of which there are many:
    more free rows than independent columns. With an intercept the steps keep the sum of the
    variables, and the multiplier of that equality corrects the intercept. The first trial is
    ``step``; returns the one that was made.
    """
    rows, lower, upper, slope = free

    def product(d: FloatArray) -> FloatArray:
        return damping * d - form.response(rows, d)

    balanced = form.stiffness > 0.0
    direction, multiplier = conjugate_gradients(product, slope, max_iter, balanced=balanced)
    slope = slope - multiplier
    intercept = point.intercept + multiplier
    alpha = point.alpha[rows]
    for _ in range(MAX_HALVINGS):
        change = np.clip(alpha + step * direction, lower, upper) - alpha
        linear = float(slope @ change)
        decrease = linear - 0.5 * float(change @ form.response(rows, change))
        if linear < 0.0 and decrease <= SUFFICIENT * linear:
            form.move(point, rows, change)
            # Bounds that cut the step unbalance the sum: no reason to doubt the multiplier.
            point.intercept = intercept
            return step
        step *= 0.5
    return 0.0


def conjugate_gradients(
    product: Callable[[FloatArray], FloatArray], slope: FloatArray, max_iter: int, *, balanced: bool
) -> tuple[FloatArray, float]:
    """Solve product(x) = -slope; if balanced among x with zero sum, and return the multiplier."""
    x, residual = np.zeros_like(slope), -slope
    shift = float(residual.mean()) if balanced else 0.0
    residual -= shift
    p, rr = residual.copy(), float(residual @ residual)
    enough = RESIDUAL**2 * rr
    for _ in range(max_iter):
        if rr <= enough:
            break
        q = product(p)
        step = rr / float(p @ q)
        x += step * p
        residual -= step * q
        if balanced:
            mean = float(residual.mean())
            residual -= mean
            shift += mean
        previous, rr = rr, float(residual @ residual)
        p *= rr / previous
        p += residual
    return x, -shift
