"""The loop that variance-reduced methods share: epochs of updates, and looks at all rows."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, final

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.coordinates import Batching
from skgrad.finite_sum import Estimator, FiniteSum, Memory
from skgrad.objective import Objective
from skgrad.solvers._base import (
    ROUNDING,
    AnyObjective,
    Run,
    Solver,
    State,
    Status,
    diverged,
    first_order_gap,
    least_gap,
    norm,
)
from skgrad.solvers._newton_gap import constrained_gap, newton_gap

# Epochs between looks at all rows while nothing says that the minimum is near.
LOOK_EVERY = 5
# Curvatures met lately that count.
CURVATURE_MEMORY = 20
# Units of rounding by which the objective may rise between two looks.
NOISE = 100.0
# The objective falls on average only: so many rises one after the other are no accident. (Those of
# SAG are: its table lags behind, so it swings to the minimum as with momentum, at first even higher
# than where it started.)
RISES = 2
SWING = 100.0
# With a given step that is the end, which an automatic one would not let come.
DIVERGED = 1e6
# Looks at which the objective was the same to rounding: no epoch will change it any more.
STALLS = 10
# An automatic step that was halved so often was not the reason why the objective rises.
MAX_HALVINGS = 40


@dataclass(slots=True)
class ReducedState(State):
    """The functions that are summed, what is remembered of them, and the last look at all rows.

    ``highest`` is the objective at the start: an epoch that ends above it is made again with half
    the step. ``epoch`` counts the epochs, and seeds the order of the rows.
    """

    parts: FiniteSum | None = None
    memory: Memory | None = None
    epoch: int = 0
    n_halvings: int = 0
    n_rises: int = 0
    n_stalls: int = 0
    highest: float = math.inf
    looked_at: FloatArray | None = None
    seen: float = math.inf
    gradient: FloatArray | None = None
    curvatures: tuple[float, ...] = ()
    exact: bool = True


class VarianceReduced(Solver):
    """Base of the methods that keep an estimate of the whole gradient and correct it row by row.

    A subclass says how (`estimator`) and how long steps are (`automatic_step`).
    """

    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.LINEAR, Capability.SMOOTH_LOSS})
    estimator: ClassVar[Estimator]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    }
    learning_rate: float | str
    # Updates of an epoch, in units of the number of rows.
    inner: float = 1.0

    @abstractmethod
    def automatic_step(self, smoothness: float) -> float:
        """Choose the step from the largest curvature of a part over its probability."""

    @final
    def batching(self, n_samples: int) -> Batching:
        """Single rows: large sparse data get their coordinates at once."""
        return Batching(1, plain=True)

    @final
    def in_coordinates(self, objective: AnyObjective) -> AnyObjective:
        """Keep large sparse rows sparse; decorrelate small data."""
        return objective.for_rows()

    @final
    def init(self, objective: Objective, w: FloatArray, run: Run) -> ReducedState:
        """Remember the gradients of all rows at w, and choose the step."""
        parts = objective.finite_sum()
        value, memory = parts.remember(w)
        objective.passes += 1.0
        value += objective.penalty_value(w)
        rate = self.learning_rate
        if isinstance(rate, str):
            rate = self.automatic_step(parts.smoothness) if parts.smoothness > 0.0 else 1.0
        return ReducedState(
            value, step_size=float(rate), parts=parts, memory=memory, highest=value, seen=value,
        )  # fmt: skip

    @final
    def step(
        self, objective: Objective, w: FloatArray, state: ReducedState, run: Run
    ) -> tuple[FloatArray, ReducedState]:
        """Make an epoch of updates, then look at all rows if that is cheap or tells something."""
        parts, memory = state.parts, state.memory
        assert parts is not None and memory is not None
        rng = np.random.default_rng(state.epoch)
        n_updates = max(1, round(float(self.inner) * parts.n_parts))
        moved, memory, loss = parts.walk(w, memory, self.estimator, state.step_size, n_updates, rng)
        objective.passes += float(self.inner)
        state = replace(state, epoch=state.epoch + 1, gap=math.nan, status=None)
        value = loss + objective.penalty_value(moved)
        if not self.estimator.refresh:
            loss, memory = parts.remember(moved)
            objective.passes += 1.0
            value = loss + objective.penalty_value(moved)
        gradient = memory.gradient.ravel().astype(w.dtype)
        objective.add_penalty(moved, gradient)
        due = self._is_due(objective, moved, value, gradient, state, run)
        if due and self.estimator.refresh:
            value, gradient = objective.value_and_gradient(moved)
            value += objective.nonsmooth_value(moved)
        noise = NOISE * float(np.finfo(w.dtype).eps) * abs(state.highest)
        if not value <= self._ceiling(state.highest, noise, exact=due):
            if not isinstance(self.learning_rate, str):
                raise diverged(self, value, state.step_size)
            return w, self._halve(state)
        state = replace(state, value=value, gradient_norm=norm(gradient), memory=memory, exact=due)
        return moved, self._look(objective, moved, gradient, noise, state) if due else state

    @final
    def finish(
        self, objective: Objective, w: FloatArray, state: ReducedState
    ) -> tuple[FloatArray, ReducedState]:
        """Evaluate the objective at the last iterate, unless that was done."""
        if state.exact:
            return w, state
        value, gradient = objective.value_and_gradient(w)
        gap = self._gap(objective, w, gradient, state.curvatures)
        value += objective.nonsmooth_value(w)
        return w, replace(state, value=value, gap=gap, gradient_norm=norm(gradient))

    def _is_due(
        self, objective: Objective, w: FloatArray, value: float, gradient: FloatArray,
        state: ReducedState, run: Run,
    ) -> bool:  # fmt: skip
        """Decide whether to look at all rows: what is remembered estimates the gap, too."""
        assert state.parts is not None
        if not self.estimator.refresh or not state.parts.is_large:
            return True
        estimate = objective.gradient_gap(w, gradient)
        return estimate <= run.tol * abs(value) or state.epoch % LOOK_EVERY == 0

    def _look(
        self, objective: Objective, w: FloatArray, gradient: FloatArray, noise: float,
        state: ReducedState,
    ) -> ReducedState:  # fmt: skip
        """Measure the gap where value and gradient are exact; shorten steps that do not descend."""
        curvatures = state.curvatures
        if state.looked_at is not None and state.gradient is not None:
            change = w.astype(np.float64) - state.looked_at
            length = float(change @ change)
            if length > 0.0:
                met = float(change @ (gradient - state.gradient)) / length
                curvatures = (*curvatures, met)[-CURVATURE_MEMORY:]
        gap = self._gap(objective, w, gradient, curvatures)
        n_rises = state.n_rises + 1 if state.value > state.seen + noise else 0
        rounding = ROUNDING * float(np.finfo(w.dtype).eps) * abs(state.value)
        n_stalls = state.n_stalls + 1 if abs(state.value - state.seen) <= rounding else 0
        proof = objective.gradient_gap_is_proof(gradient)
        bound = objective.gradient_gap(w, gradient) if proof else math.nan
        state = replace(
            state, gap=gap, looked_at=w, gradient=gradient, curvatures=curvatures,
            seen=state.value, n_rises=n_rises, n_stalls=n_stalls, bound=bound,
        )  # fmt: skip
        if n_stalls >= STALLS:
            # The bounds may be rounding divided by a weak penalty; the Hessian knows better.
            gap = least_gap(gap, newton_gap(objective, w, gradient))
            return replace(state, gap=gap, status=Status.PRECISION)
        rises = n_rises >= RISES and isinstance(self.learning_rate, str)
        return self._halve(state) if rises and not self.estimator.biased else state

    def _ceiling(self, highest: float, noise: float, *, exact: bool) -> float:
        """Tell how large the objective may become; a mean over an epoch is no exact value."""
        if not isinstance(self.learning_rate, str):
            return DIVERGED * highest
        if self.estimator.biased:
            return SWING * highest
        return highest + noise if exact else 2.0 * highest

    def _halve(self, state: ReducedState) -> ReducedState:
        """Shorten an automatic step."""
        n_halvings = state.n_halvings + 1
        status = Status.PRECISION if n_halvings > MAX_HALVINGS else None
        return replace(state, step_size=0.5 * state.step_size, n_halvings=n_halvings, status=status)

    @staticmethod
    def _gap(
        objective: Objective, w: FloatArray, gradient: FloatArray, curvatures: tuple[float, ...]
    ) -> float:
        """Bound or estimate the distance to the minimum, in the way that the penalty allows."""
        if Capability.SMOOTH_PENALTY in objective.offers:
            return first_order_gap(objective, w, gradient, curvatures)
        bound = objective.gradient_gap(w, gradient)
        return constrained_gap(objective, w, gradient) if math.isnan(bound) else bound
