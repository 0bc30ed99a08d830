"""Updates of a network along the natural gradient, with Kronecker-factored curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skgrad._typing import FloatArray
from skgrad.models.network import KroneckerFactors, KroneckerInverse
from skgrad.network_batch import NetworkBatch
from skgrad.network_linearisation import RowBlock
from skgrad.network_objective import NetworkObjective
from skgrad.row_epochs import Walk
from skgrad.solvers._base import ROUNDING
from skgrad.solvers._batch_model import BatchModel
from skgrad.solvers._training import Moments, Update

# Levenberg-Marquardt rule (Martens and Grosse 2015, section 6.5, there every five updates): the
# change of the batch's loss is compared with the model's, and the damping changes by this factor. A
# step that raises the loss is not made, and the damping grows by the other one.
CHANGE = 0.95
POOR, GOOD = 0.25, 0.75
GROWTH = 4.0
# The damping of the factors is chosen for the least value of the model every so many updates, among
# its neighbours by this factor (section 6.6).
SEARCH_EVERY = 20
NEIGHBOUR = 0.6
# The model of some rows does well on these rows however small the damping is: then it does not fall
# below its start. With all rows in a batch it may, but a share like this of the first one is none.
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

    Where steps minimise the batch's model, two dampings adapt: that of the model, and that of the
    factors. The moments that an epoch hands to the next are the last displacement, both dampings
    and, from the first update on, the factors, which are decomposed anew when an epoch starts.

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

    # Factors come from what passes in NumPy leave.
    compiled: ClassVar[bool] = False

    def __init__(
        self, update: Update, settings: KroneckerSettings, objective: NetworkObjective,
        walk: Walk, rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.update, self.settings, self.objective, self.rng = update, settings, objective, rng
        self.w = walk.iterate.copy()
        self.last = walk.moments[0]
        self.damping, self.shift = (float(number) for number in walk.moments[1])
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
        inverse = self._inverse(block, t)
        if self.settings.plane:
            return self._move_by_model(block, inverse, gradient, t, rate)
        direction = inverse.solve(gradient, self.damping)
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
        self, block: RowBlock, inverse: KroneckerInverse, gradient: FloatArray, t: int, rate: float
    ) -> float:
        """Minimise the damped model in the plane of the direction and the last displacement."""
        model = BatchModel(self.objective, block, gradient, self.damping)
        inertia = [self.last] if self.settings.momentum and self.last.any() else []
        search = (1.0, NEIGHBOUR, 1.0 / NEIGHBOUR) if t % SEARCH_EVERY == 0 else (1.0,)
        steps = {
            factor * self.shift: model.minimise(
                [-inverse.solve(gradient, factor * self.shift), *inertia], rate
            )
            for factor in search
        }
        self.shift = min(steps, key=lambda shift: steps[shift].value)
        step = steps[self.shift]
        start, before = self.w.copy(), self._value(block)
        self._move(step.displacement)
        change = self._value(block) - before
        noise = ROUNDING * float(np.finfo(start.dtype).eps) * abs(before)
        if not change <= noise:
            self.w[...] = start
            self.last = np.zeros_like(start)
        if not abs(change) <= noise:
            self._adapt(change, step.predicted, whole=len(block.y) == self.objective.n_samples)
        return float(step.factors[0])

    def _value(self, block: RowBlock) -> float:
        parameters = self.objective.network.layout.parameters(self.w)
        return block.value_at(parameters) + self.objective.penalty_value(self.w)

    def _adapt(self, change: float, predicted: float, *, whole: bool) -> None:
        """Trust the model more or less, by how well it predicted the change of the batch's loss."""
        ratio = change / predicted if predicted < 0.0 else 0.0
        if not change < 0.0:
            self.damping *= GROWTH
            self.shift *= GROWTH
        elif ratio < POOR:
            self.damping /= CHANGE
        elif ratio > GOOD:
            least = self.settings.damping * (LEAST_DAMPING if whole else 1.0)
            self.damping = max(CHANGE * self.damping, least)

    def result(self) -> Moments:
        """Return the moments."""
        factors = () if self.factors is None else self.factors.flat()
        return (self.last, np.array([self.damping, self.shift]), *factors)
