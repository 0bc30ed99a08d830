"""The dual of a smooth loss under an L2 penalty, for coordinate ascent on parts of the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.linalg import rmatmul, row_storage
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.moments import mean_squared_norm
from skgrad.penalties import Penalty
from skgrad.rows import Batch

# Rows that move at the same time, each half in a thread of its own. Fixed, so that results do not
# depend on the number of threads. Where rows pull harder than the penalty, halves that each
# multiply their changes by two get ahead no faster than all rows one after the other.
PARTS = 2
LARGEST_PULL = 1.0
# Squared size of the feature whose coefficient is the intercept, relative to the rows': with rows'
# own size it doubled their pull, and three epochs more were needed; a tenth of this does as well.
SMALL_FEATURE = 0.1
# Rows in an order of their own are worth it if they are less than this share.
WORTH_A_LIST = 0.8


@dataclass(slots=True)
class SmoothDualPoint:
    """Dual variables of one output, the coefficients and the intercept that belong to them.

    ``total`` is the weighted sum of the dual variables, which vanishes at the optimum of a model
    with intercept.
    """

    theta: FloatArray
    coef: FloatArray
    intercept: float
    total: float

    def copy(self) -> SmoothDualPoint:
        """Copy the arrays."""
        return replace(self, theta=self.theta.copy(), coef=self.coef.copy())


class SmoothDual:
    r"""The dual of one output's objective, with one variable for each row.

    .. math:: \max_\theta \; - \sum_i s_i \, loss_i^*(\theta_i)
              - \frac{1}{2 \mu} \Bigl| \sum_i s_i \theta_i x_i \Bigr|^2, \qquad
              coef = -\frac{1}{\mu} \sum_i s_i \theta_i x_i

    At the optimum :math:`\theta_i` is the loss's derivative in row i. All sums are in float64.

    An intercept is the coefficient of a constant feature, small for the rows' size, whose penalty
    is centred at the last intercept (the proximal point algorithm): it hardly slows the intercept
    down, as all rows pull at it.

    Parameters
    ----------
    data : Batch
        All rows.
    X : array or CSR matrix
        The user's data.
    output : int
        Which output.
    """

    def __init__(
        self, data: Batch, X: Matrix, model: LinearModel, loss: Loss, penalty: Penalty, output: int
    ) -> None:
        assert loss.formula is not None
        self._X, self._rows, self.n_samples = X, row_storage(X), X.shape[0]
        self.n_features, self.ridge = X.shape[1], penalty.strong_convexity
        self._loss = (int(loss.formula.formula), loss.formula.parameter)
        self._y = np.ascontiguousarray(data.y[:, output])
        self._weight, self._share = np.empty(0, dtype=X.dtype), data.share
        if data.weight is not None:
            column = min(output, data.weight.shape[1] - 1)
            self._weight = np.ascontiguousarray(data.weight[:, column])
        size = mean_squared_norm(X) or 1.0
        heaviest = float(self._weight.max()) if len(self._weight) else self._share
        small = loss.max_curvature * heaviest * size <= LARGEST_PULL * self.ridge
        self._parts = PARTS if small else 1
        self._stiffness = SMALL_FEATURE * size if model.fit_intercept else 0.0

    def start(self, intercept: float, theta: FloatArray | None = None) -> SmoothDualPoint:
        """Begin with these variables, by default zero."""
        if theta is None:
            theta = np.zeros(self.n_samples)
            return SmoothDualPoint(theta, np.zeros(self.n_features), intercept, 0.0)
        weighted = theta * (self._weight if len(self._weight) else self._share)
        pulled = rmatmul(self._X, weighted.astype(self._X.dtype)[:, None])[0]
        coef = pulled.astype(np.float64) / -self.ridge
        return SmoothDualPoint(theta, coef, intercept, float(weighted.sum()))

    @property
    def all_rows(self) -> IntArray:
        """An empty list, which stands for all rows in their own order."""
        return np.empty(0, dtype=np.int64)

    def is_restful(self, point: SmoothDualPoint) -> bool:
        """Tell whether the variables of so many rows are zero that the others are worth a list."""
        return 0 < np.count_nonzero(point.theta) <= WORTH_A_LIST * self.n_samples

    def moving_rows(self, point: SmoothDualPoint, slopes: FloatArray) -> IntArray:
        """List the rows that are not at rest: whose variable, or derivative of the loss, is not 0.

        Those beyond the margin of a squared hinge are, and most of them stay there.
        """
        rows = np.flatnonzero((point.theta != 0.0) | (slopes != 0.0))
        return rows if len(rows) <= WORTH_A_LIST * self.n_samples else self.all_rows

    def curved_share(self, point: SmoothDualPoint) -> float:
        """Compute the weight of the rows whose variables are not zero; at least that of one row."""
        moving = point.theta != 0.0
        if len(self._weight):
            return max(float(self._weight @ moving), self._share)
        return self._share * max(int(np.count_nonzero(moving)), 1)

    def ascend(
        self, point: SmoothDualPoint, rows: IntArray, rng: np.random.Generator,
        learning_rate: float = 1.0,
    ) -> float:  # fmt: skip
        r"""Improve rows' variables once, in place; return about twice what that adds to the dual.

        Rows come in the order :math:`i_t = i_0 + t k \mod n` with random :math:`i_0` and k, new in
        each epoch: as good as a random permutation, which takes as long as half the epoch, whereas
        one that stays the same, or neighbouring rows one after the other, slow convergence down
        tenfold. Each part walks over its share of that sequence and sees no change that others
        make. So it multiplies its own by their number, which keeps their sum safe.

        References
        ----------
        C. Ma, V. Smith, M. Jaggi, M. Jordan, P. Richtárik and M. Takáč (2015). Adding vs. averaging
        in distributed primal-dual optimization. ICML 2015, lemma 3 and algorithm 1.
        """
        from skgrad._kernels.smooth_dual import ascend

        n = len(rows) or self.n_samples
        first, stride = int(rng.integers(n)), coprime(n, rng)
        ends = [n * part // self._parts for part in range(self._parts + 1)]
        stretch = self._parts / self.ridge
        point.intercept -= self._stiffness / self.ridge * point.total

        def walk(part: int) -> tuple[float, float, FloatArray]:
            coef = point.coef.copy()
            begin = (first + ends[part] * stride) % n
            total, ascent = ascend(
                *self._rows, rows, begin, stride, ends[part + 1] - ends[part], *self._loss,
                self._y, self._weight, self._share, stretch, self._stiffness, learning_rate,
                point.theta, coef, point.intercept,
            )  # fmt: skip
            coef -= point.coef
            return total, ascent, coef

        parts = list(map_in_order(walk, range(self._parts)))
        total = sum(part[0] for part in parts)
        point.total += total
        point.intercept -= self._stiffness / self.ridge * total
        for _, _, change in parts:
            change /= self._parts
            point.coef += change
        # And what the intercept is about to add, with which all variables may be at rest.
        return sum(part[1] for part in parts) + self._stiffness / self.ridge * point.total**2


def coprime(n: int, rng: np.random.Generator) -> int:
    """Draw a number below n without a common divisor with it, so that multiples meet all rows."""
    while True:
        stride = int(rng.integers(1, max(n, 2)))
        if math.gcd(stride, n) == 1:
            return stride


def has_smooth_dual(loss: Loss, penalty: Penalty) -> bool:
    """Tell whether a loss is smooth and known to compiled loops, under an L2 penalty."""
    known = loss.smooth and loss.formula is not None and not loss.coupled
    quadratic = penalty.smooth and penalty.l1_strength == 0.0 and penalty.strong_convexity > 0.0
    return known and math.isfinite(loss.max_curvature) and quadratic


def smooth_primal(
    points: Sequence[SmoothDualPoint], model: LinearModel, scaling: Standardization
) -> FloatArray:
    """Compute a solver's parameters from the dual points of all outputs, in float64."""
    coef = np.stack([point.coef for point in points])
    intercept = np.array([point.intercept for point in points])
    return scaling.from_user(model.rows(model.pack(coef, intercept))).ravel()
