"""The function that solvers minimise: a weighted sum of losses over rows, plus a penalty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy

import numpy as np

from skgrad import gaps
from skgrad._kernels.formulas import CompiledUpdate
from skgrad._typing import FloatArray, IntArray
from skgrad.capabilities import offered
from skgrad.certificates import certified_gap, extrapolated_multipliers
from skgrad.columns import Columns
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.duals import DualForm, DualPoint, pack_primal
from skgrad.frame import Frame
from skgrad.hinges import HingeForm
from skgrad.linearisation import Linearisation
from skgrad.losses import MoreauEnvelope
from skgrad.models import StandardizedMatrix
from skgrad.row_epochs import Plan, Walk, compiled_epoch
from skgrad.rows import Batch, RowSum
from skgrad.sampling import important_rows
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
        smoothed.offers = offered(envelope, self.penalty, self.X, targets)
        smoothed._rows = self._rows.with_targets(targets)
        smoothed._sweep = self._sweep.with_targets(targets)
        return smoothed

    def multipliers(self, w: FloatArray) -> FloatArray:
        """Compute the derivative of the loss in each row's raw prediction: the dual variables."""
        data = self._rows.data
        return self.loss.gradient(data.y, self.model.forward(w, data.A))

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

    def _hessian(self, block: Batch, w: FloatArray) -> FloatArray:
        if self.loss.quadratic and block.weight is None:
            return self.model.hessian(block.A, None) * block.share
        curvature = self.loss.curvature(block.y, self.model.forward(w, block.A))
        return self.model.hessian(block.A, block.weigh(curvature))

    def _hessian_diagonal(self, block: Batch, w: FloatArray) -> FloatArray:
        curvature = self.loss.curvature(block.y, self.model.forward(w, block.A))
        columns = block.weigh(curvature).T
        return np.concatenate([block.A.weighted_squares(column) for column in columns])
