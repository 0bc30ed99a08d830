"""The function that solvers minimise: a weighted sum of losses over rows, plus a penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from skgrad._typing import FloatArray, Matrix
from skgrad.linalg import column_moments, row_blocks, squared_row_norms, take_rows
from skgrad.losses import Loss, MoreauEnvelope
from skgrad.models import LinearModel, Standardization
from skgrad.penalties import NoPenalty, Penalty

# Rows that estimate the largest eigenvalue of X'X / n. The estimate is within a few per cent for
# spectra that matter (a dominant direction), and the automatic step keeps a factor of two in hand.
SPECTRUM_ROWS = 2000
POWER_ITERATIONS = 12
# The intercept's curvature may be this much below the loss's largest: half its inverse.
INTERCEPT_MARGIN = 5.0


class Capability(Enum):
    """What a solver may need of an objective; the value completes "the solver needs ..."."""

    SMOOTH_LOSS = "a smooth loss"
    SMOOTH_PENALTY = "a smooth penalty"
    LOSS_PROX = "a loss with a proximal operator"


class Batch(NamedTuple):
    """Rows of the data. Opaque to solvers."""

    X: Matrix
    y: Any
    weight: FloatArray | None


class Smoothness(NamedTuple):
    """Curvature bounds of an objective.

    ``mean`` bounds the Hessian of the whole objective, ``row`` the Hessian of any single row's term.
    """

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
        S; by default the sum of `sample_weight`.
    standardization : Standardization, optional
        Coordinates; by default columns are centred and scaled to unit curvature.

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
        y: Any,
        sample_weight: FloatArray | None = None,
        *,
        total_weight: float | None = None,
        standardization: Standardization | None = None,
    ) -> None:
        self.model, self.loss, self.penalty = model, loss, penalty
        self.n_samples, self.n_outputs = X.shape[0], model.n_outputs
        self.n_params, self.dtype = model.n_params, X.dtype
        self.passes = 0.0
        weight = None
        if sample_weight is not None:
            total = float(sample_weight.sum()) if total_weight is None else total_weight
            weight = (sample_weight / total).astype(X.dtype, copy=False)
        self._data = Batch(X, y, weight)
        slices = list(row_blocks(X))
        self._blocks = [self._data] if len(slices) == 1 else [self._rows(s) for s in slices]
        self.standardization = standardization or self._standardize()

    # -- facts that solvers ask for ------------------------------------------------------------

    @property
    def offers(self) -> frozenset[Capability]:
        """Capabilities that a solver can rely on."""
        facts = {
            Capability.SMOOTH_LOSS: self.loss.smooth,
            Capability.SMOOTH_PENALTY: self.penalty.smooth,
            Capability.LOSS_PROX: self.loss.has_prox,
        }
        return frozenset(capability for capability, holds in facts.items() if holds)

    def describe(self, capability: Capability) -> str:
        """Name the part of the objective that decides about a capability."""
        part = self.penalty if capability is Capability.SMOOTH_PENALTY else self.loss
        kind = "penalty" if capability is Capability.SMOOTH_PENALTY else "loss"
        return f"the {type(part).__name__} {kind}"

    @property
    def quadratic(self) -> bool:
        """Whether the Hessian is constant."""
        return self.loss.quadratic and self.penalty.smooth

    @property
    def continuous_curvature(self) -> bool:
        """Whether the Hessian at a point near the optimum resembles the one at the optimum."""
        return self.loss.continuous_curvature

    @property
    def block_size(self) -> int:
        """Order of the largest diagonal block of the Hessian."""
        return self.n_params if self.loss.coupled else self.model.row_length

    def smoothness(self) -> Smoothness:
        """Bound the curvature of the whole objective and of single rows, for automatic steps."""
        curvature = self._loss_curvature()
        X, _, weight = self._data
        scaling = self.standardization
        norms = squared_row_norms(X, scaling.center, scaling.scale) + self.model.fit_intercept
        share = 1.0 if weight is None else weight.max(axis=1) * self.n_samples
        penalty = 0.0
        if self.penalty.smooth:
            penalty = float(self.penalty.strong_convexity * np.max(scaling.scale, initial=0.0) ** 2)
        mean = curvature * self._largest_eigenvalue() + penalty
        return Smoothness(mean, max(mean, curvature * float(np.max(norms * share)) + penalty))

    def coordinate_curvature(self) -> float:
        """Typical curvature along one coordinate: standardised columns all have the loss's."""
        return self._loss_curvature()

    # -- coordinates ------------------------------------------------------------------------------

    def start(self) -> FloatArray:
        """Best constant prediction as a parameter vector: zero coefficients, fitted intercept."""
        model = self.model
        coef = np.zeros((model.n_outputs, model.n_features), dtype=self.dtype)
        if not model.fit_intercept:
            return coef.ravel()
        _, y, weight = self._data
        row_weight = None if weight is None else weight.max(axis=1)
        intercept = self.loss.constant(y, row_weight, n_outputs=model.n_outputs)
        return model.pack(coef, np.asarray(intercept, dtype=self.dtype))

    def to_user(self, w: FloatArray) -> FloatArray:
        """Map parameters from standardised coordinates to the user's."""
        return self.standardization.to_user(w)

    def from_user(self, w: FloatArray) -> FloatArray:
        """Map the user's parameters to standardised coordinates."""
        return self.standardization.from_user(w)

    def _standardize(self) -> Standardization:
        """Centre columns and scale each to unit curvature of loss plus penalty.

        The penalty counts: with 1/std alone, a column of tiny scale under a strong L2 penalty would
        get a huge curvature in the new coordinates.
        """
        X, _, weight = self._data
        row_weight = None if weight is None else weight.mean(axis=1, dtype=np.float64)
        centered = self.model.fit_intercept
        mean, variance = column_moments(X, row_weight, centered=centered)
        eps = float(np.finfo(X.dtype).eps)
        # A constant column deviates from its mean by rounding only.
        constant = variance <= (10 * eps * mean) ** 2
        ridge = self.penalty.strong_convexity if self.penalty.smooth else 0.0
        curvature = variance + ridge / self._loss_curvature()
        scale = np.where(constant, 0.0, 1.0 / np.sqrt(np.where(constant, 1.0, curvature)))
        if not self.penalty.separable:
            scale = (scale > 0).astype(scale.dtype)
        return Standardization(self.model, mean.astype(X.dtype), scale.astype(X.dtype))

    def _loss_curvature(self) -> float:
        """Bound the loss's second derivative; where none exists, take gradient^2 / value at start.

        For a piecewise linear loss that ratio is the curvature of its smoothing over the width of
        the data (hinge 1, absolute error 1 / mean deviation), for the Poisson loss about its mean.
        """
        if np.isfinite(self.loss.max_curvature):
            return self.loss.max_curvature
        _, y, weight = self._data
        row_weight = None if weight is None else weight.max(axis=1)
        raw = np.broadcast_to(
            self.loss.constant(y, row_weight, n_outputs=self.model.n_outputs).astype(self.dtype),
            (self.n_samples, self.model.n_outputs),
        )
        value, gradient = self.loss.value_and_gradient(y, raw)
        squares = float(np.sum(gradient**2, dtype=np.float64))
        total = float(np.sum(value, dtype=np.float64))
        return squares / total if squares > 0 and total > 0 else 1.0

    def _largest_eigenvalue(self) -> float:
        """Estimate the largest eigenvalue of the standardised X'X / n by power iteration."""
        step = max(1, self.n_samples // SPECTRUM_ROWS)
        X = take_rows(self._data.X, np.arange(0, self.n_samples, step))
        weight = None if self._data.weight is None else self._data.weight[::step].mean(axis=1)
        weight = np.full(X.shape[0], 1 / X.shape[0]) if weight is None else weight / weight.sum()
        model = LinearModel(self.model.n_features, 1, self.model.fit_intercept)
        scaling = Standardization(model, self.standardization.center, self.standardization.scale)
        v = np.random.default_rng(0).standard_normal(model.n_params).astype(self.dtype)
        norm = 1.0
        for _ in range(POWER_ITERATIONS):
            raw = model.forward(scaling.to_user(v / np.linalg.norm(v)), X)
            v = scaling.gradient(model.backward(X, (weight[:, None] * raw).astype(self.dtype)))
            norm = float(np.linalg.norm(v))
            if norm == 0.0:
                return float(self.model.fit_intercept) or 1.0
        return norm

    # -- values and derivatives -------------------------------------------------------------------

    def value(self, w: FloatArray) -> float:
        """Compute F(w)."""
        user = self.to_user(w)
        self.passes += 1.0
        total = sum(self._block_value(block, user) for block in self._blocks)
        return total + self.penalty.value(self.model.coef(user))

    def value_and_gradient(
        self, w: FloatArray, batch: Batch | None = None
    ) -> tuple[float, FloatArray]:
        """Compute value and gradient of the smooth part of F: loss, and penalty if it is smooth.

        On a batch both are unbiased estimates: the loss terms are multiplied by n_samples / n_batch.
        """
        user = self.to_user(w)
        if batch is None:
            self.passes += 1.0
            value, gradient = self._reduce(self._block_value_and_gradient, user)
        else:
            factor = self.n_samples / len(batch.y)
            self.passes += 1.0 / factor
            value, gradient = self._block_value_and_gradient(batch, user)
            value, gradient = factor * value, factor * gradient
        if self.penalty.smooth:
            coef = self.model.coef(user)
            value += self.penalty.value(coef)
            self.model.coef(gradient)[...] += self.penalty.gradient(coef)
        return value, self.standardization.gradient(gradient)

    def nonsmooth_value(self, w: FloatArray) -> float:
        """Compute the part of F that `value_and_gradient` leaves out (zero for smooth penalties)."""
        if self.penalty.smooth:
            return 0.0
        return self.penalty.value(self.model.coef(self.to_user(w)))

    def prox(self, w: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Apply the proximal operator of the non-smooth penalty; step_size may be an array like w."""
        if self.penalty.smooth:
            return w
        scale = self.standardization.scale
        steps = step_size if isinstance(step_size, float) else self.model.coef(step_size)
        moved = w.copy()
        coef = self.penalty.prox(self.model.coef(w) * scale, steps * scale**2)
        self.model.coef(moved)[...] = coef / np.where(scale > 0, scale, 1.0)
        return moved

    def hessian(self, w: FloatArray) -> FloatArray:
        """Compute the diagonal blocks of the smooth part's Hessian, (n_blocks, size, size)."""
        user = self.to_user(w)
        self.passes += 1.0
        total = self._block_hessian(self._blocks[0], user)
        for block in self._blocks[1:]:
            total += self._block_hessian(block, user)
        scale = self.standardization.scale_per_output
        repeats = total.shape[-1] // len(scale)
        scale = np.tile(scale, repeats)
        total *= scale[:, None] * scale
        if self.penalty.smooth:
            diagonal = np.einsum("bii->bi", total)
            penalty = np.zeros(self.n_params, dtype=self.dtype)
            coef = self.model.coef(user)
            self.model.coef(penalty)[...] = self.penalty.curvature(coef)
            penalty = penalty.reshape(-1, total.shape[-1])[: len(total)]
            diagonal += penalty * scale**2
        return total

    def hess_vec(self, w: FloatArray, v: FloatArray) -> FloatArray:
        """Compute the product of the smooth part's Hessian with v."""
        user, direction = self.to_user(w), self.to_user(v)
        self.passes += 1.0
        total = sum(self._block_hess_vec(block, user, direction) for block in self._blocks)
        if self.penalty.smooth:
            curvature = self.penalty.curvature(self.model.coef(user))
            self.model.coef(total)[...] += curvature * self.model.coef(direction)
        return self.standardization.gradient(total)

    # -- how far from the optimum -----------------------------------------------------------------

    def gradient_gap(self, w: FloatArray, gradient: FloatArray) -> float:
        r"""Bound F(w) - min F by :math:`|\partial F|^2 / (2 \mu)` for a strongly convex penalty.

        For smooth losses with an L2 penalty this is the duality gap, up to the intercept. Its share
        is Newton's decrement with a fraction of the loss's largest curvature; where the curvature
        jumps (and may vanish) it is the first-order effect. NaN if no bound holds.
        """
        mu = self.penalty.strong_convexity
        if mu == 0.0 or not self.loss.smooth:
            return float("nan")
        scale = self.standardization.scale
        inverse = 1.0 / np.where(scale > 0, scale, np.inf)
        slope = self.model.coef(gradient) * inverse
        if not self.penalty.smooth:
            coef = self.model.coef(self.to_user(w))
            slope = self.penalty.minimum_norm_subgradient(coef, slope)
        free = self.model.intercept(gradient)
        if self.loss.continuous_curvature:
            share = INTERCEPT_MARGIN * float(free @ free) / self._loss_curvature()
        else:
            share = float(np.abs(free * self.model.intercept(w)).sum())
        return float(np.vdot(slope, slope)) / (2 * mu) + share

    def duality_gap(self, w: FloatArray, multipliers: FloatArray | None = None) -> float:
        r"""Compute the Fenchel duality gap of w and dual variables, one per row and output.

        .. math:: F(w) + \frac{1}{S} \sum_i s_i loss_i^*(\theta_i) + penalty^*(-X'(s \theta) / S)

        The dual variables (by default the loss's derivatives at w) are shrunk until the penalty's
        conjugate is finite. A dual residual of the intercepts, which should vanish, counts with its
        first-order effect; so does the residual of unpenalised coefficients. NaN without penalty,
        unless dual variables are given.
        """
        unpenalised = isinstance(self.penalty, NoPenalty)
        if unpenalised and multipliers is None:
            return float("nan")
        X, y, weight = self._data
        user = self.to_user(w)
        self.passes += 1.0
        raw = self.model.forward(user, X)
        theta = self.loss.gradient(y, raw) if multipliers is None else multipliers
        weighted = theta / self.n_samples if weight is None else theta * weight
        pulled = self.standardization.gradient(self.model.backward(X, weighted))
        scale = self.standardization.scale
        dual = self.model.coef(pulled) / np.where(scale > 0, scale, np.inf)
        coef = self.model.coef(user)
        shrink = 1.0 if unpenalised else self.penalty.dual_scaling(-dual)
        residual = float(np.abs(self.model.intercept(pulled) * self.model.intercept(w)).sum())
        if unpenalised:
            residual += abs(float(np.vdot(dual, coef)))
            conjugate = 0.0
        else:
            conjugate = self.penalty.conjugate(-shrink * dual)
        primal = self._weighted_sum(self.loss.value(y, raw), weight) + self.penalty.value(coef)
        dual_value = self._weighted_sum(self.loss.conjugate(y, shrink * theta), weight) + conjugate
        return primal + dual_value + shrink * residual

    # -- other views of the same data ---------------------------------------------------------

    def batches(
        self, batch_size: int, rng: np.random.Generator, *, shuffle: bool
    ) -> Iterator[Batch | None]:
        """Yield the rows once, in batches; rows are gathered a cache block at a time."""
        if batch_size >= self.n_samples:
            yield None
            return
        order = rng.permutation(self.n_samples) if shuffle else None
        longest = max(1, self.n_samples // len(self._blocks))
        chunk = max(1, longest // batch_size) * batch_size
        for start in range(0, self.n_samples, chunk):
            stop = min(start + chunk, self.n_samples)
            rows = slice(start, stop) if order is None else order[start:stop]
            gathered = self._rows(rows)
            for first in range(0, stop - start, batch_size):
                last = min(first + batch_size, stop - start)
                yield _slice(gathered, slice(first, last))

    def smoothed(self, width: float, multipliers: FloatArray) -> Objective:
        """Replace the loss by its Moreau envelope at shifted predictions (augmented Lagrangian)."""
        X, y, weight = self._data
        envelope = MoreauEnvelope(self.loss, width)
        smoothed = Objective.__new__(Objective)
        smoothed.__dict__.update(self.__dict__)
        smoothed.loss = envelope
        smoothed._data = Batch(X, envelope.shifted_target(y, width * multipliers), weight)
        slices = list(row_blocks(X))
        single = len(slices) == 1
        smoothed._blocks = [smoothed._data] if single else [smoothed._rows(s) for s in slices]
        return smoothed

    def multipliers(self, w: FloatArray) -> FloatArray:
        """Compute the derivative of the loss in each row's raw prediction: the dual variables."""
        X, y, _ = self._data
        return self.loss.gradient(y, self.model.forward(self.to_user(w), X))

    # -- sums over row blocks -----------------------------------------------------------------

    def _rows(self, rows: Any) -> Batch:
        X, y, weight = self._data
        return Batch(take_rows(X, rows), y[rows], None if weight is None else weight[rows])

    def _reduce(
        self, kernel: Callable[[Batch, FloatArray], tuple[float, FloatArray]], user: FloatArray
    ) -> tuple[float, FloatArray]:
        value, gradient = kernel(self._blocks[0], user)
        if len(self._blocks) == 1:
            return value, gradient
        total = gradient.astype(np.float64)  # partial sums of float32 data add up in float64
        for block in self._blocks[1:]:
            block_value, block_gradient = kernel(block, user)
            value += block_value
            total += block_gradient
        return value, total.astype(self.dtype, copy=False)

    def _weighted_sum(self, values: FloatArray, weight: FloatArray | None) -> float:
        if weight is None:
            return float(np.add.reduce(values, axis=None, dtype=np.float64)) / self.n_samples
        return float(np.add.reduce(values * weight, axis=None, dtype=np.float64))

    def _weigh(self, gradient: FloatArray, weight: FloatArray | None) -> FloatArray:
        if weight is None:
            gradient *= 1.0 / self.n_samples
            return gradient
        return gradient * weight

    def _block_value(self, block: Batch, user: FloatArray) -> float:
        raw = self.model.forward(user, block.X)
        return self._weighted_sum(self.loss.value(block.y, raw), block.weight)

    def _block_value_and_gradient(
        self, block: Batch, user: FloatArray
    ) -> tuple[float, FloatArray]:
        raw = self.model.forward(user, block.X)
        values, gradient = self.loss.value_and_gradient(block.y, raw)
        gradient = self.model.backward(block.X, self._weigh(gradient, block.weight))
        return self._weighted_sum(values, block.weight), gradient

    def _block_hessian(self, block: Batch, user: FloatArray) -> FloatArray:
        center = self.standardization.center
        if self.loss.quadratic and block.weight is None:
            return self.model.hessian(block.X, None, center) / self.n_samples
        curvature = self.loss.curvature(block.y, self.model.forward(user, block.X))
        weight = block.weight
        if weight is not None and self.loss.coupled:
            weight = weight[:, :, None]
        return self.model.hessian(block.X, self._weigh(curvature, weight), center)

    def _block_hess_vec(self, block: Batch, user: FloatArray, v: FloatArray) -> FloatArray:
        raw = self.model.forward(user, block.X)
        direction = self.model.forward(v, block.X)
        product = self.loss.curvature_product(block.y, raw, direction)
        return self.model.backward(block.X, self._weigh(product, block.weight))


def _slice(batch: Batch, rows: slice) -> Batch:
    weight = None if batch.weight is None else batch.weight[rows]
    return Batch(take_rows(batch.X, rows), batch.y[rows], weight)
