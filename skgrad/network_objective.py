"""The objective of a network: a weighted sum of losses over rows, plus a penalty of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.linalg import norm
from scipy.linalg.blas import daxpy, saxpy

from skgrad._threads import map_in_order
from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.augmentation import Augmentation
from skgrad.capabilities import Capability, Smoothness
from skgrad.linalg import BLOCK_BYTES, take_rows
from skgrad.losses import Loss
from skgrad.models.network import ColumnScaler, Moments, Network, Role
from skgrad.network_batch import NetworkBatch, column_scale, cut
from skgrad.network_linearisation import NetworkLinearisation, RowBlock
from skgrad.network_passes import Passes
from skgrad.penalties import Penalty

# Rows are gathered in chunks of about this size: one indexing operation serves many batches.
CHUNK_BYTES = BLOCK_BYTES
# Rows of a block of a full pass, of all layers' activations together.
ACTIVATION_BYTES = 2 * BLOCK_BYTES
# Rows from which moments for predictions are computed: the standard error of a mean is then below
# a hundredth of a standard deviation.
MOMENT_ROWS = 1 << 14
# Rows that the value at the start, and its curvature, come from.
START_ROWS = 1000
# Products with the Hessian for the curvature that an automatic rate depends on.
POWER_ITERATIONS = 12
# In training the curvature grows beyond that of the first parameters; a step of 1 / (2 L) leaves
# room for it.
CURVATURE_GROWTH = 2.0
# Where all units are dead the curvature is zero: a rate of at most one is then as good as any.
SMALLEST_CURVATURE = 0.5
# A weight moves by about this in training: layers of some hundred inputs start with weights of
# about 0.1.
DISPLACEMENT = 0.01


class NetworkObjective:
    r"""Penalised empirical risk of a network.

    .. math:: F(w) = \frac{1}{S} \sum_i s_i \, loss(y_i, raw(x_i; w)) + penalty(W),
              \qquad S = \sum_i s_i

    The penalty sees the weights of all layers, not biases, gains and shifts. Batches are scaled so
    that their gradients are unbiased estimates: weights and penalty mean the same whatever the size
    of a batch, and a weight of two is a row twice.

    Parameters
    ----------
    network : Network
        Map to raw predictions.
    loss : Loss
        Per-row loss.
    penalty : Penalty
        Of the weights.
    X : array or CSR matrix of shape (n_samples, n_features)
        Data; rows are converted to ``dtype`` a chunk at a time.
    y : array
        Targets as the loss expects them.
    sample_weight : array of shape (n_samples, 1) or (n_samples, n_outputs), optional
        Weights, not negative; all one by default.
    dtype : numpy dtype
        Of parameters and arithmetic.
    scaler : ColumnScaler, optional
        Applied to every row of X.
    augmentation : Augmentation, optional
        Applied to batches in training.
    rate_factors, decay_factors : array of shape (n_params,), optional
        Factors of the learning rate, by default all one, and of weight decay, by default one for
        weights and zero for the rest.
    """

    convex = False
    continuous_curvature = False

    def __init__(
        self,
        network: Network,
        loss: Loss,
        penalty: Penalty,
        X: Matrix,
        y: Array,
        sample_weight: FloatArray | None = None,
        *,
        dtype: Any = np.float64,
        scaler: ColumnScaler | None = None,
        augmentation: Augmentation | None = None,
        rate_factors: FloatArray | None = None,
        decay_factors: FloatArray | None = None,
    ) -> None:
        self.network, self.loss, self.penalty = network, loss, penalty
        self.X, self.y, self.dtype = X, y, np.dtype(dtype)
        self.n_samples, self.n_params = X.shape[0], network.n_params
        self.scaler, self.augmentation, self.rate_factors = scaler, augmentation, rate_factors
        self.passes = 0.0
        self.weight: FloatArray | None = None
        self.share = 1.0 / self.n_samples
        if sample_weight is not None:
            self.weight = (sample_weight / sample_weight.sum()).astype(self.dtype, copy=False)
        if decay_factors is None:
            decay_factors = network.layout.spread({Role.WEIGHTS: 1.0}, 0.0).astype(self.dtype)
        self.decay_factors = decay_factors
        self._weights = [group.where for group in network.layout.of_role(Role.WEIGHTS)]
        self._passes = Passes(network, loss, self.share, self.dtype)
        self._column_scale: FloatArray | None = None
        self._n_batches = 1

    # -- facts that solvers ask for -----------------------------------------------------------

    @property
    def offers(self) -> frozenset[Capability]:
        """What solvers can rely on."""
        facts = {
            Capability.LAYERS: True,
            Capability.SMOOTH_LOSS: self.loss.smooth,
            Capability.HESSIAN_PRODUCTS: self.loss.smooth,
            Capability.SMOOTH_PENALTY: self.penalty.smooth,
        }
        return frozenset(capability for capability, holds in facts.items() if holds)

    @property
    def largest_product(self) -> int:
        """Number of multiplications of a pass over all rows through the largest layer."""
        return self.n_samples * max(a * b for a, b in pairwise(self.network.sizes))

    def lacks(self, capability: Capability) -> str:
        """Say in a clause why a capability is not offered."""
        loss_name, penalty_name = type(self.loss).__name__, type(self.penalty).__name__
        return {
            Capability.SMOOTH_LOSS: f"the {loss_name} loss is not smooth",
            Capability.HESSIAN_PRODUCTS: f"the {loss_name} loss is not smooth",
            Capability.SMOOTH_PENALTY: f"the {penalty_name} penalty is not smooth",
        }.get(capability, "the model is a network")

    def decorrelated(self) -> NetworkObjective:
        """Stay in these coordinates."""
        return self

    def for_batches(self, batching: object) -> NetworkObjective:
        """Stay in these coordinates."""
        return self

    def displacement_scale(self, w: FloatArray) -> float:
        """Guess how far a parameter has to move."""
        return DISPLACEMENT

    def random_start(self, w: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
        """Draw a start like w: each layer's weights in another order, as if initialised anew."""
        drawn = w.copy()
        for where in self._weights:
            drawn[where] = rng.permutation(w[where])
        return drawn

    def rough_value(self, w: FloatArray) -> float:
        """Compute F(w) of some rows."""
        return self.subsample(START_ROWS).value(w)

    def smoothness(self, w: FloatArray) -> Smoothness:
        """Estimate the curvature at w, with room for its growth in training.

        By the power method, with products of the Hessian from differences of gradients.
        """
        largest, sample = 0.0, self.subsample(START_ROWS)
        _, gradient = sample.value_and_gradient(w)
        direction = gradient / max(float(norm(gradient)), float(np.finfo(self.dtype).tiny))
        step = math.sqrt(float(np.finfo(self.dtype).eps)) * max(1.0, float(norm(w)))
        for _ in range(POWER_ITERATIONS):
            product = (sample.value_and_gradient(w + step * direction)[1] - gradient) / step
            largest = float(norm(product))
            if largest == 0.0:
                break
            direction = product / largest
        bound = CURVATURE_GROWTH * max(largest, SMALLEST_CURVATURE)
        return Smoothness(bound, bound)

    def row_smoothness(self, w: FloatArray) -> float:
        """Take the mean's curvature for that of single rows: no bound is known."""
        return self.smoothness(w).row

    def gradient_gap(self, w: FloatArray, gradient: FloatArray) -> float:
        """Return NaN: a gradient says nothing about the distance to the minimum."""
        return math.nan

    def duality_gap(self, w: FloatArray, multipliers: FloatArray | None = None) -> float:
        """Return NaN: networks have no dual."""
        return math.nan

    def exploded(self, value: float, gradient: FloatArray, t: int) -> str:
        """Say at which update the loss grew out of bounds, and which layer's gradient grew."""
        per_epoch, groups = self._n_batches, self.network.layout.groups
        sizes = [float(np.abs(group.view(gradient)).max()) for group in groups]
        # The backward pass starts at the output: the last group that is not finite was the first.
        broken = [k for k, size in enumerate(sizes) if not math.isfinite(size)]
        group = groups[broken[-1] if broken else int(np.argmax(sizes))]
        n_layers = len(self.network.sizes) - 1
        return (
            f"The loss rose to {value:.3g} in epoch {t // per_epoch + 1}, step "
            f"{t % per_epoch + 1}; the gradient of the {group.role.value} of layer "
            f"{group.layer + 1} of {n_layers} grew most"
        )

    # -- values and derivatives ---------------------------------------------------------------

    def value(self, w: FloatArray) -> float:
        """Compute F(w), without anything random."""
        self.passes += 0.5
        parameters, moments = self.network.layout.parameters(w), self.moments(w)

        def part(rows: slice) -> float:
            batch = self.rows(rows)
            ws = self.network.workspace(batch.X.shape[0], self.dtype)
            raw = self.network.forward(parameters, batch.X, ws, moments=moments)
            return self._passes.sum(self.loss.value(batch.y, raw.T), batch.weight)

        return sum(map_in_order(part, self._blocks())) + self.penalty_value(w)

    def value_and_gradient(self, w: FloatArray) -> tuple[float, FloatArray]:
        """Compute value and gradient of the smooth part of F, without anything random."""
        self.passes += 1.0
        parameters = self.network.layout.parameters(w)

        def part(rows: slice) -> tuple[float, FloatArray]:
            batch, gradient = self.rows(rows), np.empty(self.n_params, self.dtype)
            ws = self.network.workspace(batch.X.shape[0], self.dtype)
            into = self.network.layout.parameters(gradient)
            return self._passes.walk(parameters, batch, ws, 1.0, into), gradient

        value, gradient = 0.0, np.zeros(self.n_params, self.dtype)
        for part_value, part_gradient in map_in_order(part, self._blocks()):
            value += part_value
            gradient += part_gradient
        return value + self.add_penalty(w, gradient), gradient

    def linearise(self, w: FloatArray) -> NetworkLinearisation:
        """Prepare products with the Hessian and the Gauss-Newton matrix at w, and count them."""
        return NetworkLinearisation(self, w, self._blocks())

    def linearised_batch(self, batch: NetworkBatch) -> RowBlock:
        """Take up the last `loss_and_gradient`, of this batch; valid until parameters move."""
        parameters, ws = self._passes.last(batch)
        weight = self._passes.weight(batch, 1.0 / self.share_of(batch))
        return RowBlock.of(self.network, self.loss, parameters, ws, batch.y, weight)

    def loss_and_gradient(
        self, w: FloatArray, batch: NetworkBatch, *, compiled: bool = False
    ) -> tuple[float, FloatArray]:
        """Estimate value and gradient of F without its penalty by a batch.

        The gradient is a buffer that the next call overwrites. With ``compiled``, compiled loops
        do it where they know how to; they leave nothing for `linearised_batch`.
        """
        share = self.share_of(batch)
        self.passes += share
        return self._passes.batch(w, batch, 1.0 / share, compiled=compiled)

    # -- penalty ------------------------------------------------------------------------------

    def add_penalty(self, w: FloatArray, gradient: FloatArray) -> float:
        """Add the gradient of a smooth penalty in place and return its value, else 0."""
        if not self.penalty.smooth:
            return 0.0
        self.add_penalty_gradient(w, gradient)
        return self.penalty_value(w)

    def add_penalty_gradient(self, w: FloatArray, gradient: FloatArray) -> None:
        """Add the gradient of a smooth penalty in place."""
        strength = self.penalty.strong_convexity
        if not self.penalty.smooth or strength == 0.0:
            return
        axpy = saxpy if self.dtype == np.float32 else daxpy
        for where in self._weights:
            axpy(w[where], gradient[where], a=strength)

    def penalty_value(self, w: FloatArray) -> float:
        """Compute the penalty."""
        return sum(self.penalty.value(w[where]) for where in self._weights)

    def nonsmooth_value(self, w: FloatArray) -> float:
        """Compute the part of F that `value_and_gradient` leaves out; 0 for smooth penalties."""
        return 0.0 if self.penalty.smooth else self.penalty_value(w)

    def prox(self, w: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Apply the proximal operator of a non-smooth penalty; step_size may be an array like w."""
        if self.penalty.smooth:
            return w
        moved = w.copy()
        for where in self._weights:
            step = step_size[where] if isinstance(step_size, np.ndarray) else step_size
            moved[where] = self.penalty.prox(w[where], step)
        return moved

    # -- rows ---------------------------------------------------------------------------------

    def batches(
        self, batch_size: int, rng: np.random.Generator, *, shuffle: bool
    ) -> Iterator[NetworkBatch]:
        """Yield every row once, in batches, with what training adds at random."""
        n = self.n_samples
        order = rng.permutation(n) if shuffle else None
        self._n_batches = -(-n // batch_size)
        for start, stop in self._chunks(batch_size):
            rows = slice(start, stop) if order is None else order[start:stop]
            chunk = self.rows(rows)._replace(rng=rng)
            for first, end in cut(stop - start, batch_size, alone=not self._rows_depend):
                part = chunk.take(slice(first, end))
                yield part if self.augmentation is None else self._augmented(part, rng)

    def share_of(self, batch: NetworkBatch) -> float:
        """Tell which fraction of the rows a batch holds."""
        return batch.X.shape[0] / self.n_samples

    def subsample(self, n_samples: int) -> NetworkObjective:
        """Restrict to evenly spaced rows."""
        part = copy(self)
        rows = np.arange(0, self.n_samples, max(1, self.n_samples // n_samples))
        part.X, part.y = take_rows(self.X, rows), self.y[rows]
        part.n_samples, part.share = len(rows), 1.0 / len(rows)
        part._passes = Passes(self.network, self.loss, part.share, self.dtype)
        if self.weight is not None:
            part.weight = self.weight[rows] * (1.0 / self.weight[rows].sum())
        return part

    def sample(self, n_samples: int) -> Matrix:
        """Copy evenly spaced rows of X, as the network sees them."""
        return self.rows(np.arange(0, self.n_samples, max(1, self.n_samples // n_samples))).X

    def moments(self, w: FloatArray) -> list[Moments] | None:
        """Compute the moments that predictions need, layer by layer; None if they need none."""
        if not self._rows_depend:
            return None
        X = self.sample(MOMENT_ROWS)
        ws = self.network.workspace(X.shape[0], self.dtype)
        self.network.forward(self.network.layout.parameters(w), X, ws)
        return [hidden.moments for hidden in ws.hidden if hidden.moments is not None]

    def rows(self, rows: slice | IntArray) -> NetworkBatch:
        """Take some rows, as the network sees them."""
        X = take_rows(self.X, rows)
        X = (X if self.scaler is None else self.scaler(X)).astype(self.dtype, copy=False)
        weight = None if self.weight is None else self.weight[rows]
        return NetworkBatch(X, self.y[rows], weight, None)

    def _augmented(self, batch: NetworkBatch, rng: np.random.Generator) -> NetworkBatch:
        assert self.augmentation is not None
        if self._column_scale is None:
            self._column_scale = column_scale(self.sample(MOMENT_ROWS)).astype(self.dtype)
        # An augmentation may change the batch in place.
        X = batch.X.copy() if np.may_share_memory(batch.X, self.X) else batch.X
        X, y = self.augmentation.apply(X, batch.y, rng, self._column_scale)
        return batch._replace(X=X, y=y)

    def _chunks(self, batch_size: int) -> Sequence[tuple[int, int]]:
        n, row_bytes = self.n_samples, self.X.shape[1] * self.dtype.itemsize
        size = max(1, CHUNK_BYTES // row_bytes // batch_size) * batch_size
        return cut(n, size, alone=not self._rows_depend)

    @property
    def _rows_depend(self) -> bool:
        """Whether a row's prediction depends on the others in its batch, in training."""
        normalization = self.network.normalization
        return normalization is not None and normalization.mixes_rows

    def _blocks(self) -> list[slice]:
        """Cut all rows for a full pass; a normalisation over rows has to see all at once."""
        if self._rows_depend:
            return [slice(0, self.n_samples)]
        row_bytes = sum(self.network.sizes) * self.dtype.itemsize
        size = max(1, ACTIVATION_BYTES // row_bytes)
        return [
            slice(start, min(start + size, self.n_samples))
            for start in range(0, self.n_samples, size)
        ]
