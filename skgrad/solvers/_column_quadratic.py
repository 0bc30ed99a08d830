"""Quadratic models minimised by coordinate descent over the columns of the data."""

from __future__ import annotations

import numpy as np

from skgrad._typing import FloatArray
from skgrad.columns import ColumnWalk
from skgrad.objective import Objective

# Passes end when one decreases the model by less than this share of the first: a better minimiser
# of an inexact model is worth little.
FORCING = 0.02
MAX_EPOCHS = 50
# Coordinate descent leaves the flattest directions for last: their curvature may be so much below
# the average that a step met.
MARGIN = 30.0


class ColumnQuadraticModel:
    r"""Quadratic model :math:`g'(z - w) + (z - w)'H(z - w)/2 + penalty(z) - penalty(w)`.

    H is never built: a pass over the coordinates costs as much as a product with the data and one
    with its transpose, and is worth many such products.

    Parameters
    ----------
    objective : Objective
        Restricted to the columns of ``walk``.
    walk : ColumnWalk
        The columns of the working set.
    w, gradient : arrays of shape (n_params,)
        Point of expansion, and gradient of the smooth part there.
    raw : array of shape (n_samples, n_outputs)
        Raw predictions at w.
    """

    hessian = None  # never built
    exact = False  # as a minimiser

    def __init__(
        self, objective: Objective, walk: ColumnWalk, w: FloatArray, gradient: FloatArray,
        raw: FloatArray,
    ) -> None:  # fmt: skip
        self.objective, self.walk = objective, walk
        self.w, self.gradient, self.raw, self.raw_change = w, gradient, raw, np.zeros_like(raw)
        moved = objective.prox(w - gradient, 1.0) - w
        self.residual = float(np.linalg.norm(moved))

    def minimise(self, accuracy: float) -> FloatArray:
        """Minimise from w until passes decrease the model little, or to an accuracy."""
        terms = self.objective.columns.penalty.terms()
        assert terms is not None
        weights = self.objective.columns.curvature_weights(self.raw)
        z, self.raw_change, n_passes = self.walk.minimise(
            weights, self.gradient, self.w, terms,
            forcing=FORCING, accuracy=accuracy, max_epochs=MAX_EPOCHS,
        )  # fmt: skip
        self.objective.passes += n_passes
        return z

    def raw_after(self, step: float) -> FloatArray:
        """Compute the raw predictions after a step towards the minimiser."""
        return self.raw + step * self.raw_change

    def promise(self, target: FloatArray) -> float:
        """Estimate the objective's gap at w: none, if no step decreases it."""
        return 0.0

    def gap_after(
        self, target: FloatArray, residual: float, decrease: float, *, settled: bool
    ) -> float:
        """Estimate the gap where the proximal step has this norm, by the curvature of this step."""
        return MARGIN * decrease * (residual / self.residual) ** 2
