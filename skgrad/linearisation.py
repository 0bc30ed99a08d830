"""The Hessian of an objective at a point, as an operator: products, and approximate inverses."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from skgrad._typing import FloatArray
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.losses import Loss
from skgrad.low_rank import LowRankInverse, Remainder
from skgrad.rows import Batch, RowSum
from skgrad.sweep import Sweep

# Most rank-one terms of the approximate inverse. Its factor takes some 5 ms and 8 MB; the more
# terms, the fewer products with the Hessian. On nearly separable digits (MNIST) 500, 1000 and 2000
# terms leave about as many as 9, 6 and 5 for each Newton step.
MOST_TERMS = 700
# With a larger share of the curvature left out, it does not pay.
MOST_LEFT = 0.9
# Memory that the approximate inverse may take: numbers, and relative to the data.
WORKSPACE, WORKSPACE_SHARE = 1 << 22, 0.1
# Least curvature of an intercept in the remainder, relative to its whole curvature: the Woodbury
# formula divides by it.
INTERCEPT_SHARE = 0.01
# Eigenvalues of the mean curvature that are rounding errors of zero, relative to the largest.
FLAT = 1e-6

Inverse = Callable[[FloatArray], FloatArray]


class Linearisation:
    """The Hessian of an objective's smooth part at one point.

    What the loss needs to know of the point is computed once, n_samples x n_outputs numbers: a
    product with the Hessian is then one pass, without any exponential.

    Parameters
    ----------
    sweep : Sweep
        Over the data.
    rows : RowSum
        The same data.
    loss : Loss
        Smooth.
    penalty : CoordinatePenalty or None
        None if it is not smooth.
    w : array of shape (n_params,)
        The point.
    density : float
        Fraction of the data's entries that are stored.
    count : callable
        Told the passes over the data.
    """

    def __init__(
        self, sweep: Sweep, rows: RowSum, loss: Loss, penalty: CoordinatePenalty, w: FloatArray,
        density: float, count: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.rows, self.loss, self.penalty, self.w = rows, loss, penalty, w
        self.density, self._count = density, count
        self.state = sweep.map(lambda block, raw: loss.curvature_state(block.y, raw), w)
        self._sweep = sweep.with_targets(self.state)
        # The penalty's Hessian, where it is diagonal.
        diagonal = penalty.penalty.smooth and penalty.standardization.rotation is None
        self._ridge = penalty.diagonal(w) if diagonal else None
        count(1.0)

    def hess_vec(self, v: FloatArray) -> FloatArray:
        """Compute the product of the Hessian with v."""
        self._count(1.0)
        product = self._sweep.pull(self._product, v)[1]
        if self._ridge is not None:
            self.penalty.model.coef(product)[...] += self._ridge * self.penalty.model.coef(v)
        elif self.penalty.penalty.smooth:
            self.penalty.add_product(self.w, v, product)
        return product.astype(v.dtype, copy=False)

    def _product(self, block: Batch, raw: FloatArray) -> tuple[float, FloatArray]:
        return 0.0, self.loss.curvature_product(block.y, raw)

    def mean_inverse(self) -> Inverse:
        r"""Invert :math:`\bar C \otimes I` plus the penalty's curvature, C the mean of the rows'.

        Standardised columns are taken for uncorrelated with each other and with the curvature. On
        text this is as good as the true diagonal, which would take another pass; and it knows how
        the classes interact.
        """
        values, vectors = np.linalg.eigh(self._total_curvature())
        curvature = np.zeros((len(values), self.penalty.model.row_length))
        curvature += values[:, None]
        # A direction without curvature (a shift common to all classes) has no gradient either.
        curvature[values <= FLAT * values[-1]] = values[-1] or 1.0
        if self.penalty.penalty.smooth:
            p = self.penalty.model.n_features
            curvature[:, :p] += self.penalty.diagonal(self.w).mean(axis=0)
        inverse, vectors = (1.0 / curvature).astype(self.w.dtype), vectors.astype(self.w.dtype)

        def solve(gradient: FloatArray) -> FloatArray:
            rotated = vectors.T @ gradient.reshape(inverse.shape)
            rotated *= inverse
            return (vectors @ rotated).ravel()

        return solve

    def low_rank_inverse(self) -> LowRankInverse | None:
        """Invert the heaviest rank-one terms of the loss plus the mean curvature of the others.

        For nearly separable classes few rows carry nearly all of the curvature, and Hessian and
        approximation hardly differ; with few rows, they are the same. None where it would not pay.
        """
        size = self._n_terms()
        if size == 0:
            return None
        strength = self.rows.data.weigh(self.loss.rank_one_terms(self.state))
        # Weighing by the rows' norms as well picks worse terms: a tenth more products on MNIST.
        picked = np.sort(np.argpartition(strength, -size, axis=None)[-size:])
        samples, terms = np.unravel_index(picked, strength.shape)
        directions = self.loss.rank_one_directions(self.state[samples], terms)
        directions *= np.sqrt(strength[samples, terms])[:, None]
        total = float(np.trace(self._total_curvature()))
        left = 1.0 - float(np.square(directions).sum(dtype=np.float64)) / total
        if left > MOST_LEFT:
            return None
        distinct, row = np.unique(samples, return_inverse=True)
        rows = self.rows.data.A.take(distinct).explicit().A
        return LowRankInverse(self._remainder(max(left, 0.0)), rows, row, directions)

    def _n_terms(self) -> int:
        """Bound the rank of the approximate inverse by the memory and the time that it takes."""
        model, n_samples = self.penalty.model, self.rows.n_samples
        budget = max(WORKSPACE, WORKSPACE_SHARE * n_samples * model.n_features)
        # As many rows, copied as an array, and three matrices of that order.
        m = model.row_length
        affordable = int((math.sqrt(m * m + 12.0 * budget) - m) / 6.0)
        size = min(MOST_TERMS, affordable, self.state.size)
        # The rows as an array must not take longer to multiply than the data do.
        return size if min(size, n_samples) <= self.density * n_samples else 0

    def _remainder(self, left: float) -> Remainder:
        """Curvature of the penalty, and of the loss's terms that are left out, a share of all.

        The terms left out have large eigenvalues, too, but few: typical ones are below the mean,
        the further the more of the curvature has been taken.
        """
        total = float(np.trace(self._total_curvature())) / self.penalty.model.n_outputs
        typical = left**2 * total
        curvature = self.penalty.mean_curvature(self.w).astype(np.float64)
        if curvature.ndim == 2:
            curvature.flat[:: len(curvature) + 1] += typical
        else:
            curvature += typical
            curvature[curvature == 0.0] = 1.0  # coefficients of pinned columns never move
        intercept = max(typical, INTERCEPT_SHARE * total)
        return Remainder(curvature, np.full(int(self.penalty.model.fit_intercept), intercept))

    def _total_curvature(self) -> FloatArray:
        data = self.rows.data
        weight = np.array([[data.share]]) if data.weight is None else data.weight
        return self.loss.total_curvature(self.state, weight.astype(self.state.dtype, copy=False))
