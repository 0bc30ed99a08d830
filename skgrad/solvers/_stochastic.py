"""The epoch loop that all mini-batch solvers share."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, final

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._kernels.formulas import CompiledUpdate
from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.coordinates import Batching
from skgrad.network_objective import NetworkObjective
from skgrad.objective import Objective
from skgrad.row_epochs import Plan, Walk
from skgrad.schedules import Constant, Schedule, get_schedule
from skgrad.solvers._base import (
    AnyObjective,
    IncompatibleSolverError,
    Run,
    Solver,
    State,
    Status,
    diverged,
    norm,
)
from skgrad.solvers._clipping import adaptive_limit, limits
from skgrad.solvers._epochs import compiled_pays, walk_batches
from skgrad.solvers._newton_gap import newton_gap
from skgrad.solvers._training import (
    CompiledUpdates,
    NumpyUpdates,
    Updates,
    compiled_training_pays,
    train,
)

# Updates of one epoch that batch_size="auto" aims at, and the bounds of a batch: smaller ones drown
# in interpreter overhead, larger ones gain no accuracy per row.
UPDATES_PER_EPOCH = 100
BATCH_BOUNDS = (32, 1024)
# An epoch counts as progress if it lowers the loss by this fraction.
PROGRESS = 1e-5
# The automatic rate grows by this factor every epoch until progress ends for the first time; from
# then on it is halved whenever progress ends, MAX_HALVINGS times at most: the noise of the iterates
# is proportional to the rate, and 2^-12 of it is below the tolerances that make sense here.
GROWTH = 1.2
MAX_HALVINGS = 12
# A running loss this many times the first one will not come down again.
DIVERGED = 1e6
# Relative difference of two values of one objective at one point.
SAME = 1e-6
# A schedule is read this often an epoch at most: a call costs as much as the update of some rows.
RATES_PER_EPOCH = 256
# Degree of polynomial-decay averaging: larger forgets the start faster.
AVERAGING_DEGREE = 8.0

Moments = tuple[FloatArray, ...]


@dataclass(slots=True)
class StochasticState(State):
    """All that an epoch hands to the next.

    ``iterate`` is the point that updates move; when averaging, the parameters returned differ from
    it. ``t`` counts updates; ``rate`` is the initial learning rate, halved ``n_halvings`` times.
    ``initial_value`` is an estimate. ``last_value`` is the objective after the last epoch: if it is
    another one at the start of a run that continues this state, the data have changed, and the
    state belongs to a stream of chunks. An automatic rate has not been adapted to the last epoch of
    a run, ``is_adapted`` False: only a run that continues this one takes the pass that it needs.
    """

    iterate: FloatArray | None = None
    moments: Moments = ()
    t: int = 0
    rate: float = float("nan")
    n_halvings: int = 0
    best: float = float("inf")
    n_bad_epochs: int = 0
    initial_value: float = float("inf")
    last_value: float = float("nan")
    is_stream: bool = False
    n_chunks: int = 0
    is_adapted: bool = True

    def progressed(self, loss: float) -> StochasticState:
        """Count epochs without progress."""
        progress = self.best == math.inf or loss < self.best - PROGRESS * abs(self.best)
        n_bad = 0 if progress else self.n_bad_epochs + 1
        return replace(self, best=min(loss, self.best), n_bad_epochs=n_bad, last_value=loss)


class StochasticSolver(Solver):
    """Base of solvers that update after every mini-batch.

    A subclass says what one update is: `init_moments` and `update`. Batches, schedules, clipping,
    proximal steps for non-smooth penalties, averaging, and the stop rule are here.
    """

    stochastic: ClassVar[bool] = True
    first_order: ClassVar[bool] = True
    # What a constant rate typically leaves: the iterates go on jumping about the minimum.
    acceptable_gap: ClassVar[float] = 2e-2
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither"), str, Schedule],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "shuffle": ["boolean"],
        "clip": [Interval(Real, 0, None, closed="neither"), tuple, None],
        "average": ["boolean"],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
    }
    learning_rate: float | str | Schedule
    batch_size: int | str
    shuffle: bool
    clip: float | tuple[str, float] | None
    average: bool
    weight_decay: float = 0.0

    @abstractmethod
    def init_moments(self, w: FloatArray) -> Moments:
        """Build what an update remembers of earlier gradients."""

    @abstractmethod
    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, float | FloatArray, Moments]:
        """Compute displacement, step size (per coordinate for adaptive methods) and new moments.

        The step size goes into the proximal operator: with a scalar there, adaptive methods would
        settle at a point that is not the minimum.
        """

    def __init_subclass__(cls, **options: Any) -> None:
        """Forget an inherited `compiled_update` where `update` is another one."""
        super().__init_subclass__(**options)
        own = vars(cls)
        if "update" in own and "compiled_update" not in own:
            cls.compiled_update = StochasticSolver.compiled_update  # type: ignore[method-assign]

    def compiled_update(self) -> CompiledUpdate | None:
        """Name the formula that compiled loops know `update` by; None where they don't know it."""
        return None

    @abstractmethod
    def automatic_rate(self, objective: Objective, w: FloatArray, batch_size: int) -> float:
        """Derive a learning rate from the objective's smoothness, or from its gradient at w."""

    @final
    def batching(self, n_samples: int) -> Batching:
        """Tell the size of batches, and whether updates leave alone what has no gradient."""
        update = self.compiled_update()
        plain = update is not None and update.is_plain and self.clip is None and not self.average
        return Batching(self._batch_size(n_samples), plain)

    @final
    def in_coordinates(self, objective: Objective) -> Objective:
        """Decorrelate where batches are large enough to pay for it; keep sparse rows sparse."""
        return objective.for_batches(self.batching(objective.n_samples))

    @final
    def init(self, objective: Objective, w: FloatArray, run: Run) -> StochasticState:
        """Resolve the learning rate."""
        limits(self.clip)
        if Capability.LAYERS not in objective.offers:
            self._refuse_network_options()
        rate = get_schedule(self.learning_rate).initial
        if isinstance(rate, str):
            rate = self.automatic_rate(objective, w, self._batch_size(objective.n_samples))
        value = objective.rough_value(w)
        return StochasticState(
            value, initial_value=abs(value), iterate=w, moments=self.init_moments(w),
            rate=float(rate),
        )  # fmt: skip

    @final
    def step(
        self, objective: AnyObjective, w: FloatArray, state: StochasticState, run: Run
    ) -> tuple[FloatArray, StochasticState]:
        """Pass over the data once."""
        if not state.is_adapted:
            state = self._adapt(objective, w, state.progressed(state.last_value), run)
        assert state.iterate is not None and run.rng is not None
        schedule = get_schedule(self.learning_rate)
        plan = self._plan(objective, schedule, state, run)
        walk = Walk(state.iterate, w, state.moments, state.t, 0.0, w)
        update = self.compiled_update()
        if Capability.LAYERS in objective.offers:
            walk = self._train(objective, walk, plan, state, run)
        elif update is not None and compiled_pays(objective, plan, run.horizon):
            n = objective.n_samples
            order = run.rng.permutation(n) if self.shuffle else np.arange(n)
            walk = objective.row_epoch(walk, plan, update, order)
        else:
            batches = objective.batches(plan.batch_size, run.rng, shuffle=self.shuffle)
            walk = walk_batches(objective, walk, plan, self.update, batches)
        result = walk.average if self.average else walk.iterate
        progress = replace(
            state,
            value=walk.loss + objective.penalty_value(result),
            gradient_norm=norm(walk.gradient),
            step_size=float(plan.rates[-1]),
            gap=float("nan"),
            status=None,
            iterate=walk.iterate,
            moments=walk.moments,
            t=walk.t,
        )
        return result, self._watch(objective, result, progress, schedule, run)

    def _refuse_network_options(self) -> None:
        if self.weight_decay > 0.0:
            raise IncompatibleSolverError(
                f"weight_decay={self.weight_decay} is for networks. A linear model's penalty (C, "
                "alpha) shrinks its coefficients, and means the same for every solver."
            )
        if adaptive_limit(self.clip) < math.inf:
            raise IncompatibleSolverError(
                f"clip={self.clip!r} looks at the units of a network's layers; a linear model has "
                "none. Use a number, or ('norm', number) or ('value', number)."
            )

    def _train(
        self, objective: NetworkObjective, walk: Walk, plan: Plan, state: StochasticState, run: Run
    ) -> Walk:
        """Pass over the data of a network once."""
        assert run.rng is not None
        updates = self.network_updates(objective, walk, plan, run)
        batches = objective.batches(plan.batch_size, run.rng, shuffle=self.shuffle)
        weight_decay, limit = float(self.weight_decay), adaptive_limit(self.clip)
        # A start at the exact minimum, where the loss is zero, is no yardstick.
        largest = DIVERGED * state.initial_value or math.inf
        return train(
            objective, walk, plan, updates, batches,
            weight_decay=weight_decay, unit_limit=limit, largest_loss=largest,
        )  # fmt: skip

    def network_updates(
        self, objective: NetworkObjective, walk: Walk, plan: Plan, run: Run
    ) -> Updates:
        """Build what moves a network's parameters in an epoch; by default `update`, or a kernel."""
        formula = self.compiled_update()
        if formula is not None and compiled_training_pays(objective, plan, run.horizon):
            return CompiledUpdates(formula, objective, walk)
        return NumpyUpdates(self.update, objective, walk)

    @final
    def resume(
        self, objective: Objective, w: FloatArray, state: StochasticState
    ) -> StochasticState:
        """Notice that the data have changed."""
        if self.learning_rate != "auto" or state.is_stream or not objective.convex:
            return state
        change = abs(objective.value(w) - state.last_value)
        return replace(state, is_stream=change > SAME * abs(state.last_value))

    @final
    def finish(
        self, objective: Objective, w: FloatArray, state: StochasticState
    ) -> tuple[FloatArray, StochasticState]:
        """Evaluate the objective at the returned parameters: epochs only see running means."""
        if not objective.convex:
            return w, state
        value, gradient = objective.value_and_gradient(w)
        value += objective.nonsmooth_value(w)
        gap = newton_gap(objective, w, gradient) if math.isfinite(value) else math.nan
        length = norm(gradient)
        return w, replace(state, value=value, last_value=value, gap=gap, gradient_norm=length)

    def _plan(
        self, objective: Objective, schedule: Schedule, state: StochasticState, run: Run
    ) -> Plan:
        batch_size = self._batch_size(objective.n_samples)
        n_batches = -(-objective.n_samples // batch_size)
        every = -(-n_batches // RATES_PER_EPOCH)
        rates = [
            schedule.rate(state.rate, (state.t + k) / n_batches, run.horizon)
            for k in range(0, n_batches, every)
        ]
        degree = AVERAGING_DEGREE if self.average else 0.0
        return Plan(batch_size, np.array(rates), every, *limits(self.clip), degree)

    def _batch_size(self, n_samples: int) -> int:
        if not isinstance(self.batch_size, str):
            return min(int(self.batch_size), n_samples)
        low, high = BATCH_BOUNDS
        return min(max(low, min(high, n_samples // UPDATES_PER_EPOCH)), n_samples)

    def _watch(
        self,
        objective: Objective,
        w: FloatArray,
        state: StochasticState,
        schedule: Schedule,
        run: Run,
    ) -> StochasticState:
        """Adapt an automatic rate; end the run when there is nothing left to gain."""
        if not objective.convex:  # the estimator watches losses and scores
            return _react(state, schedule)
        if state.value > DIVERGED * state.initial_value and state.value > DIVERGED * abs(
            objective.value(objective.start())  # estimates from some rows may be low
        ):
            raise diverged(self, state.value, state.step_size)
        if self.learning_rate == "auto":
            if state.is_stream:
                # Losses of different chunks don't compare: decay like 1 / sqrt(chunks).
                n = state.n_chunks + 1
                return replace(state, n_chunks=n, rate=state.rate * math.sqrt(n / (n + 1.0)))
            if run.is_last:
                return replace(state, is_adapted=False)
            return self._adapt(objective, w, state.progressed(objective.value(w)), run)
        if isinstance(schedule, Constant):
            state = state.progressed(state.value)
            stalled = state.n_bad_epochs >= run.n_iter_no_change
            return replace(state, status=Status.STALLED) if stalled else state
        # Progress comes with the decay of the rate: let the schedule play to its end.
        state = _react(state, schedule)
        n_batches = -(-objective.n_samples // self._batch_size(objective.n_samples))
        ended = state.t >= n_batches * run.horizon
        return replace(state, status=Status.SCHEDULE_ENDED) if ended else state

    def _adapt(
        self, objective: Objective, w: FloatArray, state: StochasticState, run: Run
    ) -> StochasticState:
        """Let the rate grow while the loss falls, and halve it on plateaus."""
        state = replace(state, is_adapted=True)
        if state.n_bad_epochs == 0 and state.n_halvings == 0:
            return replace(state, rate=GROWTH * state.rate)
        if state.n_bad_epochs < run.n_iter_no_change:
            return state
        # A smaller rate is an occasion to measure the gap.
        _, state = self.finish(objective, w, state)
        return replace(
            # A lucky minimum among noisier iterates is no yardstick for the quieter ones.
            state, best=math.inf, rate=0.5 * state.rate, n_halvings=state.n_halvings + 1,
            n_bad_epochs=0,
            status=Status.STALLED if state.n_halvings >= MAX_HALVINGS else None,
        )  # fmt: skip


def _react(state: StochasticState, schedule: Schedule) -> StochasticState:
    """Change the rate by what a schedule makes of the epochs without progress."""
    state = state.progressed(state.value)
    factor = schedule.reaction(state.n_bad_epochs)
    if factor == 1.0:
        return state
    return replace(state, rate=factor * state.rate, n_bad_epochs=0)


def batch_smoothness(objective: Objective, w: FloatArray, batch_size: int) -> float:
    """Bound the curvature that mini-batches see (Gower et al. 2019, proposition 3.8).

    Interpolates between a row's curvature (batches of one) and the mean's (all rows).
    """
    n = objective.n_samples
    if batch_size == 1:
        return objective.row_smoothness(w)
    bounds = objective.smoothness(w)
    if batch_size >= n:
        return bounds.mean
    share = (n - batch_size) / (batch_size * (n - 1.0))
    return (1.0 - share) * bounds.mean + share * bounds.row


def displacement_scale(objective: Objective, w: FloatArray) -> float:
    """Guess how far a coordinate has to move: the largest one-dimensional Newton step."""
    return objective.displacement_scale(w)
