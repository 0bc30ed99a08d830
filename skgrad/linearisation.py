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
        inverse = 1.0 / diagonal
        return lambda gradient: gradient * inverse

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
        total = float(self._mean_curvature().sum())
        left = 1.0 - float(np.square(directions).sum(dtype=np.float64)) / total
        if left > MOST_LEFT:
            return None
        distinct, row = np.unique(samples, return_inverse=True)
        rows = self.rows.data.A.to_array(distinct)
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
        total = float(self._mean_curvature().mean())
        typical = left**2 * total
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
