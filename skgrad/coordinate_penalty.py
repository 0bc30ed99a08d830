"""A penalty of the user's coefficients, as a function of a solver's parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import Penalty

# Steps along lines to a penalty and its slopes.
Along: TypeAlias = Callable[[list[float]], tuple[float, list[float]]]


class Terms(NamedTuple):
    """A penalty sum_j l1_j |w_j| + l2_j w_j^2 / 2 with bounds w_j >= lower_j: arrays like w."""

    l1: FloatArray
    l2: FloatArray
    lower: FloatArray


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
    # Diagonal of the Hessian if the penalty is a quadratic with one: two operations on whole
    # parameter vectors then replace ten on views of them (5 of 12 microseconds of an evaluation).
    ridge: FloatArray | None = field(init=False)
    # The same for one with kinks that is a sum of L1 and L2 terms.
    kinked: Terms | None = field(init=False)

    def __post_init__(self) -> None:
        """Square the factors once."""
        object.__setattr__(self, "kinked", None if self.penalty.smooth else self._terms())
        ridge: FloatArray | None = None
        quadratic = self.penalty.smooth and self.penalty.l1_strength == 0.0
        if quadratic and self.standardization.rotation is None:
            scale = self.standardization.scale
            ridge = np.zeros(self.model.n_params, dtype=scale.dtype)
            # Coefficients of constant columns are zero whatever their coordinates, which stay at
            # zero: with some curvature they don't make the Hessian singular.
            # (In this order: squares of the scales of tiny columns overflow, and 0 * inf is NaN.)
            curvature = self.penalty.strong_convexity * scale * scale
            self.model.coef(ridge)[...] = np.where(scale == 0.0, 1.0, curvature)
        object.__setattr__(self, "ridge", ridge)

    def coef(self, w: FloatArray) -> FloatArray:
        """Compute the user's coefficients."""
        return self.standardization.coef_to_user(self.model.coef(w))

    def value(self, w: FloatArray) -> float:
        """Compute the penalty."""
        if self.ridge is not None:
            return _half_product(w, self.ridge * w)
        if self.kinked is not None:
            l1, l2, lower = (term.astype(np.float64, copy=False) for term in self.kinked)
            z = w.astype(np.float64, copy=False)
            outside = self.penalty.nonnegative and bool((z < lower).any())
            return math.inf if outside else float(l1 @ np.abs(z)) + 0.5 * float(l2 @ (z * z))
        return self.penalty.value(self.coef(w))

    def add_to(self, w: FloatArray, gradient: FloatArray) -> float:
        """Add the gradient of a smooth penalty in place; return its value."""
        if self.ridge is not None:
            slope: FloatArray = self.ridge * w
            gradient += slope
            return _half_product(w, slope)
        coef = self.coef(w)
        pulled = self.standardization.pull(self.penalty.gradient(coef))
        self.model.coef(gradient)[...] += pulled
        return self.penalty.value(coef)

    def along(self, w: FloatArray, directions: FloatArray, outputs: Any, *, joint: bool) -> Along:
        """Restrict a smooth penalty to lines: in some outputs, with a step for each or one for all.

        The function that is returned computes the value, of all outputs, and slopes for the steps.
        """
        if self.ridge is None:
            return self._general_along(w, directions, outputs, joint=joint)
        here, curved = self.value(w), self.model.rows(self.ridge)[outputs] * directions
        firsts = np.vecdot(curved, self.model.rows(w)[outputs]).tolist()
        seconds = np.vecdot(curved, directions).tolist()
        lines = [(sum(firsts), sum(seconds))] if joint else list(zip(firsts, seconds, strict=True))

        def at(steps: list[float]) -> tuple[float, list[float]]:
            slopes = [a + t * b for t, (a, b) in zip(steps, lines, strict=True)]
            moves = (t * (a + s) for t, s, (a, _) in zip(steps, slopes, lines, strict=True))
            return here + 0.5 * sum(moves), slopes

        return at

    def _general_along(
        self, w: FloatArray, directions: FloatArray, outputs: Any, *, joint: bool
    ) -> Along:
        def at(steps: list[float]) -> tuple[float, list[float]]:
            moved, gradient = w.copy(), np.zeros_like(w)
            self.model.rows(moved)[outputs] += np.array(steps, w.dtype)[:, None] * directions
            value = self.add_to(moved, gradient)
            slopes = np.vecdot(self.model.rows(gradient)[outputs], directions).tolist()
            return value, [sum(slopes)] if joint else slopes

        return at

    def add_product(self, w: FloatArray, v: FloatArray, product: FloatArray) -> None:
        """Add the Hessian of a smooth penalty times v in place."""
        if self.ridge is not None:
            product += self.ridge * v
            return
        curved = self.penalty.curvature(self.coef(w)) * self.coef(v)
        self.model.coef(product)[...] += self.standardization.pull(curved)

    def add_curvature(
        self, w: FloatArray, blocks: FloatArray, outputs: IntArray | None = None
    ) -> FloatArray:
        """Add the Hessian of a smooth penalty to diagonal blocks, in place; return them.

        They belong to some of the outputs, or to all.

        A block that all outputs share takes the curvature of the first if they are all alike, and
        is repeated otherwise.
        """
        n_blocks, size = blocks.shape[:2]
        if self.ridge is not None:
            diagonals = blocks.reshape(n_blocks, -1)[:, :: size + 1]
            diagonals += self.ridge.reshape(-1, size)[:n_blocks]  # alike for all outputs
            return blocks
        curvature = self.penalty.curvature(self.coef(w))
        p, m = self.model.n_features, self.model.row_length
        n_outputs = self.model.n_outputs if outputs is None else len(outputs)
        if outputs is not None and isinstance(curvature, np.ndarray):
            curvature = curvature[outputs]
        if isinstance(curvature, np.ndarray) and n_blocks == 1:
            blocks = np.repeat(blocks, n_outputs * m // size, axis=0)
        if self.standardization.rotation is None:
            diagonal = np.zeros((n_outputs, m), dtype=blocks.dtype)
            scale = self.standardization.scale
            diagonal[:, :p] = curvature * scale * scale
            target = np.einsum("bii->bi", blocks)
            target += diagonal.reshape(-1, size)[: len(blocks)]
            return blocks
        for k, row in enumerate(np.broadcast_to(curvature, (n_outputs, p))):
            b, start = divmod(k * m, size)
            if b < len(blocks):
                inner = blocks[b, start : start + p, start : start + p]
                inner += self.standardization.pull_curvature(row)
        return blocks

    def add_diagonal(self, w: FloatArray, diagonal: FloatArray) -> None:
        """Add the diagonal of a smooth penalty's Hessian in place; without a rotation."""
        curvature = self.penalty.curvature(self.coef(w))
        self.model.coef(diagonal)[...] += curvature * self.standardization.scale**2

    def terms(self) -> Terms | None:
        """Write what `prox` stands for as L1 and L2 terms with bounds; None if there is more to it.

        A smooth penalty belongs to the smooth part of the objective, and leaves nothing.
        """
        if not self.penalty.smooth:
            return self.kinked
        nothing = np.zeros(self.model.n_params, dtype=self.standardization.scale.dtype)
        return Terms(nothing, nothing, np.full_like(nothing, -np.inf))

    def _terms(self) -> Terms | None:
        if self.penalty.l1_strength is None:
            return None
        scale = self.standardization.scale
        l1, l2, lower = np.zeros((3, self.model.n_params), dtype=scale.dtype)
        self.model.coef(l1)[...] = self.penalty.l1_strength * scale
        self.model.coef(l2)[...] = self.penalty.strong_convexity * scale * scale
        lower[...] = -np.inf
        if self.penalty.nonnegative:
            self.model.coef(lower)[...] = 0.0
        return Terms(l1, l2, lower)

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
        # A penalty that knows one step size only has columns that are scaled alike.
        gain = scale**2 if self.penalty.per_coordinate else float(scale[0]) ** 2
        coef = self.penalty.prox(self.coef(w), steps * gain)
        self.model.coef(moved)[...] = coef * self.standardization.inverse_scale
        return moved

    def prox_slope(self, moved: FloatArray, step_size: FloatArray) -> FloatArray:
        """Compute a generalised derivative of `prox` where it returned `moved`.

        Zero at the kink, where the proximal operator is flat; shrinkage by the penalty's strong
        convexity elsewhere; one for intercepts.
        """
        slope = np.ones_like(moved)
        steps = self.model.coef(step_size) * self.standardization.scale**2
        shrinkage = 1.0 + steps * self.penalty.output_convexity
        self.model.coef(slope)[...] = (self.model.coef(moved) != 0) / shrinkage
        return slope


def _half_product(w: FloatArray, slope: FloatArray) -> float:
    """Compute w'slope / 2 in float64."""
    return 0.5 * float(w.astype(np.float64, copy=False) @ slope.astype(np.float64, copy=False))
