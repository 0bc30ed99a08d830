"""The function that solvers minimise: a weighted sum of losses over rows, plus a penalty."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from skgrad import gaps
from skgrad._kernels.formulas import CompiledUpdate
from skgrad._typing import FloatArray, IntArray
from skgrad.capabilities import offered
from skgrad.certificates import certified_gap, extrapolated_multipliers
from skgrad.columns import Columns
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.coordinates import some_rows
from skgrad.duals import DualForm, DualPoint, pack_primal
from skgrad.expansions import (
    Expansion,
    PredictedExpansion,
    SmallData,
    SweptExpansion,
    loss_hessian,
)
from skgrad.frame import Frame
from skgrad.hinges import HingeForm
from skgrad.linalg import is_small
from skgrad.linearisation import Linearisation
from skgrad.lines import Point, Predictions
from skgrad.losses import MoreauEnvelope
from skgrad.models import StandardizedMatrix
from skgrad.row_epochs import Plan, Walk, compiled_epoch
from skgrad.rows import Batch, RowSum
from skgrad.sampling import important_rows
from skgrad.smooth_duals import SmoothDual, SmoothDualPoint, smooth_primal
from skgrad.sweep import BlockSweep, Sweep, pull_back


class Objective(Frame):
    r"""Penalised empirical risk in standardised coordinates.

    .. math:: F(w) = \frac{1}{S} \sum_i s_i \, loss(y_i, raw_i(w)) + penalty(coef(w)),
              \qquad S = \sum_i s_i

    A solver's parameters ``w`` live in the coordinates of ``standardization``; `to_user` maps them
    to the user's. Values and minimisers are those of the user's objective. Parameters are those of
    `skgrad.frame.Frame`.

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

    # -- values and derivatives -------------------------------------------------------------------

    def value(self, w: FloatArray) -> float:
        """Compute F(w)."""
        self.passes += 1.0
        return self._sweep.value(self._value, w) + self._penalty.value(w)

    def rough_value(self, w: FloatArray) -> float:
        """Estimate F(w) from some of the rows: as a scale, not to compare points."""
        rows = some_rows(self._rows.data)
        factor = self.n_samples / rows.A.n_samples
        self.passes += 1.0 / factor
        return factor * self._value(rows, self.model.forward(w, rows.A)) + self._penalty.value(w)

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
            if self._residuals is not None:
                return self._residuals.value_and_gradient(w)
            value, gradient = self._sweep.pull(self._slopes, w)
            gradient = gradient.astype(self.dtype, copy=False)
        else:
            factor = self.n_samples / batch.A.n_samples
            self.passes += 1.0 / factor
            value, gradient = self._value_and_gradient(batch, w)
            value *= factor
            gradient *= factor
        return value, gradient

    def displacement_scale(self, w: FloatArray) -> float:
        """Guess how far a coordinate has to move: the largest one-dimensional Newton step at w."""
        _, gradient = self.value_and_gradient(w)
        largest = float(np.abs(gradient).max(initial=0.0))
        return largest / self.coordinate_curvature if largest > 0 else 1.0

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

    def point(self, w: FloatArray) -> Point:
        """Evaluate the smooth part of F, for `expand` to go on from there."""
        if not self.cheap_products:
            if not is_small(self.X):
                return Point(w, *self.value_and_gradient(w))
            self.passes += 1.0
            return self._small.point(w)
        self.passes += 1.0
        rows = self._rows.data
        raw = self.model.forward(w, rows.A)
        value, slopes = self._slopes(rows, raw)
        gradient = pull_back(self.model, rows, slopes).astype(self.dtype, copy=False)
        return Point(w, value + self.add_penalty(w, gradient), gradient, Predictions(raw))

    def expand(self, point: Point, outputs: IntArray | None = None) -> Expansion:
        """Expand the smooth part around a point, in the parameters of some outputs or of all."""
        if self.cheap_products or point.predictions is None:
            return SweptExpansion(self.point, self._hessian_at, self.model, point, outputs)
        self.passes += 1.5  # for the Hessian, for a line, and to come back from it
        return PredictedExpansion(self._small, point, outputs)

    @property
    def _small(self) -> SmallData:
        rows = self._rows.data
        scale, A = rows.share if rows.weight is None else 1.0, rows.A.explicit().A
        return SmallData(A, scale, rows, self.model, self.loss, self._penalty)

    def hessian(self, w: FloatArray) -> FloatArray:
        """Compute the diagonal blocks of the smooth part's Hessian, (n_blocks, size, size)."""
        return self._hessian_at(Point(w, math.nan, w), None)

    def _hessian_at(self, point: Point, outputs: IntArray | None) -> FloatArray:
        known, rows = point.predictions, self._rows.data
        if known is not None:
            self.passes += 0.5
            blocks = loss_hessian(self.model, self.loss, rows, lambda: known.raw, outputs)
        else:
            self.passes += 1.0
            # Such a Gram matrix is computed by threads of its own.
            at_once = self.loss.quadratic and rows.A.threaded_gram
            if at_once:
                blocks = self._hessian(rows, point.w, outputs)
            else:
                blocks = self._rows.reduce(self._hessian, point.w, outputs)
        if self.penalty.smooth:
            blocks = self._penalty.add_curvature(point.w, blocks, outputs)
        return blocks

    def rough_expansion(self, w: FloatArray) -> tuple[float, FloatArray, FloatArray] | None:
        """Compute value, gradient and `hessian` from the second moments; None if those are unknown.

        The value is exact, the gradient too unless all coefficients are zero, the Hessian is good
        to seven digits.
        """
        if self._moments is None:
            return None
        expansion = self._moments.expand(self._rows.data, self.model.rows(w), self.standardization)
        hessian = self._penalty.add_curvature(w, expansion.hessian)
        if expansion.gradient is None:
            return *self.value_and_gradient(w), hessian
        return expansion.value, expansion.gradient.ravel(), hessian

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

    def gradient_gap(
        self, w: FloatArray, gradient: FloatArray, curved: FloatArray | None = None
    ) -> float:
        """Bound F(w) - min F from the gradient of the smooth part; see `skgrad.gaps`."""
        return float(self.gradient_gaps(w, gradient, curved).sum())

    def gradient_gaps(
        self, w: FloatArray, gradient: FloatArray, curved: FloatArray | None = None
    ) -> FloatArray:
        """Compute the shares of the outputs in `gradient_gap`."""
        return gaps.gradient_gaps(
            self.model, self.loss, self.penalty, self.standardization, w, gradient,
            self._loss_curvature, curved,
        )  # fmt: skip

    def gradient_gap_is_proof(self, gradient: FloatArray) -> bool:
        """Tell whether `gradient_gap` is an upper bound without ifs.

        So it is without an intercept, and where the slope in the intercept is rounding: the loss's
        derivatives, which are about one, are then feasible dual variables.
        """
        if not self.loss.smooth or not self.penalty.strong_convexity > 0.0:
            return False
        if not self.model.fit_intercept:
            return True
        slope = self.model.rows(gradient)[:, self.model.n_features]
        return bool(np.abs(slope).max() <= gaps.SLOPE_ROUNDING * float(np.finfo(self.dtype).eps))

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

    def gap_after_step(self, w: FloatArray, target: FloatArray) -> float:
        """Compute `certified_gap` at the end of a Newton step, with the duals of its model."""
        self.passes += 1.0
        duals = extrapolated_multipliers(self._rows, self.model, self.loss, w, target)
        return self.certified_gap(target, duals)

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
        part = self._variant()
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
        restricted = self._variant()
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
        smoothed = self._variant()
        smoothed.loss, smoothed._loss_curvature = envelope, envelope.max_curvature
        targets = envelope.shifted_target(self._rows.data.y, width * multipliers)
        smoothed.offers = offered(envelope, self.penalty, self.X, targets)
        smoothed._rows = self._rows.with_targets(targets)
        smoothed._sweep = self._sweep.with_targets(targets)
        return smoothed

    def multipliers(self, w: FloatArray) -> FloatArray:
        """Compute the derivative of the loss in each row's raw prediction: the dual variables."""
        return self._sweep.map(lambda block, raw: self.loss.gradient(block.y, raw), w)

    def unweigh(self, terms: FloatArray) -> FloatArray:
        """Divide terms, one per row and output, by the weights of the rows in the objective."""
        return self._rows.data.unweigh(terms)

    def hinge_form(self) -> HingeForm:
        """Write the objective as a sum of hinges plus a quadratic (interior point methods)."""
        return HingeForm(self._rows, self.model, self.loss, self.penalty, self.standardization)

    def dual_form(self, output: int) -> DualForm:
        """Write the dual of one output's part of the objective (dual coordinate ascent)."""
        parts = self.model, self.loss, self.penalty, self.standardization
        return DualForm(self._rows.data, self.X, *parts, output)

    def smooth_dual(self, output: int) -> SmoothDual:
        """Write the dual of one output's part of the objective (a smooth loss, an L2 penalty)."""
        return SmoothDual(self._rows.data, self.X, self.model, self.loss, self.penalty, output)

    def smooth_dual_to_primal(self, points: Sequence[SmoothDualPoint]) -> FloatArray:
        """Compute the parameters that belong to the points of all outputs' `smooth_dual`."""
        w = smooth_primal(points, self.model, self.standardization)
        return w.astype(self.dtype, copy=False)

    def dual_to_primal(self, points: Sequence[tuple[DualForm, DualPoint]]) -> FloatArray:
        """Compute the parameters that belong to the dual points of all outputs."""
        return pack_primal(points, self.model, self.standardization).astype(self.dtype, copy=False)

    # -- what a block of rows contributes -----------------------------------------------------

    def _value(self, block: Batch, raw: FloatArray) -> float:
        return block.sum(self.loss.value(block.y, raw))

    def _slopes(self, block: Batch, raw: FloatArray) -> tuple[float, FloatArray]:
        values, slopes = self.loss.value_and_gradient(block.y, raw)
        return block.sum(values), slopes

    def _value_and_gradient(self, block: Batch, w: FloatArray) -> tuple[float, FloatArray]:
        value, slopes = self._slopes(block, self.model.forward(w, block.A))
        return value, pull_back(self.model, block, slopes)

    def _hessian(self, block: Batch, w: FloatArray, outputs: IntArray | None) -> FloatArray:
        return loss_hessian(
            self.model, self.loss, block, lambda: self.model.forward(w, block.A), outputs
        )

    def _hessian_diagonal(self, block: Batch, w: FloatArray) -> FloatArray:
        curvature = self.loss.curvature(block.y, self.model.forward(w, block.A))
        columns = block.weigh(curvature).T
        return np.concatenate([block.A.weighted_squares(column) for column in columns])
