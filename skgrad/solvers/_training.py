"""An epoch of mini-batches over a network, all in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol

import numpy as np

from skgrad._kernels.formulas import CompiledUpdate
from skgrad._typing import FloatArray
from skgrad.network_batch import NetworkBatch
from skgrad.network_objective import NetworkObjective
from skgrad.row_epochs import Plan, Walk
from skgrad.solvers._base import DivergenceError
from skgrad.solvers._clipping import clip_units, clipped

Moments = tuple[FloatArray, ...]
Update = Callable[[FloatArray, Moments, int, float], tuple[FloatArray, float | FloatArray, Moments]]

# An update in numpy costs some ten passes over the parameters (235,000 of them: 0.6 ms), a compiled
# one a single pass (0.1 ms), but importing the compiler half a second.
COMPILED_ELEMENTS = 1_000_000
COMPILED_WORK = 1_000_000_000


def compiled_training_pays(objective: NetworkObjective, plan: Plan, horizon: int) -> bool:
    """Tell whether updates should be compiled: for large data, or for many large updates.

    As for linear models, the test may not look at whether the compiler is there already.
    """
    n_samples, n_features = objective.X.shape
    n_updates = -(-n_samples // plan.batch_size) * horizon
    large = n_samples * n_features >= COMPILED_ELEMENTS
    return large or n_updates * objective.n_params >= COMPILED_WORK


class Updates(Protocol):
    """What moves the parameters w, in place, after every batch.

    ``compiled`` tells whether gradients may come from compiled loops, too.
    """

    compiled: ClassVar[bool]
    w: FloatArray

    def __call__(
        self, batch: NetworkBatch, gradient: FloatArray, t: int, rate: float
    ) -> float | FloatArray:
        """Move, given a batch and its gradient at w; return the step size of each coordinate."""

    def result(self) -> Moments:
        """Return what the next epoch has to know."""


class NumpyUpdates:
    """Updates by a solver's own `update`."""

    compiled: ClassVar[bool] = False

    def __init__(self, update: Update, objective: NetworkObjective, walk: Walk) -> None:
        self.update, self.factors = update, objective.rate_factors
        self.w, self.moments = walk.iterate.copy(), walk.moments

    def __call__(
        self, batch: NetworkBatch, gradient: FloatArray, t: int, rate: float
    ) -> float | FloatArray:
        """Move w in place; return the step size, per coordinate for adaptive methods."""
        displacement, step_size, self.moments = self.update(gradient, self.moments, t, rate)
        if self.factors is not None:
            displacement = displacement * self.factors
            step_size = step_size * self.factors
        self.w += displacement
        return step_size

    def result(self) -> Moments:
        """Return the moments."""
        return self.moments


class CompiledUpdates:
    """Updates by a compiled formula, in one pass over each group of parameters of equal rate."""

    compiled: ClassVar[bool] = True

    def __init__(self, formula: CompiledUpdate, objective: NetworkObjective, walk: Walk) -> None:
        from skgrad._kernels.updates import advance

        self.advance, self.formula = advance, int(formula.formula)
        self.parameters = np.array(formula.parameters or (0.0,))
        self.w, self.n_moments = walk.iterate.copy(), len(walk.moments)
        self.step_size = np.empty_like(self.w)
        self.parts: list[tuple[slice, float, FloatArray]] = []
        for where, factor in equal_rates(objective.rate_factors, len(self.w)):
            moments = [moment[where] for moment in walk.moments]
            length = where.stop - where.start
            self.parts.append(
                (where, factor, np.array(moments, self.w.dtype).reshape(-1, 1, length))
            )

    def __call__(
        self, batch: NetworkBatch, gradient: FloatArray, t: int, rate: float
    ) -> float | FloatArray:
        """Move w in place; return the step sizes."""
        for where, factor, moments in self.parts:
            self.advance(
                self.formula, self.parameters, t, rate * factor, gradient[where].reshape(1, -1),
                moments, self.w[where].reshape(1, -1), self.step_size[where].reshape(1, -1),
            )  # fmt: skip
        return self.step_size

    def result(self) -> Moments:
        """Return the moments."""
        blocks = [block for _, _, block in self.parts]
        return tuple(
            np.concatenate([block[k, 0] for block in blocks]) for k in range(self.n_moments)
        )


def equal_rates(factors: FloatArray | None, n_params: int) -> Iterator[tuple[slice, float]]:
    """Cut parameters where the factor of the learning rate changes."""
    if factors is None:
        yield slice(0, n_params), 1.0
        return
    ends = [*(np.flatnonzero(np.diff(factors)) + 1).tolist(), n_params]
    start = 0
    for end in ends:
        yield slice(start, end), float(factors[start])
        start = end


def train(
    objective: NetworkObjective,
    walk: Walk,
    plan: Plan,
    updates: Updates,
    batches: Iterator[NetworkBatch],
    *,
    weight_decay: float = 0.0,
    unit_limit: float = math.inf,
    largest_loss: float = math.inf,
) -> Walk:
    """Make one update per batch."""
    w, t, loss = updates.w, walk.t, 0.0
    decay = weight_decay * objective.decay_factors if weight_decay else None
    average = walk.average.copy() if plan.averaging else w
    gradient: Any = None
    for k, batch in enumerate(batches):
        value, gradient = objective.loss_and_gradient(w, batch, compiled=updates.compiled)
        if not value < largest_loss:
            raise DivergenceError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed. "
                f"{objective.exploded(value, gradient, t)}. Lower the learning rate, clip "
                "gradients (the solver's clip=), or scale the columns (input_scaling='standard')."
            )
        loss += objective.share_of(batch) * value
        objective.add_penalty_gradient(w, gradient)
        gradient = clipped(gradient, plan.largest_norm, plan.largest_entry)
        if unit_limit < math.inf:
            clip_units(objective.network.layout.groups, w, gradient, unit_limit)
        t, rate = t + 1, float(plan.rates[k // plan.every])
        if decay is not None:
            w *= 1.0 - rate * decay
        step_size = updates(batch, gradient, t, rate)
        if not objective.penalty.smooth:
            w[...] = objective.prox(w, step_size)
        if plan.averaging:
            average += (plan.averaging + 1) / (t + plan.averaging) * (w - average)
    return Walk(w, average, updates.result(), t, loss, gradient)
