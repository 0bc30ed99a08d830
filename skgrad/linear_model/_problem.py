"""An estimator's data and parameters, translated into the terms of an objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from skgrad._threads import single_threaded_blas
from skgrad._typing import Array, FloatArray, Matrix
from skgrad.coordinates import Batching
from skgrad.linalg import is_small, take_rows
from skgrad.linear_model._separation import Separation
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization
from skgrad.objective import Objective
from skgrad.penalties import NoPenalty, Penalty
from skgrad.row_space import RowSpace
from skgrad.second_moments import SecondMoments
from skgrad.solvers import Result
from skgrad.solvers._base import Callback

Run: TypeAlias = Callable[..., Result]  # a solver's run with its settings
Estimate: TypeAlias = Callable[["Problem", Run, Objective, FloatArray], tuple[Objective, Result]]

# Wide arrays of so few rows, and of this many bytes at most, are written in a basis of their rows.
MOST_ROWS, LARGEST_COPY = 1500, 64 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Validated data in the loss's coding, and the penalty that belongs to them.

    ``sample_weight`` has shape (n_samples, 1) or (n_samples, n_outputs). ``total_weight`` is S of
    the objective where the penalty depends on it (C S), so that it stays when rows are held out;
    None for the plain sum of the weights. ``estimate`` minimises over more than the coefficients,
    such as a scale, in place of one run of the solver. ``separation`` is what to watch for where
    the optimum may be at infinity. ``row_space`` leads from a compressed X to the user's.
    ``moments`` are those of X and y.
    """

    loss: Loss
    penalty: Penalty
    X: Matrix
    y: Array
    sample_weight: FloatArray | None
    n_outputs: int
    total_weight: float | None = None
    estimate: Estimate | None = None
    separation: Separation | None = None
    row_space: RowSpace | None = None
    moments: SecondMoments | None = None

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
        if not quadratic or n_features <= n_samples or not _may_be_compressed(self.X):
            return self
        ridge = n_samples * self.penalty.strong_convexity
        with single_threaded_blas(self.X):
            row_space = RowSpace(self.X, centered=fit_intercept, ridge=ridge)
        return replace(self, X=row_space.rows, row_space=row_space)

    def multiplied(self, *, fit_intercept: bool) -> Problem:
        """Compute the second moments of large data, where they determine the answer."""
        if not self.loss.quadratic or self.penalty.l1_strength != 0.0 or not self.penalty.smooth:
            return self
        moments = SecondMoments.of(
            self.X, self.y, self.sample_weight,
            centered=fit_intercept, ridge=self.penalty.strong_convexity,
        )  # fmt: skip
        return replace(self, moments=moments)

    def objective(
        self, *, fit_intercept: bool, standardization: Standardization | None = None,
        batching: Batching | None = None,
    ) -> Objective:  # fmt: skip
        """Build the function that a solver minimises."""
        model = LinearModel(self.X.shape[1], self.n_outputs, fit_intercept)
        return Objective(
            model, self.loss, self.penalty, self.X, self.y, self.sample_weight,
            total_weight=self.total_weight, standardization=standardization,
            batching=batching, row_space=self.row_space, moments=self.moments,
        )  # fmt: skip

    def stop_rules(self) -> list[Callback]:
        """Build the callbacks that end a run without optimum."""
        if self.separation is None:
            return []
        total = len(self.y) if self.total_weight is None else self.total_weight
        return [self.separation.stop(self.loss, self.sample_weight, total)]

    def notice(self, objective: Objective, w: FloatArray) -> str | None:
        """Say that the optimum is at infinity, if that is certain."""
        if self.separation is None:
            return None
        return self.separation.notice(self.X, self.y, self.sample_weight, objective, w)

    def minimise(
        self, run: Run, objective: Objective, start: FloatArray
    ) -> tuple[Objective, Result]:
        """Run a solver; return its result, and the objective that it refers to."""
        if self.estimate is None:
            return objective, run(objective, start)
        return self.estimate(self, run, objective, start)

    def validation_objective(self, training: Objective) -> Objective:
        """Build the unpenalised loss on these rows, in the training objective's coordinates."""
        X = self.X if training.row_space is None else training.row_space.project(self.X)
        return Objective(
            training.model, self.loss, NoPenalty(), X, self.y, self.sample_weight,
            standardization=training.standardization,
        )  # fmt: skip


def _may_be_compressed(X: Matrix) -> bool:
    """Tell whether a centred copy of X, and a square matrix of its rows, are affordable."""
    if is_small(X):
        return True
    moderate = isinstance(X, np.ndarray) and len(X) <= MOST_ROWS and X.nbytes <= LARGEST_COPY
    # Large data have not been looked through for NaN; moments of the columns are to find it.
    return moderate and bool(np.isfinite(X.sum()))


def check_magnitude(y: FloatArray) -> None:
    """Raise if squares of the targets, or of predictions not much larger, would overflow."""
    largest, limit = float(np.abs(y).max()), 1e-3 * float(np.sqrt(np.finfo(y.dtype).max))
    if largest > limit:
        raise ValueError(
            f"y holds values up to {largest:.3g}, whose squares overflow in {y.dtype}. Rescale it."
        )


def as_column(weight: FloatArray | None, dtype: Any) -> FloatArray | None:
    """Shape row weights as the objective wants them."""
    return None if weight is None else weight.astype(dtype, copy=False).reshape(len(weight), -1)
