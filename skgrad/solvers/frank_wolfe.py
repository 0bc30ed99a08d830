"""Conditional gradients: the Frank-Wolfe method and its variants with away steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.feasible import FeasibleSet, Settled
from skgrad.objective import Objective
from skgrad.solvers._active_set import START, ActiveSet, Atom
from skgrad.solvers._base import Run, Solver, State, Status, norm

# Of the adaptive step: how fast the estimate of the curvature falls and rises (Pedregosa et al.
# 2020, section 2).
EASING, STIFFENING = 0.9, 2.0
MAX_TRIALS = 60
# A line search ends where the slope has fallen to this share, or after so many points.
FLAT, MAX_POINTS = 1e-3, 30


class Move(NamedTuple):
    """A direction, the longest step along it, minus its slope, and what steps do to weights.

    A step of size t multiplies all weights by ``1 + t * growth``, and adds t times the numbers in
    ``changes``; the longest one drops the atom ``leaving``.
    """

    direction: FloatArray
    longest: float
    promise: float
    growth: float
    changes: tuple[tuple[Atom, float], ...]
    leaving: Atom | None = None

    def weigh(self, active: ActiveSet, step: float) -> ActiveSet:
        """Compute the active set after a step."""
        changes = [(atom, step * change) for atom, change in self.changes]
        leaving = self.leaving if step == self.longest else None
        return active.moved(1.0 + step * self.growth, changes, leaving)


class Landing(NamedTuple):
    """The end of a step: its size, the active set, the point, and the curvature met on the way."""

    step: float
    active: ActiveSet
    at: Settled
    curvature: float


Land: TypeAlias = Callable[[float, float], Landing]  # from a step, and the curvature supposed


@dataclass(slots=True)
class FrankWolfeState(State):
    """Gradient at w, the vertex it points away from, the active set, curvature and iterations.

    ``visited`` are the keys of the vertices since the last step that was a full one.
    """

    gradient: FloatArray | None = None
    vertex: Atom | None = None
    active: ActiveSet | None = None
    curvature: float = float("nan")
    n_iter: int = 0
    visited: frozenset[bytes] = frozenset()


class FrankWolfe(Solver):
    r"""Frank-Wolfe (conditional gradient): steps towards the vertex that a linear model points to.

    .. math:: s_t = \arg\min_{s \in C} \nabla f(w_t)' s, \qquad
              w_{t+1} = w_t + \eta_t (s_t - w_t)

    Nothing is projected: iterates are convex combinations of few vertices, which makes them sparse
    (`L1Ball`, `Simplex`) or of low rank (`NuclearNormBall`). The run stops on the Frank-Wolfe gap

    .. math:: \max_{s \in C} \nabla f(w)' (w - s) \ge f(w) - \min_C f,

    a certificate. After each step the intercepts, which are free, are minimised over.

    Parameters
    ----------
    variant : {"pairwise", "away", "vanilla"}, default="pairwise"
        "vanilla" is the method above, whose gap falls like 1 / t where the minimum lies on a face.
        "away" steps may also move away from the worst vertex in use, and "pairwise" ones shift
        weight from it to the new vertex; on polytopes (`L1Ball`, `Simplex`, `Box`) both converge
        linearly for strongly convex functions. Round sets (`L2Ball`) have ever new vertices, and
        "vanilla" is the faster there, or "away", which keeps fewer of them.
    step_size : {"adaptive", "line_search", "harmonic"}, default="adaptive"
        "adaptive" minimises a quadratic upper bound whose curvature is found by backtracking,
        "line_search" the function itself, and "harmonic" is 2 / (t + 2), for "vanilla" only.
    learning_rate : float or "auto", default="auto"
        Inverse of the curvature that "adaptive" steps try first; "auto" is that of the largest.

    Attributes
    ----------
    n_vertices_ : int
        Set on the fitted estimator: how many vertices the answer is a combination of. ("vanilla"
        steps never drop one, but for a full step.)

    References
    ----------
    M. Jaggi (2013). Revisiting Frank-Wolfe: projection-free sparse convex optimization. ICML 2013,
    algorithm 1 and eq. 2.

    S. Lacoste-Julien and M. Jaggi (2015). On the global linear convergence of Frank-Wolfe
    optimization variants. NeurIPS 28, algorithms 1 and 2.

    F. Pedregosa, G. Negiar, A. Askari and M. Jaggi (2020). Linearly convergent Frank-Wolfe with
    backtracking line-search. AISTATS 2020, algorithm 2.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import LinearRegression
    >>> from skgrad.penalties.constraints import L1Ball
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = LinearRegression(constraint=L1Ball(800.0), solver="frank_wolfe").fit(X, y)
    >>> lasso.n_vertices_, int((lasso.coef_ != 0).sum()), lasso.gap_is_certified_
    (3, 3, True)
    """

    name = "frank_wolfe"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LINEAR, Capability.SMOOTH_LOSS, Capability.BOUNDED_CONSTRAINT}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "variant": [StrOptions({"pairwise", "away", "vanilla"})],
        "step_size": [StrOptions({"adaptive", "line_search", "harmonic"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        variant: str = "pairwise",
        *,
        step_size: str = "adaptive",
        learning_rate: float | str = "auto",
    ) -> None:
        self.variant = variant
        self.step_size = step_size
        self.learning_rate = learning_rate

    def _check_values(self) -> None:
        if self.step_size == "harmonic" and self.variant != "vanilla":
            raise ValueError(
                f"step_size='harmonic' is for variant='vanilla'; {self.variant!r} steps need to "
                "decrease the objective. Use 'adaptive' or 'line_search'."
            )

    def init(self, objective: Objective, w: FloatArray, run: Run) -> FrankWolfeState:
        """Find the first vertex; the start itself is the first point in use."""
        feasible = objective.feasible
        feasible.check(w)
        start = Atom.of(feasible.coefficients(w), START)
        rate = self.learning_rate
        curvature = objective.smoothness(w).mean if isinstance(rate, str) else 1.0 / float(rate)
        state = FrankWolfeState(
            float("nan"), active=ActiveSet((start,), (1.0,)), curvature=curvature
        )
        return self._look_ahead(feasible, feasible.settle(w), state)

    def step(
        self, objective: Objective, w: FloatArray, state: FrankWolfeState, run: Run
    ) -> tuple[FloatArray, FrankWolfeState]:
        """Move towards a vertex, or away from one, or from one to the other."""
        assert state.active is not None and state.vertex is not None
        feasible = objective.feasible
        if state.n_iter == 0:
            w = feasible.settle(w).w
        x = feasible.coefficients(w)
        move = self._move(x, state)
        if not move.promise > 0.0:
            return w, replace(state, status=Status.PRECISION)
        active, intercepts = state.active, w - x

        def land(step: float, curvature: float) -> Landing:
            if self.variant == "vanilla":
                after, moved = active, x + step * move.direction
            else:
                after = move.weigh(active, step)
                moved = after.point(x)
            return Landing(step, after, feasible.settle(moved + intercepts), curvature)

        found = self._search(feasible, move, state, land)
        if found is None:
            return w, replace(state, status=Status.PRECISION)
        visited = frozenset() if found.step == 1.0 else state.visited
        state = replace(
            state, active=found.active, curvature=found.curvature, step_size=found.step,
            n_iter=state.n_iter + 1, visited=visited | {state.vertex.key},
        )  # fmt: skip
        return found.at.w, self._look_ahead(feasible, found.at, state)

    def attributes(self, state: FrankWolfeState) -> dict[str, Any]:
        """Report the number of vertices."""
        assert state.active is not None
        vanilla = self.variant == "vanilla"
        return {"n_vertices_": len(state.visited) if vanilla else state.active.n_vertices}

    def _look_ahead(
        self, feasible: FeasibleSet, at: Settled, state: FrankWolfeState
    ) -> FrankWolfeState:
        """Ask the oracle for the next vertex, which tells the gap."""
        gradient = feasible.gradient(at)
        vertex = Atom.of(feasible.vertex(gradient))
        gap = max(0.0, Atom.of(feasible.coefficients(at.w)).dot(gradient) - vertex.dot(gradient))
        return replace(
            state, value=at.value, gradient_norm=norm(gradient), gap=gap, bound=gap,
            gradient=gradient, vertex=vertex,
        )  # fmt: skip

    def _move(self, x: FloatArray, state: FrankWolfeState) -> Move:
        """Choose the direction (Lacoste-Julien and Jaggi 2015, algorithms 1 and 2)."""
        gradient, towards, active = state.gradient, state.vertex, state.active
        assert gradient is not None and towards is not None and active is not None
        if self.variant == "vanilla":
            return Move(towards.add_to(-x), 1.0, state.gap, -1.0, ())
        k = active.worst(gradient)
        away, weight = active.atoms[k], active.weights[k]
        height = away.dot(gradient)
        if self.variant == "pairwise":
            promise = height - towards.dot(gradient)
            direction = towards.add_to(away.add_to(np.zeros_like(x), -1.0))
            return Move(direction, weight, promise, 0.0, ((towards, 1.0), (away, -1.0)), away)
        promise = height - Atom.of(x).dot(gradient)
        if state.gap >= promise or len(active.atoms) == 1:
            return Move(towards.add_to(-x), 1.0, state.gap, -1.0, ((towards, 1.0),))
        longest = weight / (1.0 - weight)
        return Move(away.add_to(x.copy(), -1.0), longest, promise, 1.0, ((away, -1.0),), away)

    def _search(
        self, feasible: FeasibleSet, move: Move, state: FrankWolfeState, land: Land
    ) -> Landing | None:
        """Find the size of the step."""
        if self.step_size == "harmonic":
            return land(2.0 / (state.n_iter + 2.0), state.curvature)
        if self.step_size == "line_search":
            return _exact(feasible, move, state, land)
        return _adaptive(feasible, move, state, land)


def _adaptive(
    feasible: FeasibleSet, move: Move, state: FrankWolfeState, land: Land
) -> Landing | None:
    """Raise the curvature until its parabola bounds f at its minimiser (Pedregosa et al. 2020).

    Where the decrease is lost in the rounding of f, the slope there is compared instead.
    """
    square = float(np.square(move.direction, dtype=np.float64).sum())
    noise = 10 * float(np.finfo(move.direction.dtype).eps) * abs(state.value)
    curvature = EASING * state.curvature
    for _ in range(MAX_TRIALS):
        step = min(move.promise / (curvature * square), move.longest)
        landing = land(step, curvature)
        if step * move.promise > noise:
            bound = state.value - step * move.promise + 0.5 * step**2 * curvature * square
            bounded = landing.at.value <= bound + noise
        else:
            slope = float(feasible.gradient(landing.at) @ move.direction)
            bounded = slope <= step * curvature * square - move.promise
        if bounded:
            return landing
        curvature *= STIFFENING
    return None


def _exact(feasible: FeasibleSet, move: Move, state: FrankWolfeState, land: Land) -> Landing | None:
    """Find the root of the slope along the move: by secants, in one for a quadratic function.

    An end that stays put twice has its slope halved (Illinois), so that both ends move.
    """
    low, low_slope, high, high_slope = 0.0, -move.promise, math.inf, math.inf
    step, was_low = move.longest, None
    for _ in range(MAX_POINTS):
        landing = land(step, state.curvature)
        slope = float(feasible.gradient(landing.at) @ move.direction)
        slope = slope if math.isfinite(landing.at.value + slope) else math.inf
        if abs(slope) <= FLAT * move.promise or (slope < 0.0 and math.isinf(high)):
            return landing
        is_low = slope < 0.0
        if is_low:
            low, low_slope = step, slope
            high_slope *= 0.5 if was_low else 1.0
        else:
            high, high_slope = step, slope
            low_slope *= 0.5 if was_low is False else 1.0
        was_low = is_low
        share = -low_slope / (high_slope - low_slope) if math.isfinite(high_slope) else 0.5
        step = low + share * (high - low)
    return landing if landing.at.value <= state.value else None
