"""The Hessian of an objective at a point, as an operator: products, and approximate inverses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.losses import Loss
from skgrad.low_rank import LowRankInverse, Remainder
from skgrad.rows import Batch, RowSum
from skgrad.sweep import Sweep

# Most rank-one terms of the approximate inverse. Its factor takes some 5 ms and 8 MB; the more
# terms, the fewer products with the Hessian. On nearly separable digits (MNIST) 500, 1000 and 2000
# terms leave about as many as 9, 6 and 5 for each Newton step.
MOST_TERMS = 500
# Memory that the approximate inverse may take: numbers, and relative to the data.
WORKSPACE, WORKSPACE_SHARE = 1 << 22, 0.1
# Least curvature of an intercept in the remainder, relative to its whole curvature: the Woodbury
# formula divides by it.
INTERCEPT_SHARE = 0.01

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
    count : callable
        Told the passes over the data.
    """

    def __init__(
        self, sweep: Sweep, rows: RowSum, loss: Loss, penalty: CoordinatePenalty, w: FloatArray,
        count: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.rows, self.loss, self.penalty, self.w, self._count = rows, loss, penalty, w, count
        self.state = sweep.map(lambda block, raw: loss.curvature_state(block.y, raw), w)
        self._sweep = sweep.with_targets(self.state)
        count(1.0)

    def hess_vec(self, v: FloatArray) -> FloatArray:
        """Compute the product of the Hessian with v."""
        self._count(1.0)
        product = self._sweep.pull(self._product, v)[1]
        if self.penalty.penalty.smooth:
            self.penalty.add_product(self.w, v, product)
        return product.astype(v.dtype, copy=False)

    def _product(self, block: Batch, raw: FloatArray) -> tuple[float, FloatArray]:
        return 0.0, block.weigh(self.loss.curvature_product(block.y, raw))

    def diagonal_inverse(self) -> Inverse:
        """Invert a diagonal approximation: standardised columns share each output's mean curvature.

        As good as the true diagonal (on text with 45 classes as many products, within a tenth),
        which would take another pass.
        """
        model = self.penalty.model
        diagonal = np.repeat(self._mean_curvature(), model.row_length).astype(self.w.dtype)
        if self.penalty.penalty.smooth:
            model.coef(diagonal)[...] += self.penalty.diagonal(self.w)
        # Outputs without any curvature have no gradient either.
        diagonal[diagonal == 0.0] = 1.0
        return lambda gradient: gradient / diagonal

    def most_terms(self) -> int:
        """Bound the rank for `low_rank_inverse` by the memory that it takes."""
        m, n_samples = self.penalty.model.row_length, self.rows.n_samples
        budget = max(WORKSPACE, WORKSPACE_SHARE * n_samples * self.penalty.model.n_features)
        # The rows, and three matrices of that order.
        return min(MOST_TERMS, int((np.sqrt(m * m + 12 * budget) - m) / 6))

    def low_rank_inverse(self) -> LowRankInverse:
        """Invert the heaviest rank-one terms of the loss plus the mean curvature of the others.

        For nearly separable classes few rows carry nearly all of the curvature, and Hessian and
        approximation hardly differ; with few rows, they are the same.
        """
        strength = self.rows.data.weigh(self.loss.rank_one_terms(self.state))
        size = min(self.most_terms(), strength.size)
        # Weighing by the rows' norms as well picks worse terms: a tenth more products on MNIST.
        picked = np.sort(np.argpartition(strength, -size, axis=None)[-size:])
        samples, terms = np.unravel_index(picked, strength.shape)
        directions = self.loss.rank_one_directions(self.state[samples], terms)
        directions *= np.sqrt(strength[samples, terms])[:, None]
        distinct, row = np.unique(samples, return_inverse=True)
        rows = self.rows.data.A.to_array(distinct)
        return LowRankInverse(self._remainder(directions), rows, row, directions)

    def _remainder(self, directions: FloatArray) -> Remainder:
        """Curvature of the terms that are left out, averaged over outputs, and of the penalty.

        The terms left out have large eigenvalues, too, but few: typical ones are below the mean,
        the further the more of the curvature has been taken.
        """
        total = float(self._mean_curvature().mean())
        taken = float(np.square(directions).sum(dtype=np.float64)) / directions.shape[1]
        share = max(1.0 - taken / total, 0.0) if total > 0.0 else 0.0
        typical = share**2 * total
        curvature = self.penalty.mean_curvature(self.w).astype(np.float64)
        if curvature.ndim == 2:
            curvature.flat[:: len(curvature) + 1] += typical
        else:
            curvature += typical
            curvature[curvature == 0.0] = 1.0  # coefficients of pinned columns never move
        intercept = max(typical, INTERCEPT_SHARE * total)
        return Remainder(curvature, np.full(int(self.penalty.model.fit_intercept), intercept))

    def _mean_curvature(self) -> FloatArray:
        """Each output's curvature, summed over rows with their weights; in float64."""
        data = self.rows.data
        diagonal = self.loss.curvature_diagonal(self.state)
        if data.weight is None:
            return data.share * np.add.reduce(diagonal, axis=0, dtype=np.float64)
        return np.add.reduce(diagonal * data.weight, axis=0, dtype=np.float64)
