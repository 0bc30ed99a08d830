"""A penalty of the user's coefficients, as a function of a solver's parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import Penalty


@dataclass(frozen=True, slots=True)
class CoordinatePenalty:
    """A penalty behind a change of variables: solvers see it in their own coordinates.

    Parameters
    ----------
    penalty : Penalty
        Of the user's coefficients.
    model : LinearModel
        Layout of the parameters. Intercepts are never penalised.
    standardization : Standardization
        The change of variables.
    """

    penalty: Penalty
    model: LinearModel
    standardization: Standardization

    def coef(self, w: FloatArray) -> FloatArray:
        """Compute the user's coefficients."""
        return self.standardization.coef_to_user(self.model.coef(w))

    def value(self, w: FloatArray) -> float:
        """Compute the penalty."""
        return self.penalty.value(self.coef(w))

    def add_to(self, w: FloatArray, gradient: FloatArray) -> float:
        """Add the gradient of a smooth penalty in place; return its value."""
        coef = self.coef(w)
        slope = self.standardization.pull(self.penalty.gradient(coef))
        self.model.coef(gradient)[...] += slope
        return self.penalty.value(coef)

    def add_product(self, w: FloatArray, v: FloatArray, product: FloatArray) -> None:
        """Add the Hessian of a smooth penalty times v in place."""
        curved = self.penalty.curvature(self.coef(w)) * self.coef(v)
        self.model.coef(product)[...] += self.standardization.pull(curved)

    def add_curvature(self, w: FloatArray, blocks: FloatArray) -> None:
        """Add the Hessian of a smooth penalty to its diagonal blocks, in place.

        A block that all outputs share takes the curvature of the first: they are all alike.
        """
        curvature = self.penalty.curvature(self.coef(w))
        if isinstance(curvature, float) and curvature == 0.0:
            return
        p, m, size = self.model.n_features, self.model.row_length, blocks.shape[-1]
        if self.standardization.rotation is None:
            diagonal = np.zeros((self.model.n_outputs, m), dtype=blocks.dtype)
            diagonal[:, :p] = curvature * self.standardization.scale**2
            target = np.einsum("bii->bi", blocks)
            target += diagonal.reshape(-1, size)[: len(blocks)]
            return
        for k, row in enumerate(np.broadcast_to(curvature, (self.model.n_outputs, p))):
            b, start = divmod(k * m, size)
            if b < len(blocks):
                inner = blocks[b, start : start + p, start : start + p]
                inner += self.standardization.pull_curvature(row)

    def diagonal(self, w: FloatArray) -> FloatArray:
        """Compute the Hessian's diagonal in the coefficients, shape (n_outputs, n_features)."""
        scaling, curvature = self.standardization, self.penalty.curvature(self.coef(w))
        if scaling.rotation is None:
            gain = scaling.scale**2
            return np.broadcast_to(curvature * gain, (self.model.n_outputs, len(gain)))
        gains = (scaling.scale[:, None] * scaling.rotation) ** 2
        return np.broadcast_to(curvature, (self.model.n_outputs, len(gains))) @ gains

    def mean_curvature(self, w: FloatArray) -> FloatArray:
        """Compute the Hessian in the coefficients of an output, averaged over the outputs.

        Shape (n_features,) where it is diagonal, else (n_features, n_features).
        """
        shape = (self.model.n_outputs, self.model.n_features)
        if not self.penalty.smooth:
            return np.zeros(shape[1], dtype=w.dtype)
        mean = np.broadcast_to(self.penalty.curvature(self.coef(w)), shape).mean(axis=0)
        if self.standardization.rotation is None:
            return mean * self.standardization.scale**2
        return self.standardization.pull_curvature(mean)

    def prox(self, w: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Apply the proximal operator: in a solver's coordinates, steps shrink with scale^2."""
        scale = self.standardization.scale
        steps = self.model.coef(step_size) if isinstance(step_size, np.ndarray) else step_size
        moved = w.copy()
        coef = self.penalty.prox(self.coef(w), steps * scale**2)
        self.model.coef(moved)[...] = coef * self.standardization.inverse_scale
        return moved

    def prox_slope(self, moved: FloatArray, step_size: FloatArray) -> FloatArray:
        """Compute a generalised derivative of `prox` where it returned `moved`.

        Zero at the kink, where the proximal operator is flat; shrinkage by the penalty's strong
        convexity elsewhere; one for intercepts.
        """
        slope = np.ones_like(moved)
        steps = self.model.coef(step_size) * self.standardization.scale**2
        shrinkage = 1.0 + steps * self.penalty.strong_convexity
        self.model.coef(slope)[...] = (self.model.coef(moved) != 0) / shrinkage
        return slope
