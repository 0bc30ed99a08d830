"""An estimator's data and parameters, translated into the terms of an objective."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skgrad._threads import single_threaded_blas
from skgrad._typing import Array, FloatArray, Matrix
from skgrad.linalg import is_small, take_rows
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.objective import Objective
from skgrad.penalties import L1, L2, ElasticNet, NonNegative, NoPenalty, Penalty
from skgrad.row_space import RowSpace


@dataclass(frozen=True, slots=True)
class Problem:
    """Validated data in the loss's coding, and the penalty that belongs to them.

    ``sample_weight`` has shape (n_samples, 1) or (n_samples, n_outputs). ``total_weight`` is S of
    the objective where the penalty depends on it (C S), so that it stays when rows are held out;
    None for the plain sum of the weights. ``row_space`` leads from a compressed X to the user's.
    """

    loss: Loss
    penalty: Penalty
    X: Matrix
    y: Array
    sample_weight: FloatArray | None
    n_outputs: int
    total_weight: float | None = None
    row_space: RowSpace | None = None

    def rows(self, rows: Array) -> Problem:
        """Restrict to some rows."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return replace(self, X=take_rows(self.X, rows), y=self.y[rows], sample_weight=weight)

    def compressed(self, *, fit_intercept: bool) -> Problem:
        """Write small data with more columns than rows in a basis of their rows, if that is exact.

        Newton's matrices are then of order n_samples, so that wide data take its few iterations
        (100 x 500, squared hinge: 27 -> 1 milliseconds).
        """
        n_samples, n_features = self.X.shape
        quadratic = self.penalty.smooth and self.penalty.l1_strength == 0.0
        if not quadratic or n_features <= n_samples or not is_small(self.X):
            return self
        ridge = n_samples * self.penalty.strong_convexity
        with single_threaded_blas(self.X):
            row_space = RowSpace(self.X, centered=fit_intercept, ridge=ridge)
        return replace(self, X=row_space.rows, row_space=row_space)

    def objective(
        self, *, fit_intercept: bool, standardization: Standardization | None = None
    ) -> Objective:
        """Build the function that a solver minimises."""
        model = LinearModel(self.X.shape[1], self.n_outputs, fit_intercept)
        return Objective(
            model, self.loss, self.penalty, self.X, self.y, self.sample_weight,
            total_weight=self.total_weight, standardization=standardization,
            row_space=self.row_space,
        )  # fmt: skip

    def validation_objective(self, training: Objective) -> Objective:
        """Build the unpenalised loss on these rows, in the training objective's coordinates."""
        X = self.X if training.row_space is None else training.row_space.project(self.X)
        return Objective(
            training.model, self.loss, NoPenalty(), X, self.y, self.sample_weight,
            standardization=training.standardization,
        )  # fmt: skip


def elastic_net(alpha: float, l1_ratio: float, *, positive: bool = False) -> Penalty:
    """Build the simplest penalty worth alpha (l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2)."""
    penalty: Penalty
    if alpha == 0:
        penalty = NoPenalty()
    elif l1_ratio == 0:
        penalty = L2(alpha)
    elif l1_ratio == 1:
        penalty = L1(alpha)
    else:
        penalty = ElasticNet(alpha, l1_ratio)
    return NonNegative(penalty) if positive else penalty


def positive_rows(sample_weight: FloatArray, estimator: str) -> Array | None:
    """Find the rows that count: a weight of zero is a row that is not there. None if all do."""
    if not sample_weight.any():
        raise ValueError(
            f"{estimator} got sample_weight that is zero for every row; at least one weight "
            "must be positive."
        )
    return None if sample_weight.all() else np.flatnonzero(sample_weight)


def as_column(weight: FloatArray | None, dtype: Any) -> FloatArray | None:
    """Shape row weights as the objective wants them."""
    return None if weight is None else weight.astype(dtype, copy=False).reshape(len(weight), -1)
