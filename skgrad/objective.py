"""The function that solvers minimise: a weighted sum of losses over rows, plus a penalty."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from skgrad import gaps
from skgrad._kernels.formulas import CompiledUpdate
from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.certificates import certified_gap
from skgrad.columns import Columns
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.coordinates import (
    LARGEST_ROTATION,
    ROTATED_COLUMNS,
    decorrelate,
    largest_eigenvalue,
    shortest,
    standardize,
    typical_curvature,
    uniform,
)
from skgrad.hinges import HingeForm
from skgrad.linalg import density, is_small
from skgrad.linearisation import Linearisation
from skgrad.losses import Loss, MoreauEnvelope
from skgrad.models import LinearModel, Standardization, StandardizedMatrix
from skgrad.penalties import Penalty
from skgrad.row_epochs import Plan, Walk, compiled_epoch
from skgrad.row_space import RowSpace
from skgrad.rows import Batch, RowSum
from skgrad.sampling import important_rows
from skgrad.sweep import BlockSweep, Sweep, pull_back

# At the optimum the loss's curvature is about this fraction of its bound: what the penalty's
# curvature is compared with.
CURVATURE_AT_OPTIMUM = 0.05
# The rows of a sample are a copy: at most this share of large data.
LARGEST_SHARE = 1 / 15


class Capability(Enum):
    """What a solver may need of an objective; the value completes "the solver needs ..."."""

    SMOOTH_LOSS = "a smooth loss"
    SMOOTH_PENALTY = "a smooth penalty"
    LOSS_PROX = "a loss with a proximal operator"
    HINGES = "a piecewise linear loss with an L1, L2, elastic-net, sign or no penalty"
    ROW_EPOCHS = "a loss with a compiled formula and an L1, L2, elastic-net, sign or no penalty"


class Smoothness(NamedTuple):
    """Curvature bounds: ``mean`` of the whole objective, ``row`` of any single row's term."""

    mean: float
    row: float


class Objective:
    r"""Penalised empirical risk in standardised coordinates.

    .. math:: F(w) = \frac{1}{S} \sum_i s_i \, loss(y_i, raw_i(w)) + penalty(coef(w)),
              \qquad S = \sum_i s_i

    A solver's parameters ``w`` live in the coordinates of ``standardization``; `to_user` maps them
    to the user's. Values and minimisers are those of the user's objective.

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
    row_space : RowSpace, optional
        Where X came from, if it stands for a wider matrix; `to_user` then leads back to that.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import SquaredError
    >>> from skgrad.models import LinearModel
    >>> from skgrad.objective import Objective
    >>> from skgrad.penalties import NoPenalty
    >>> X, y = np.array([[1.0], [3.0]]), np.array([[2.0], [4.0]])
    >>> objective = Objective(LinearModel(1, 1, True), SquaredError(), NoPenalty(), X, y)
    >>> objective.value(np.array([0.0, 3.0]))  # slope 0, prediction at the mean 3
    0.5
    """

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
        row_space: RowSpace | None = None,
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
        if standardization is None:
            ridge = penalty.strong_convexity if penalty.smooth else 0.0
            standardization = standardize(
                X, weight, centered=model.fit_intercept, ridge=ridge / self._loss_curvature
            )
        self._move(standardization, y, weight)

    def _move(self, standardization: Standardization, y: Array, weight: FloatArray | None) -> None:
        """Adopt coordinates."""
        self.standardization = standardization
        self._penalty = CoordinatePenalty(self.penalty, self.model, standardization)
        A = StandardizedMatrix.build(self.X, standardization, intercept=self.model.fit_intercept)
        self._rows = RowSum.of(self.X, Batch(A, y, weight, self._share))
        self._sweep = Sweep.over(self.X, self._rows, self.model, standardization)

    # -- facts that solvers ask for ------------------------------------------------------------

    @property
    def offers(self) -> frozenset[Capability]:
        """Capabilities that a solver can rely on."""
        shrinkage = self.penalty.l1_strength is not None
        return frozenset(
            capability
            for capability, holds in (
                (Capability.SMOOTH_LOSS, self.loss.smooth),
                (Capability.SMOOTH_PENALTY, self.penalty.smooth),
                (Capability.LOSS_PROX, self.loss.has_prox),
                (Capability.HINGES, self.loss.piecewise_linear and shrinkage),
                (Capability.ROW_EPOCHS, self.loss.formula is not None and shrinkage),
            )
            if holds
        )

    def lacks(self, capability: Capability) -> str:
        """Say in a clause why a capability is not offered."""
        loss, penalty = type(self.loss).__name__, type(self.penalty).__name__
        return {
            Capability.SMOOTH_LOSS: f"the {loss} loss is not smooth",
            Capability.SMOOTH_PENALTY: f"the {penalty} penalty is not smooth",
            Capability.LOSS_PROX: f"the {loss} loss has none",
            Capability.HINGES: f"the loss is {loss} and the penalty {penalty}",
            Capability.ROW_EPOCHS: f"the loss is {loss} and the penalty {penalty}",
        }[capability]

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
    def continuous_curvature(self) -> bool:
        """Whether the Hessian at a point near the optimum resembles the one at the optimum."""
        return self.loss.continuous_curvature

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

    def smoothness(self) -> Smoothness:
        """Bound the curvature of the whole objective and of single rows, for automatic steps."""
        eigenvalue = largest_eigenvalue(self._rows.data, self.model.row_length)
        mean = self._loss_curvature * eigenvalue + self._penalty_curvature()
        return Smoothness(mean, max(mean, self.row_smoothness()))

    def row_smoothness(self) -> float:
        """Bound the curvature of single rows; no less than that of the whole objective."""
        data = self._rows.data
        weight = data.row_weights()
        share = 1.0 if weight is None else weight * self.n_samples
        largest = float(np.max(data.A.squared_row_norms() * share))
        return self._loss_curvature * largest + self._penalty_curvature()

    def _penalty_curvature(self) -> float:
        if not self.penalty.smooth:
            return 0.0
        strongest = float(np.max(self.penalty.output_convexity))
        return strongest * self.standardization.largest_gain() ** 2

    # -- coordinates ------------------------------------------------------------------------------

    def start(self) -> FloatArray:
        """Best constant prediction, or nearly, as a parameter vector with zero coefficients."""
        w = np.zeros(self.n_params, dtype=self.dtype)
        if self.model.fit_intercept:
            data = self._rows.data
            best = self.loss.constant(data.y, data.row_weights(), n_outputs=self.n_outputs)
            self.model.rows(w)[:, self.model.n_features] = best
        return w

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

    def decorrelated(self) -> Objective:
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
        return self._moved(decorrelate(data, self.standardization, ridge=ridge))

    def _moved(self, standardization: Standardization) -> Objective:
        data, moved = self._rows.data, copy(self)
        moved._move(standardization, data.y, data.weight)
        return moved

    def for_batches(self, batch_size: int, *, plain: bool) -> Objective:
        """Change to the coordinates in which updates by batches of this size are cheap and good.

        Those of dense data are decorrelated if batches are large enough to pay for the rotations.
        Sparse rows stay sparse for plain gradient descent, whose updates then touch non-zeros only;
        other updates cost as much as there are columns, centred or not.
        """
        if self.density == 1.0 and batch_size * ROTATED_COLUMNS >= self.model.n_features:
            return self.decorrelated()
        if not plain or Capability.ROW_EPOCHS not in self.offers or batch_size * self.density >= 1:
            return self
        scaling = uniform(self.X)
        return self if scaling is None else self._moved(scaling)

    def shortest(self, w: FloatArray) -> FloatArray:
        """Take the user's smallest coefficients (in norm) that predict the same as w.

        For unpenalised problems whose columns are linearly dependent: the one minimiser that does
        not depend on the solver, nor on the scale of its coordinates.
        """
        return shortest(self._rows.data, self.standardization, self.model.rows(w)).ravel()

    # -- values and derivatives -------------------------------------------------------------------

    def value(self, w: FloatArray) -> float:
        """Compute F(w)."""
        self.passes += 1.0
        return self._sweep.value(self._value, w) + self._penalty.value(w)

    def value_and_gradient(
        self, w: FloatArray, batch: Batch | None = None
    ) -> tuple[float, FloatArray]:
        """Compute value and gradient of the smooth part of F: loss, and penalty if it is smooth."""
        value, gradient = self.loss_and_gradient(w, batch)
        return value + self.add_penalty(w, gradient), gradient

    def add_penalty(self, w: FloatArray, gradient: FloatArray) -> float:
        """Add the gradient of a smooth penalty in place and return its value, else 0."""
        return self._penalty.add_to(w, gradient) if self.penalty.smooth else 0.0

    def loss_and_gradient(
        self, w: FloatArray, batch: Batch | None = None
    ) -> tuple[float, FloatArray]:
        """Compute value and gradient of F without its penalty.

        On a batch both are unbiased estimates: losses are multiplied by n_samples / n_batch.
        """
        if batch is None:
            self.passes += 1.0
            value, gradient = self._sweep.pull(self._slopes, w)
            gradient = gradient.astype(self.dtype, copy=False)
        else:
            factor = self.n_samples / batch.A.n_samples
            self.passes += 1.0 / factor
            value, gradient = self._value_and_gradient(batch, w)
            value *= factor
            gradient *= factor
        return value, gradient

    def penalty_value(self, w: FloatArray) -> float:
        """Compute the penalty."""
        return self._penalty.value(w)

    def nonsmooth_value(self, w: FloatArray) -> float:
        """Compute the part of F that `value_and_gradient` leaves out; 0 for smooth penalties."""
        return 0.0 if self.penalty.smooth else self._penalty.value(w)

    def prox(self, w: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Apply the proximal operator of a non-smooth penalty; step_size may be an array like w."""
        return w if self.penalty.smooth else self._penalty.prox(w, step_size)

    def prox_slope(self, moved: FloatArray, step_size: FloatArray) -> FloatArray:
        """Compute a generalised derivative of `prox` where it returned `moved`."""
        return self._penalty.prox_slope(moved, step_size)

    def hessian(self, w: FloatArray) -> FloatArray:
        """Compute the diagonal blocks of the smooth part's Hessian, (n_blocks, size, size)."""
        self.passes += 1.0
        blocks: FloatArray = self._rows.reduce(self._hessian, w)
        if self.penalty.smooth:
            blocks = self._penalty.add_curvature(w, blocks)
        return blocks

    def hessian_diagonal(self, w: FloatArray) -> FloatArray:
        """Compute the diagonal of the smooth part's Hessian; for losses with separate outputs."""
        self.passes += 1.0
        diagonal: FloatArray = self._rows.reduce(self._hessian_diagonal, w)
        if self.penalty.smooth:
            self._penalty.add_diagonal(w, diagonal)
        return diagonal

    def hess_vec(self, w: FloatArray, v: FloatArray) -> FloatArray:
        """Compute the product of the smooth part's Hessian with v."""
        return self.linearise(w).hess_vec(v)

    def linearise(self, w: FloatArray) -> Linearisation:
        """Prepare products of the smooth part's Hessian at w with many vectors."""
        return Linearisation(
            self._sweep, self._rows, self.loss, self._penalty, w, self.density, self._count_passes
        )

    def _count_passes(self, passes: float) -> None:
        self.passes += passes

    # -- how far from the optimum -----------------------------------------------------------------

    def gradient_gap(self, w: FloatArray, gradient: FloatArray) -> float:
        """Bound F(w) - min F from the gradient of the smooth part; see `skgrad.gaps`."""
        return gaps.gradient_gap(
            self.model, self.loss, self.penalty, self.standardization, w, gradient,
            self._loss_curvature,
        )  # fmt: skip

    def duality_gap(self, w: FloatArray, multipliers: FloatArray | None = None) -> float:
        """Compute the duality gap of w and dual variables; see `skgrad.gaps`."""
        self.passes += 1.0
        return gaps.duality_gap(
            self._rows.data, self.model, self.loss, self.penalty, self.standardization, w,
            multipliers,
        )  # fmt: skip

    def certified_gap(self, w: FloatArray, multipliers: FloatArray | None = None) -> float:
        """Compute an upper bound of F(w) - min F, NaN if there is none; see `skgrad.certificates`.

        Dual variables, one per row and output, are needed for losses with kinks only.
        """
        self.passes += 1.0
        return certified_gap(
            self._rows, self.model, self.loss, self.penalty, self.standardization, w, multipliers
        )

    # -- other views of the same data ---------------------------------------------------------

    def batches(
        self, batch_size: int, rng: np.random.Generator, *, shuffle: bool
    ) -> Iterator[Batch | None]:
        """Yield every row once, in batches that `value_and_gradient` takes."""
        return self._rows.batches(batch_size, rng, shuffle=shuffle)

    def row_epoch(self, walk: Walk, plan: Plan, update: CompiledUpdate, order: IntArray) -> Walk:
        """Make one update per batch of rows, in this order; needs `Capability.ROW_EPOCHS`."""
        assert self.loss.formula is not None
        self.passes += 1.0
        return compiled_epoch(
            walk, plan, update, order, self.X, self._rows.data, self.loss.formula, self.model,
            self.penalty, self.standardization,
        )  # fmt: skip

    def share(self, batch: Batch | None) -> float:
        """Tell which fraction of the rows a batch holds."""
        return 1.0 if batch is None else batch.A.n_samples / self.n_samples

    def subsample(self, n_samples: int) -> Objective:
        """Estimate the objective by about n_samples of its rows, in the same coordinates.

        Rows that stand out are sure to be among them; see `skgrad.sampling`.
        """
        X, batch = important_rows(self.X, self._rows.data, n_samples)
        A = StandardizedMatrix.build(X, self.standardization, intercept=self.model.fit_intercept)
        part = copy(self)
        part.X, part.n_samples, part._rows = X, X.shape[0], RowSum.of(X, batch._replace(A=A))
        part._sweep = Sweep.over(X, part._rows, self.model, self.standardization)
        return part

    def hessian_roots(self, w: FloatArray) -> FloatArray:
        """Compute Z with Z'Z the Hessian of each output's loss, (n_outputs, n_samples, size).

        As large as the data, so for samples of them only; for losses that treat outputs separately.
        """
        data = self._rows.data
        curvature = data.weigh(self.loss.curvature(data.y, self.model.forward(w, data.A)))
        return np.sqrt(curvature.T)[:, :, None] * data.A.explicit().A

    @property
    def columns(self) -> Columns:
        """The data by columns, for methods that work on a few of them at a time."""
        return Columns(
            self.X, self._rows, self.model, self.loss, self._penalty, self._loss_curvature
        )

    def restrict(self, columns: IntArray) -> tuple[Objective, IntArray]:
        """Fix all coefficients but some columns' at zero; also tell where those parameters are."""
        restricted = copy(self)
        restricted.model = self.model.select(columns)
        restricted.n_params = restricted.model.n_params
        restricted.standardization = scaling = self.standardization.select(columns)
        restricted._rows = self.columns.select(columns)
        restricted._sweep = BlockSweep(restricted._rows, restricted.model)
        restricted._penalty = CoordinatePenalty(self.penalty, restricted.model, scaling)
        return restricted, self.model.positions(columns)

    def smoothed(self, width: float, multipliers: FloatArray) -> Objective:
        """Replace the loss by its Moreau envelope at shifted predictions (augmented Lagrangian)."""
        envelope = MoreauEnvelope(self.loss, width)
        smoothed = copy(self)
        smoothed.loss, smoothed._loss_curvature = envelope, envelope.max_curvature
        targets = envelope.shifted_target(self._rows.data.y, width * multipliers)
        smoothed._rows = self._rows.with_targets(targets)
        smoothed._sweep = self._sweep.with_targets(targets)
        return smoothed

    def multipliers(self, w: FloatArray) -> FloatArray:
        """Compute the derivative of the loss in each row's raw prediction: the dual variables."""
        data = self._rows.data
        return self.loss.gradient(data.y, self.model.forward(w, data.A))

    def hinge_form(self) -> HingeForm:
        """Write the objective as a sum of hinges plus a quadratic (interior point methods)."""
        data = self._rows.data
        return HingeForm(data, self.model, self.loss, self.penalty, self.standardization)

    # -- what a block of rows contributes -----------------------------------------------------

    def _value(self, block: Batch, raw: FloatArray) -> float:
        return block.sum(self.loss.value(block.y, raw))

    def _slopes(self, block: Batch, raw: FloatArray) -> tuple[float, FloatArray]:
        values, slopes = self.loss.value_and_gradient(block.y, raw)
        return block.sum(values), slopes

    def _value_and_gradient(self, block: Batch, w: FloatArray) -> tuple[float, FloatArray]:
        value, slopes = self._slopes(block, self.model.forward(w, block.A))
        return value, pull_back(self.model, block, slopes)

    def _hessian(self, block: Batch, w: FloatArray) -> FloatArray:
        if self.loss.quadratic and block.weight is None:
            return self.model.hessian(block.A, None) * block.share
        curvature = self.loss.curvature(block.y, self.model.forward(w, block.A))
        return self.model.hessian(block.A, block.weigh(curvature))

    def _hessian_diagonal(self, block: Batch, w: FloatArray) -> FloatArray:
        curvature = self.loss.curvature(block.y, self.model.forward(w, block.A))
        columns = block.weigh(curvature).T
        return np.concatenate([block.A.weighted_squares(column) for column in columns])
