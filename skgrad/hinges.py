"""Objectives that are sums of hinges plus a quadratic, for interior point methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skgrad._typing import FloatArray
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import Penalty
from skgrad.rows import RowSum


class HingeForm:
    r"""A piecewise linear loss with an elastic-net penalty, as hinges of linear terms.

    .. math:: F(w) = \sum_{k, j} cost_{kj} \max(sign_{kj} z_j - offset_{kj}, 0)
              + \tfrac{\mu}{2} |coef(w)|^2

    where z holds the raw predictions of all rows and outputs and, with an L1 penalty, the
    coefficients themselves: :math:`|c| = \max(c, 0) + \max(-c, 0)`. A sign constraint is a hinge
    that costs more than it can gain. In float64 whatever the data, but for the products with them.

    Attributes
    ----------
    sign, offset, cost : arrays that broadcast to (n_hinges, n_terms)
        The hinges of each term.
    """

    def __init__(
        self,
        rows: RowSum,
        model: LinearModel,
        loss: Loss,
        penalty: Penalty,
        standardization: Standardization,
    ) -> None:
        data = rows.data
        self._row_sum, self._tall = rows, RowSum(data, _merged(rows.slices, model.row_length))
        self.A, self.model = data.A, model
        self.standardization = standardization
        self.ridge, self.n_raw = penalty.strong_convexity, data.A.n_samples * model.n_outputs
        self.l1, self.nonnegative = penalty.l1_strength or 0.0, penalty.nonnegative
        self.on_coef = self.l1 > 0.0 or self.nonnegative
        sign, offset, cost = loss.hinges(data.y)
        weight = data.share if data.weight is None else data.weight
        shape = (len(sign), data.A.n_samples, model.n_outputs)
        flat = (len(sign), self.n_raw)
        self.sign, self.offset, self.cost = (
            np.broadcast_to(part, shape).reshape(flat).astype(np.float64)
            for part in (sign, offset, cost * weight)
        )
        if self.on_coef:
            self._append_coefficients()

    def _append_coefficients(self) -> None:
        if len(self.sign) == 1:
            # Two hinges at half the cost, so that rows and coefficients have equally many.
            self.sign, self.offset = np.repeat(self.sign, 2, 0), np.repeat(self.offset, 2, 0)
            self.cost = np.repeat(0.5 * self.cost, 2, 0)
        size = self.model.n_outputs * self.model.n_features
        sign, cost = np.array([[1.0], [-1.0]]), np.full((2, size), self.l1)
        if self.nonnegative:
            # A cost above every possible multiplier makes a constraint: an exact penalty.
            cost[1] += self._steepest_slope()
            if not self.l1:
                sign, cost[0] = -np.ones((2, 1)), cost[1]
        self.sign = np.hstack([self.sign, np.repeat(sign, size, axis=1)])
        self.offset = np.hstack([self.offset, np.zeros((2, size))])
        self.cost = np.hstack([self.cost, cost])

    def _steepest_slope(self) -> FloatArray:
        """Bound the derivative of the loss in every coefficient, by Cauchy and Schwarz."""
        rows = self.cost[:, : self.n_raw].sum(axis=0).reshape(-1, self.model.n_outputs)
        norms = [block.A.squared_row_norms() for block in self._row_sum.blocks]
        slopes = rows.T @ np.sqrt(np.concatenate(norms))
        scaled: FloatArray = slopes[:, None] * self.standardization.inverse_scale
        return scaled.ravel()

    def forward(self, w: FloatArray) -> FloatArray:
        """Compute the terms z, shape (n_terms,)."""
        raw = self.model.forward(w.astype(self.A.dtype, copy=False), self.A).ravel()
        return np.append(raw, self._coef(w).ravel()) if self.on_coef else raw.astype(np.float64)

    def backward(self, theta: FloatArray) -> FloatArray:
        """Multiply by the transpose of the linear map `forward`."""
        raw = theta[: self.n_raw].reshape(-1, self.model.n_outputs)
        gradient = self._sum(self._row_sum, self.model.backward, raw)
        if self.on_coef:
            coef = self.model.coef(gradient)
            coef += self.standardization.pull(theta[self.n_raw :].reshape(coef.shape))
        return gradient

    def hessian(self, weights: FloatArray) -> FloatArray:
        """Compute blocks of the Hessian of sum_j weights_j z_j^2 / 2 + mu |coef|^2 / 2."""
        raw = weights[: self.n_raw].reshape(-1, self.model.n_outputs)
        blocks = self._sum(self._tall, self.model.hessian, raw)
        p = self.model.n_features
        curvature = np.full((len(blocks), p), self.ridge, dtype=blocks.dtype)
        if self.on_coef:
            curvature += weights[self.n_raw :].reshape(curvature.shape)
        if self.standardization.rotation is None:
            scale, diagonals = self.standardization.scale, np.einsum("bii->bi", blocks)[:, :p]
            diagonals += curvature * scale * scale
            return blocks
        for block, row in zip(blocks, curvature, strict=True):
            inner = block[:p, :p]
            inner += self.standardization.pull_curvature(row)
        return blocks

    def _sum(
        self, rows: RowSum, kernel: Callable[[Any, FloatArray], FloatArray], terms: FloatArray
    ) -> FloatArray:
        """Add up over blocks of rows, which bring their part of ``terms`` along as targets."""
        terms = terms.astype(self.A.dtype, copy=False)
        total: FloatArray
        if len(rows.blocks) == 1:
            total = kernel(rows.data.A, terms)
        else:
            total = rows.with_targets(terms).reduce(lambda block: kernel(block.A, block.y))
        return total.astype(np.float64, copy=False)

    def ridge_gradient(self, w: FloatArray) -> FloatArray:
        """Compute the gradient of the quadratic part."""
        gradient = np.zeros_like(w)
        self.model.coef(gradient)[...] = self.standardization.pull(self.ridge * self._coef(w))
        return gradient

    def value(self, w: FloatArray, z: FloatArray) -> float:
        """Compute the objective."""
        losses = self.cost * np.maximum(self.sign * z - self.offset, 0.0)
        coef = self._coef(w)
        return float(losses.sum(dtype=np.float64)) + 0.5 * self.ridge * float(np.vdot(coef, coef))

    def with_zeros(self, w: FloatArray, kinked: FloatArray) -> FloatArray:
        """Set the coefficients to zero whose terms sit at the kink (a mask over the terms)."""
        w = w.copy()
        coef = self.model.coef(w)
        coef[kinked[self.n_raw :].reshape(coef.shape)] = 0.0
        if self.nonnegative:
            # The cost that makes the constraint dwarfs its multiplier: go by the size instead.
            smallest = float(np.sqrt(np.finfo(self.A.dtype).eps)) * coef.max(initial=0.0)
            coef[coef <= smallest] = 0.0
        return w

    def _coef(self, w: FloatArray) -> FloatArray:
        return self.standardization.coef_to_user(self.model.coef(w))


def _merged(slices: list[slice], row_length: int) -> list[slice]:
    """Merge blocks that are flatter than two squares: adding up their Gram matrices would cost."""
    merged, start = [], 0
    for rows in slices:
        if rows.stop - start >= 2 * row_length or rows is slices[-1]:
            merged.append(slice(start, rows.stop))
            start = rows.stop
    return merged
