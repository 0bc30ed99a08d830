"""The parts of an objective, and the coordinates that solvers walk in."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from skgrad._threads import single_threaded_blas
from skgrad._typing import Array, FloatArray, Matrix
from skgrad.capabilities import Capability, Smoothness, lack, offered
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.coordinates import (
    LARGEST_ROTATION,
    ROTATED_COLUMNS,
    Batching,
    decorrelate,
    largest_eigenvalue,
    largest_row,
    scale_nonzeros,
    shortest,
    standardize,
    suited,
    typical_curvature,
    uniform,
)
from skgrad.feasible import FeasibleSet
from skgrad.finite_sum import FiniteSum
from skgrad.linalg import density, is_small
from skgrad.losses import Loss
from skgrad.models import LinearModel, Standardization, StandardizedMatrix
from skgrad.moments import mean_squared_norm
from skgrad.penalties import Penalty
from skgrad.residuals import Residuals
from skgrad.row_duals import RowDual, row_dual
from skgrad.row_space import RowSpace
from skgrad.rows import Batch, RowSum
from skgrad.second_moments import SecondMoments
from skgrad.single_rows import finite_sum, walks_rows
from skgrad.sweep import Sweep

# At the optimum the loss's curvature is about this fraction of its bound: what the penalty's
# curvature is compared with.
CURVATURE_AT_OPTIMUM = 0.05
# Multiplications that take some 5 microseconds.
CHEAP_PRODUCT = 1 << 16
# The rows of a sample are a copy: at most this share of large data.
LARGEST_SHARE = 1 / 15


class Frame:
    r"""The parts of an objective, in the coordinates that solvers walk in.

    A solver's parameters ``w`` live in the coordinates of ``standardization``; `to_user` maps them
    to the user's. What a block of rows contributes is summed by `skgrad.rows` and `skgrad.sweep`.

    Parameters
    ----------
    model : LinearModel
        Layout of parameters and map to raw predictions.
    loss : Loss
        Per-row loss.
    penalty : Penalty
        Penalty of the coefficients. Intercepts are never penalised.
    X : array or CSR matrix of shape (n_samples, n_features)
        Data, float32 or float64.
    y : array
        Targets as the loss expects them, n_samples rows.
    sample_weight : array of shape (n_samples, 1) or (n_samples, n_outputs), optional
        Weights, not negative; all one by default.
    total_weight : float, optional
        S; by default the sum of `sample_weight`, or n_samples. (With rows held out of a problem
        that sums instead of averaging, S is still that of all rows.)
    standardization : Standardization, optional
        Coordinates; by default columns are centred and scaled to unit curvature.
    batching : Batching, optional
        Batches that a solver is going to make: where `for_batches` would change to other
        coordinates right away, those are the default.
    row_space : RowSpace, optional
        Where X came from, if it stands for a wider matrix; `to_user` then leads back to that.
    moments : SecondMoments, optional
        Second moments of X and y, for least squares; they give the standardisation, too.
    """

    convex: ClassVar[bool] = True

    def __init__(
        self,
        model: LinearModel,
        loss: Loss,
        penalty: Penalty,
        X: Matrix,
        y: Array,
        sample_weight: FloatArray | None = None,
        *,
        total_weight: float | None = None,
        standardization: Standardization | None = None,
        batching: Batching | None = None,
        row_space: RowSpace | None = None,
        moments: SecondMoments | None = None,
    ) -> None:
        self.model, self.loss, self.penalty, self.row_space = model, loss, penalty, row_space
        self.n_samples, self.n_outputs = X.shape[0], model.n_outputs
        self.n_params, self.dtype, self.density = model.n_params, X.dtype, density(X)
        self.passes = 0.0
        self.X = X
        weight = None
        if total_weight is not None:
            total = total_weight
        else:
            total = float(self.n_samples if sample_weight is None else sample_weight.sum())
        self._share = 1.0 / total
        if sample_weight is not None:
            weight = (sample_weight / total).astype(X.dtype, copy=False)
        self._loss_curvature = typical_curvature(loss, y, weight, model.n_outputs)
        self.offers = offered(loss, penalty, X, y)
        if standardization is None and batching is not None and self._stays_sparse(batching):
            standardization = uniform(X)
        if standardization is None:
            ridge = penalty.strong_convexity if penalty.smooth else 0.0
            ridge /= self._loss_curvature
            if moments is not None:
                standardization = moments.standardization(ridge, X.dtype)
            else:
                standardization = standardize(X, weight, centered=model.fit_intercept, ridge=ridge)
            standardization = suited(standardization, penalty)
        self._moments = moments
        self._move(standardization, y, weight)

    def _move(self, standardization: Standardization, y: Array, weight: FloatArray | None) -> None:
        """Adopt coordinates."""
        self.standardization = standardization
        self._penalty = CoordinatePenalty(self.penalty, self.model, standardization)
        A = StandardizedMatrix.build(self.X, standardization, intercept=self.model.fit_intercept)
        self._rows = RowSum.of(self.X, Batch(A, y, weight, self._share))
        self._sweep = Sweep.over(self.X, self._rows, self.model, standardization)
        self._residuals = Residuals.of(
            self.X, self._rows.data, self.model, self.loss, standardization
        )

    # -- facts that solvers ask for ------------------------------------------------------------

    def lacks(self, capability: Capability) -> str:
        """Say in a clause why a capability is not offered."""
        return lack(capability, self.loss, self.penalty, self.X)

    @property
    def flat_directions(self) -> bool:
        """Whether the minimiser may be a whole subspace: least squares with dependent columns."""
        unpenalised = self.penalty.smooth and self.penalty.strong_convexity == 0.0
        return self.loss.quadratic and unpenalised

    @property
    def constant_curvature(self) -> bool:
        """Whether the Hessian of the smooth part is constant."""
        return self.loss.quadratic

    @property
    def knows_hessian(self) -> bool:
        """Whether `rough_expansion` has something to tell."""
        return self._moments is not None

    @property
    def continuous_curvature(self) -> bool:
        """Whether the Hessian at a point near the optimum resembles the one at the optimum."""
        return self.loss.continuous_curvature

    @property
    def has_margin(self) -> bool:
        """Whether rows beyond a margin have no loss, and no share in the coefficients."""
        return self.loss.target == "sign"

    @property
    def block_size(self) -> int:
        """Order of the largest diagonal block of the Hessian."""
        return self.n_params if self.loss.coupled else self.model.row_length

    @property
    def row_length(self) -> int:
        """Number of parameters of one output."""
        return self.model.row_length

    @property
    def coupled(self) -> bool:
        """Whether the outputs of a row interact, so that the Hessian is one block."""
        return self.loss.coupled

    @property
    def largest_sample(self) -> int:
        """Number of rows that `subsample` may copy: all of small data, few of large ones."""
        return self.n_samples if is_small(self.X) else int(LARGEST_SHARE * self.n_samples)

    @property
    def coordinate_curvature(self) -> float:
        """Typical curvature along a coordinate: all standardised columns have the loss's."""
        return self._loss_curvature

    def random_start(self, w: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
        """Draw a start around w; all standardised columns call for coefficients of one size."""
        drawn = w + spread * rng.standard_normal(len(w))
        return drawn.astype(self.dtype, copy=False)

    @property
    def cheap_products(self) -> bool:
        """Whether products with the data cost less than the interpreter's overhead."""
        return self.n_samples * self.n_params <= CHEAP_PRODUCT

    def smoothness(self, w: FloatArray | None = None) -> Smoothness:
        """Bound the curvature of the whole objective and of single rows, for automatic steps.

        The bounds hold everywhere: a network's objective measures at w, here it does not matter.
        """
        eigenvalue = largest_eigenvalue(self._rows.data, self.model.row_length)
        mean = self._loss_curvature * eigenvalue + self._penalty_curvature()
        return Smoothness(mean, max(mean, self.row_smoothness()))

    def row_smoothness(self, w: FloatArray | None = None) -> float:
        """Bound the curvature of single rows; no less than that of the whole objective."""
        rotated = self.standardization.rotation is not None
        largest = self.n_samples * largest_row(self._rows.data, rotated=rotated)
        return self._loss_curvature * largest + self._penalty_curvature()

    def _penalty_curvature(self) -> float:
        if not self.penalty.smooth:
            return 0.0
        strongest = float(np.max(self.penalty.output_convexity))
        return strongest * self.standardization.largest_gain() ** 2

    def penalty_convexity(self) -> float:
        """Compute the least curvature that the penalty gives a coefficient in these coordinates."""
        return self.penalty.strong_convexity * self.standardization.smallest_gain() ** 2

    def row_pull(self) -> float:
        """Bound the curvature that a row of mean size adds, relative to that of an L2 penalty."""
        weight = self._rows.data.weight
        largest = self._share if weight is None else float(weight.max())
        curvature = self._loss_curvature * largest * mean_squared_norm(self.X)
        return curvature / self.penalty.strong_convexity

    @property
    def feasible(self) -> FeasibleSet:
        """The set that a constraint leaves, and what F is worth on it besides the loss."""
        return FeasibleSet(
            self._rows, self.model, self.loss, self._penalty, self._loss_curvature,
            self._count_passes,
        )  # fmt: skip

    def _count_passes(self, passes: float) -> None:
        self.passes += passes

    def _variant(self) -> Self:
        """Copy what is to get other rows, columns, coordinates or another loss."""
        variant = copy(self)
        variant._moments, variant._residuals = None, None
        return variant

    # -- coordinates ------------------------------------------------------------------------------

    def start(self) -> FloatArray:
        """Best constant prediction, or nearly, with coefficients of zero or nearest to zero."""
        w = np.zeros(self.n_params, dtype=self.dtype)
        if self.model.fit_intercept:
            data = self._rows.data
            best = self.loss.constant(data.y, data.row_weights(), n_outputs=self.n_outputs)
            self.model.rows(w)[:, self.model.n_features] = best
        return w if self.penalty.region is None else self._penalty.prox(w, 1.0)

    @property
    def user_model(self) -> LinearModel:
        """Layout of the user's parameters."""
        if self.row_space is None:
            return self.model
        return replace(self.model, n_features=self.row_space.n_features)

    def to_user(self, w: FloatArray) -> FloatArray:
        """Map parameters from standardised coordinates to the user's."""
        rows = self.standardization.to_user(self.model.rows(w))
        return (rows if self.row_space is None else self.row_space.to_user(rows)).ravel()

    def from_user(self, w: FloatArray) -> FloatArray:
        """Map the user's parameters to standardised coordinates."""
        rows = self.user_model.rows(w)
        rows = rows if self.row_space is None else self.row_space.from_user(rows)
        return self.standardization.from_user(rows).ravel()

    def decorrelated(self) -> Self:
        """Change to coordinates in which the curvature is about the same in all directions.

        For methods that see gradients only: collinear columns become harmless. Needs a smooth
        penalty (proximal operators are separable in the user's coordinates only) and dense data
        with few columns; returns itself otherwise.
        """
        suitable = self.penalty.smooth and self.density == 1.0
        if not suitable or not 1 < self.model.n_features <= LARGEST_ROTATION:
            return self
        data = self._rows.data
        ridge = self.penalty.strong_convexity / (CURVATURE_AT_OPTIMUM * self._loss_curvature)
        with single_threaded_blas(self.X):
            return self._moved(decorrelate(data, self.standardization, ridge=ridge))

    def _moved(self, standardization: Standardization) -> Self:
        data, moved = self._rows.data, self._variant()
        moved._move(standardization, data.y, data.weight)
        return moved

    def for_batches(self, batching: Batching) -> Self:
        """Change to the coordinates in which updates by batches are cheap and good.

        Those of dense data are decorrelated if batches are large enough to pay for the rotations.
        Sparse rows stay sparse for plain gradient descent, whose updates then touch non-zeros only;
        other updates cost as much as there are columns, centred or not.
        """
        if self.density == 1.0 and batching.size * ROTATED_COLUMNS >= self.model.n_features:
            return self.decorrelated()
        if not self._stays_sparse(batching) or self.standardization.is_uniform:
            return self
        scaling = uniform(self.X)
        return self if scaling is None else self._moved(scaling)

    def for_rows(self) -> Self:
        """Change to the coordinates in which walks over single rows are cheap and good.

        Large sparse data are scaled only, so that rows keep their zeros; small data, whose rows are
        taken in blocks, are decorrelated.
        """
        if not walks_rows(self.X, self.loss, self.penalty):
            return self.decorrelated()
        if isinstance(self.X, np.ndarray) or self.standardization.is_uniform:
            return self
        scaling = uniform(self.X)
        scaling = scale_nonzeros(self.X) if scaling is None else scaling
        return self._moved(suited(scaling, self.penalty))

    def _stays_sparse(self, batching: Batching) -> bool:
        known = batching.plain and Capability.ROW_EPOCHS in self.offers
        return known and batching.size * self.density < 1

    def shortest(self, w: FloatArray) -> FloatArray:
        """Take the user's smallest coefficients (in norm) that predict the same as w.

        For unpenalised problems whose columns are linearly dependent: the one minimiser that does
        not depend on the solver, nor on the scale of its coordinates.
        """
        return shortest(self._rows.data, self.standardization, self.model.rows(w)).ravel()

    def without_shift(self, direction: FloatArray) -> FloatArray:
        """Leave out what moves the intercepts of a softmax together, which changes nothing.

        In single precision a direction that the Hessian does not see may grow out of rounding.
        """
        if not self.loss.coupled or not self.model.fit_intercept:
            return direction
        direction = direction.copy()
        intercepts = self.model.rows(direction)[:, self.model.n_features]
        intercepts -= intercepts.mean()
        return direction

    # -- the same function in other forms ---------------------------------------------------------

    def finite_sum(self) -> FiniteSum:
        """Write the loss as a sum over rows, or small blocks of them (variance reduction)."""
        curvatures = self._loss_curvature, self._penalty_curvature()
        return finite_sum(self.X, self._rows.data, self.loss, self._penalty, *curvatures)

    def row_dual(self) -> RowDual:
        """Write the dual with a variable for each row (an L2 or elastic-net penalty)."""
        parts = self.model, self.loss, self.penalty, self.standardization
        return row_dual(self.X, self._rows.data, *parts)
