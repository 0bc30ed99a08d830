"""Updates of a network along the natural gradient, with Kronecker-factored curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models.network import KroneckerFactors, KroneckerInverse
from skgrad.network_batch import NetworkBatch
from skgrad.network_linearisation import RowBlock
from skgrad.network_objective import NetworkObjective
from skgrad.row_epochs import Walk
from skgrad.solvers._training import Moments, Update

# Levenberg-Marquardt rule (Martens and Grosse 2015, section 6.5): every so many updates the change
# of the batch's loss is compared with the model's, and the damping changes by this factor for each
# of them.
CHECK_EVERY = 5
CHANGE_PER_UPDATE = 0.95
POOR, GOOD = 0.25, 0.75
# A damping below this share of the first one is none.
LEAST_DAMPING = 1e-10


@dataclass(frozen=True, slots=True)
class KroneckerSettings:
    """Hyper-parameters; see `NaturalGradient`.

    ``plane`` tells whether steps minimise the batch's model, with ``momentum`` in the plane of the
    direction and the last step.
    """

    damping: float
    decay: float
    update_every: int
    kl_clip: float
    plane: bool
    momentum: bool


class KroneckerUpdates:
    """Precondition each batch's gradient by the inverse of the running factors, and move.

    The moments that an epoch hands to the next are the last displacement, the damping and, from the
    first update on, the factors. The factors are decomposed anew at the start of each epoch.

    Parameters
    ----------
    update : callable
        Turns a natural gradient into a displacement, where steps are not the model's.
    settings : KroneckerSettings
        Hyper-parameters.
    objective : NetworkObjective
        What is minimised.
    walk : Walk
        Where the last epoch ended.
    rng : numpy.random.Generator
        Source of random signs.
    """

    def __init__(
        self, update: Update, settings: KroneckerSettings, objective: NetworkObjective,
        walk: Walk, rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.update, self.settings, self.objective, self.rng = update, settings, objective, rng
        self.w = walk.iterate.copy()
        self.last, self.damping = walk.moments[0], float(walk.moments[1])
        factors = walk.moments[2:]
        self.factors = KroneckerFactors.from_flat(factors) if factors else None
        self.inverse: KroneckerInverse | None = None
        self.ridge = objective.penalty.strong_convexity
        if self.factors is not None:
            self.inverse = self._invert(self.factors)

    def _invert(self, factors: KroneckerFactors) -> KroneckerInverse:
        return KroneckerInverse(self.objective.network.layout, factors, self.ridge)

    def __call__(self, batch: NetworkBatch, gradient: FloatArray, t: int, rate: float) -> float:
        """Move w in place; return the step size."""
        block = self.objective.linearised_batch(batch)
        direction = self._inverse(block, t).solve(gradient, self.damping)
        if self.settings.plane:
            return self._move_by_model(block, gradient, -direction, t, rate)
        steepness = rate * rate * float(gradient @ direction)
        if steepness > self.settings.kl_clip:
            rate *= math.sqrt(self.settings.kl_clip / steepness)
        displacement, _, _ = self.update(direction, (self.last,), t, rate)
        self._move(displacement)
        return rate

    def _move(self, displacement: FloatArray) -> None:
        if self.objective.rate_factors is not None:
            displacement = displacement * self.objective.rate_factors
        self.w += displacement
        self.last = displacement

    def _inverse(self, block: RowBlock, t: int) -> KroneckerInverse:
        """Mix the batch's factors in, and decompose them, when it is time."""
        due = (t - 1) % self.settings.update_every == 0
        if self.factors is None or self.inverse is None:
            self.factors = block.kronecker_factors(self.rng)
            self.inverse = self._invert(self.factors)
        elif due:
            # The first batches count alike: the average has no start to forget.
            n_updates = (t - 1) // self.settings.update_every + 1
            share = max(1.0 - self.settings.decay, 1.0 / n_updates)
            self.factors = self.factors.mixed(block.kronecker_factors(self.rng), share)
            self.inverse = self._invert(self.factors)
        return self.inverse

    def _move_by_model(
        self, block: RowBlock, gradient: FloatArray, direction: FloatArray, t: int, rate: float
    ) -> float:
        """Minimise the damped model in the plane of the direction and the last displacement."""
        inertia = self.settings.momentum and self.last.any()
        V = np.array([direction, self.last] if inertia else [direction])
        parameters = self.objective.network.layout.parameters
        forms = block.forms([parameters(v) for v in V]) + self._penalty_forms(V)
        slopes = (V @ gradient).astype(np.float64)
        steps = np.linalg.lstsq(forms + self.damping * (V @ V.T), -slopes)[0]
        predicted = rate * float(slopes @ steps) + 0.5 * rate**2 * float(steps @ forms @ steps)
        check = t % CHECK_EVERY == 0
        before = self._value(block) if check else 0.0
        self._move((rate * steps).astype(V.dtype) @ V)
        if check:
            self._adapt(self._value(block) - before, predicted)
        return rate * float(steps[0])

    def _penalty_forms(self, V: FloatArray) -> FloatArray:
        curved = np.zeros_like(V)
        for v, image in zip(V, curved, strict=True):
            self.objective.add_penalty_gradient(v, image)
        return (V @ curved.T).astype(np.float64)

    def _value(self, block: RowBlock) -> float:
        parameters = self.objective.network.layout.parameters(self.w)
        return block.value_at(parameters) + self.objective.penalty_value(self.w)

    def _adapt(self, actual: float, predicted: float) -> None:
        """Trust the model more or less, by how well it predicted the change of the batch's loss."""
        ratio = actual / predicted if predicted < 0.0 else 0.0
        factor = CHANGE_PER_UPDATE**CHECK_EVERY
        if ratio > GOOD:
            self.damping = max(self.damping * factor, LEAST_DAMPING * self.settings.damping)
        elif not ratio >= POOR:
            self.damping /= factor

    def result(self) -> Moments:
        """Return the moments."""
        factors = () if self.factors is None else self.factors.flat()
        return (self.last, np.array(self.damping), *factors)
