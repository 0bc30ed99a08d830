"""The contract of a solver, and the one loop that runs them all."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar, TypeAlias, final

import numpy as np

from skgrad._parameters import Parameterized
from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.coordinates import Batching
from skgrad.objective import Objective

# Units of rounding, relative to where a run starts, that no stop rule looks below.
ROUNDING = 4.0


# Steps along gradients meet the flattest direction rarely: it may be this much flatter still.
CURVATURE_MARGIN = 10.0


class Status(Enum):
    """Outcome of a run; the value is the sentence that users read."""

    CONVERGED = "the estimated relative suboptimality reached tol"
    STALLED = "the loss stopped improving"
    SCHEDULE_ENDED = "the learning-rate schedule came to its end"
    PRECISION = "no step decreases the objective in floating-point arithmetic any more"
    MAX_ITER = "max_iter iterations were not enough"
    DIVERGED = "the loss grew out of bounds"
    STOPPED = "a callback asked to stop"


class IncompatibleSolverError(ValueError):
    """The solver cannot minimise this objective."""


class DivergenceError(FloatingPointError, ValueError):
    """The objective became infinite or NaN during a run."""


@dataclass(slots=True)
class State:
    """What every solver's state tells the loop; solvers add their own fields.

    ``gap`` estimates F(w) - min F and is NaN where the solver has no estimate at this iteration.
    ``bound`` is an upper bound of it without ifs, NaN where the solver has none. A solver that
    cannot go on sets ``status``, one that met a singular Hessian sets ``singular``.
    """

    value: float
    gradient_norm: float = float("nan")
    step_size: float = float("nan")
    gap: float = float("nan")
    status: Status | None = None
    singular: bool = False
    bound: float = float("nan")


@dataclass(frozen=True, slots=True)
class Run:
    """What a solver may know of the run that it is part of."""

    rng: np.random.Generator | None
    tol: float
    n_iter_no_change: int
    horizon: int  # iterations that schedules plan for
    is_last: bool = False  # whether the run ends with this iteration


@dataclass(frozen=True, slots=True)
class Iteration:
    """What a callback sees: the number of the iteration, the parameters and the solver's state."""

    n_iter: int
    w: FloatArray
    state: State


Callback = Callable[[Iteration], bool | None]

# An `Objective`, or a `NetworkObjective`: a solver uses what it needs of them, and `check` has made
# sure that it is there.
AnyObjective: TypeAlias = Any


@dataclass(slots=True)
class History:
    """One row per iteration."""

    loss: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    step_size: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    passes: list[float] = field(default_factory=list)

    def append(self, state: State, seconds: float, passes: float) -> None:
        """Add a row."""
        self.loss.append(state.value)
        self.gradient_norm.append(state.gradient_norm)
        self.step_size.append(state.step_size)
        self.gap.append(state.gap)
        self.seconds.append(seconds)
        self.passes.append(passes)

    def arrays(self) -> dict[str, FloatArray]:
        """Convert to a dict of arrays, ready for pandas.DataFrame."""
        return {name: np.array(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a run.

    Attributes
    ----------
    w : array
        Parameters, in the objective's coordinates.
    value, gap : float
        Objective at w and the estimate of its distance to the minimum (NaN if there is none).
    relative_gap : float
        The gap relative to the objective, or to the rounding error of where the run started.
    n_iter : int
        Iterations made in this run.
    status : Status
        Why the run ended.
    history : dict of arrays
        loss, gradient_norm, step_size, gap, seconds and passes over the data, one entry each
        iteration.
    state : State
        Pass it to another run to go on where this one ended.
    """

    w: FloatArray
    value: float
    gap: float
    relative_gap: float
    n_iter: int
    status: Status
    history: dict[str, FloatArray]
    state: State


class Solver(Parameterized, ABC):
    """Base of all solvers: hyper-parameters, and the loop over `step`.

    A solver writes `init` and `step`. It holds hyper-parameters only: a run never changes it, and
    everything that a run remembers is in the state that `step` returns.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Capability]] = frozenset()
    # Whether iterations see mini-batches only, so that a stream of chunks can be learned.
    stochastic: ClassVar[bool] = False
    # Whether steps depend on the coordinates, so that decorrelated columns make them faster.
    first_order: ClassVar[bool] = False
    # Solvers whose iterates stay noisy count as converged at a looser suboptimality.
    acceptable_gap: ClassVar[float] = 1e-6
    # Whether a bound from the subgradients at the last iterate is worth a pass over the data: not
    # where iterates jump about kinks.
    provable: ClassVar[bool] = True

    @property
    def draws(self) -> bool:
        """Whether a run draws random numbers."""
        return self.stochastic

    def batching(self, n_samples: int) -> Batching | None:
        """Tell what batches iterations make of so many rows; None where they see all rows."""
        return None

    def in_coordinates(self, objective: AnyObjective) -> AnyObjective:
        """Choose the coordinates to walk in; a run starts and ends in the objective's own."""
        return objective.decorrelated() if self.first_order else objective

    @abstractmethod
    def init(self, objective: AnyObjective, w: FloatArray, run: Run) -> State:
        """Build the state before the first step."""

    @abstractmethod
    def step(
        self, objective: AnyObjective, w: FloatArray, state: Any, run: Run
    ) -> tuple[FloatArray, State]:
        """Make one iteration (for stochastic solvers: one pass over the data)."""

    def resume(self, objective: AnyObjective, w: FloatArray, state: Any) -> Any:
        """Take up the state of an earlier run; by default as it is."""
        return state

    def finish(
        self, objective: AnyObjective, w: FloatArray, state: Any
    ) -> tuple[FloatArray, State]:
        """Complete the last iterate and its state; by default they are exact already."""
        return w, state

    def multipliers(self, objective: AnyObjective, state: Any) -> FloatArray | None:
        """Return dual variables that belong to the last iterate, if the solver has any.

        For losses with kinks: a subgradient there says nothing about the distance to the minimum.
        """
        return None

    @final
    def check(self, objective: AnyObjective) -> None:
        """Raise if a hyper-parameter is invalid or the objective lacks what the solver needs."""
        self.validate()
        for need in sorted(self.needs - objective.offers, key=lambda need: need.value):
            able = [s.__name__ for s in _concrete(Solver) if s.needs <= objective.offers]
            raise IncompatibleSolverError(
                f"{type(self).__name__} needs {need.value}; {objective.lacks(need)}. Use "
                f"{', '.join(sorted(able))} or solver='auto'."
            )

    @final
    def run(
        self,
        objective: AnyObjective,
        w: FloatArray,
        *,
        tol: float = 1e-7,
        max_iter: int = 1000,
        rng: np.random.Generator | None = None,
        n_iter_no_change: int = 5,
        horizon: int | None = None,
        callbacks: Iterable[Callback] = (),
        state: State | None = None,
    ) -> Result:
        """Minimise the objective from w.

        Parameters
        ----------
        objective : Objective
            Function to minimise.
        w : array of shape (n_params,)
            Start, in the objective's coordinates.
        tol : float
            Stop when the estimate of ``(F(w) - min F) / |F(w)|`` is at most tol.
        max_iter : int
            Most iterations.
        rng : numpy.random.Generator, optional
            Source of randomness of stochastic solvers.
        n_iter_no_change : int
            Iterations without improvement before a stochastic solver counts as stalled.
        horizon : int, optional
            Iterations that a learning-rate schedule plans for; by default max_iter.
        callbacks : iterable of callables
            Each gets an `Iteration`; one that returns True ends the run.
        state : State, optional
            State of an earlier run to continue.

        Returns
        -------
        Result
        """
        self.check(objective)
        if rng is None and self.draws:
            rng = np.random.default_rng(0)
        settings = Run(rng, tol, n_iter_no_change, max_iter if horizon is None else horizon)
        callbacks = tuple(callbacks)
        history, started, n_iter = History(), time.perf_counter(), 0
        passes_before = objective.passes
        status = Status.MAX_ITER
        # Overflow is not a warning here: it ends the run with an error that says what to change.
        with np.errstate(over="ignore", invalid="ignore"):
            if state is None:
                state = self.init(objective, w, settings)
            else:
                state = self.resume(objective, w, state)
            # Differences below this are rounding, whatever tol asks for.
            floor = ROUNDING * float(np.finfo(objective.dtype).eps) * abs(state.value)
            for n_iter in range(1, max_iter + 1):
                if n_iter == max_iter:
                    settings = replace(settings, is_last=True)
                w, state = self.step(objective, w, state, settings)
                if not math.isfinite(state.value):
                    raise diverged(self, state.value, state.step_size)
                seconds = time.perf_counter() - started
                history.append(state, seconds, objective.passes - passes_before)
                wanted = [callback(Iteration(n_iter, w, state)) for callback in callbacks]
                if any(wanted):
                    status = Status.STOPPED
                elif state.gap <= tol * abs(state.value) + floor:
                    status = Status.CONVERGED
                elif state.status is not None:
                    status = state.status
                else:
                    continue
                break
            w, state = self.finish(objective, w, state)
        scale = abs(state.value) + floor
        relative = state.gap / scale if state.gap and scale else state.gap
        return Result(w, state.value, state.gap, relative, n_iter, status, history.arrays(), state)


def diverged(solver: Solver, value: float, step_size: float) -> DivergenceError:
    """Build the error that says what to change."""
    return DivergenceError(
        f"{type(solver).__name__} diverged: the objective rose to {value:.3g} with step size "
        f"{step_size:.3g}. Lower learning_rate, clip the gradient where the solver has clip=, or "
        "use solver='auto'."
    )


def _concrete(solver: type[Solver]) -> Iterator[type[Solver]]:
    for subclass in solver.__subclasses__():
        if not getattr(subclass, "__abstractmethods__", None):
            yield subclass
        yield from _concrete(subclass)


def curvature_gap(gradient_norm: float, curvatures: Iterable[float]) -> float:
    """Estimate F(w) - min F by |gradient|^2 / (2 mu), mu the least curvature met lately."""
    positive = [c for c in curvatures if c > 0.0]
    return gradient_norm**2 / (2 * min(positive)) if positive else float("nan")


def first_order_gap(
    objective: Objective, w: FloatArray, gradient: FloatArray, curvatures: Iterable[float]
) -> float:
    """Take the smaller of the penalty's bound and the estimate from the curvatures of recent steps.

    Where the loss's curvature jumps, those say little about the way ahead: the bound alone counts.
    """
    bound = objective.gradient_gap(w, gradient)
    if not objective.continuous_curvature and not math.isnan(bound):
        return bound
    return least_gap(bound, CURVATURE_MARGIN * curvature_gap(norm(gradient), curvatures))


def norm(vector: FloatArray) -> float:
    """Compute the Euclidean norm; several times faster than numpy's for short vectors."""
    return math.sqrt(float(vector @ vector))


def least_gap(*estimates: float) -> float:
    """Take the smallest estimate that is a number."""
    known = [gap for gap in estimates if gap == gap]
    return min(known, default=float("nan"))
