"""The scale of the residuals, estimated together with the coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from skgrad._typing import FloatArray
from skgrad.linear_model._problem import Problem, Run
from skgrad.losses import Huber
from skgrad.objective import Objective
from skgrad.penalties import L2
from skgrad.solvers import Result, Status

# Least scale, relative to the first guess, as a power of the unit of rounding (1e-12, for float32
# 6e-6). Further below, residuals and gradients are rounding errors.
LEAST_SCALE = 0.75
# As the minimum falls by at most sigma from there to a scale of zero, no smaller one is tried than
# this share of the accuracy asked for.
LEAST_GAP = 0.25
# Where there is no bracket yet, a step is at most this many times the longer one of a plain step
# and the step before. Extrapolated secants may pass the root by orders of magnitude.
STRETCH = 3.0


@dataclass(slots=True)
class ScaleSearch:
    r"""Search for the root of log(T(sigma) / sigma), in log(sigma).

    T is the root mean square of the residuals at the best coefficients for sigma, clipped at
    epsilon sigma. For a convex problem the function falls with a slope between -1 and 0. So a plain
    step, sigma = T(sigma), never passes the root, and is what replaces a secant step that leaves
    the bracket.
    """

    low: float = -math.inf
    high: float = math.inf
    before: tuple[float, float] | None = None

    def step(self, sigma: float, clipped: float, least: float) -> float:
        """Propose the next scale, after T(sigma) = clipped."""
        if clipped <= least:
            return least
        u, h = math.log(sigma), math.log(clipped / sigma)
        if h > 0:
            self.low = max(self.low, u)
        else:
            self.high = min(self.high, u)
        move = h
        if self.before is not None and (self.before[1] - h) * (u - self.before[0]) > 0:
            move = h * (u - self.before[0]) / (self.before[1] - h)
            longest = STRETCH * max(abs(h), abs(u - self.before[0]))
            if math.isinf(self.low):
                move = max(move, -longest)
            elif math.isinf(self.high):
                move = min(move, longest)
        self.before = (u, h)
        return max(math.exp(u + (move if self.low < u + move < self.high else h)), least)


@dataclass(slots=True)
class ConcomitantScale:
    r"""Huber's joint estimate of coefficients and scale, by a search over the scale.

    .. math:: G(w, \sigma) = \sigma + \frac{1}{S} \sum_i s_i \, \sigma H(r_i / \sigma)
              + \frac{\alpha}{S} |w|_2^2

    is jointly convex. For a given :math:`\sigma` its minimum over w is that of a Huber loss with
    delta = epsilon sigma and an L2 penalty, and any solver will do, warm-started. As a function of
    :math:`\sigma` that minimum has the derivative :math:`1 - T(\sigma)^2 / \sigma^2`, T as in
    `ScaleSearch`: its root is Huber's "proposal 2". To minimise over both in turn is the plain
    step; with secant steps it takes a handful of runs, nearly all of one or two iterations.

    Parameters
    ----------
    epsilon, alpha : float
        As in `HuberRegressor`.
    sigma : float
        First guess, and after a call the answer.
    total_weight : float
        S, the sum of the weights.
    tol, max_iter : float and int
        For all runs together.

    References
    ----------
    P. Huber and E. Ronchetti (2009). Robust Statistics, 2nd edition, sections 7.7 and 7.8.
    """

    epsilon: float
    alpha: float
    sigma: float
    total_weight: float
    tol: float
    max_iter: int

    def problem(self, problem: Problem) -> Problem:
        """Build the problem in the coefficients for the present scale."""
        loss = Huber(self.epsilon * self.sigma)
        penalty = L2(self.alpha * self.sigma / self.total_weight)
        return replace(problem, loss=loss, penalty=penalty)

    def minimise(
        self, problem: Problem, run: Run, objective: Objective, w: FloatArray
    ) -> tuple[Objective, Result]:
        """Run a solver for a sequence of scales."""
        search, rounding = ScaleSearch(), float(np.finfo(w.dtype).eps) ** LEAST_SCALE * self.sigma
        runs: list[Result] = []
        left = self.max_iter
        while True:
            result = run(objective, w, tol=0.5 * self.tol, max_iter=left)
            w, left = result.w, left - result.n_iter
            clipped = self._clipped_residual(problem, objective, w)
            joint = self._joint(result)
            least = max(rounding, LEAST_GAP * self.tol * joint.value)
            proposed = search.step(self.sigma, clipped, least)
            slope = 1.0 - (clipped / self.sigma) ** 2
            gap = abs(slope * (proposed - self.sigma))
            runs.append(with_gap(joint, gap))
            # Coefficients that are noisy (stochastic solvers) say nothing finer about the scale.
            noise = 0.0 if math.isnan(joint.gap) else joint.gap
            good = gap <= max(0.5 * self.tol * joint.value, noise)
            self.sigma = proposed
            if good or left <= 0 or result.status is Status.STOPPED:
                break
            objective = self.problem(problem).objective(
                fit_intercept=objective.model.fit_intercept,
                standardization=objective.standardization,
            )
        status = result.status if good or left > 0 else Status.MAX_ITER
        if good and self.sigma <= rounding:
            status = Status.CONVERGED  # residuals are nothing but rounding errors
        return objective, replace(joined(runs), status=status)

    def _clipped_residual(self, problem: Problem, objective: Objective, w: FloatArray) -> float:
        """Compute T: the loss's derivatives are the clipped residuals."""
        squares = np.square(objective.multipliers(w), dtype=np.float64)
        return math.sqrt(float(np.average(squares, weights=problem.sample_weight)))

    def _joint(self, result: Result) -> Result:
        """Turn values and gaps of a run into those of G for this scale."""
        factor, history = 2.0 / self.sigma, dict(result.history)
        history["loss"] = self.sigma + factor * history["loss"]
        history["gap"] = factor * history["gap"]
        value = self.sigma + factor * result.value
        return replace(result, value=value, gap=factor * result.gap, history=history)


def with_gap(run: Result, scale_gap: float) -> Result:
    """Add what another scale would gain."""
    gap, history = run.gap + scale_gap, {**run.history, "gap": run.history["gap"] + scale_gap}
    return replace(run, gap=gap, relative_gap=gap / run.value, history=history)


def joined(runs: list[Result]) -> Result:
    """Join runs that followed each other: the last one's outcome, and the history of all."""
    history = {
        name: np.concatenate([run.history[name] for run in runs]) for name in runs[0].history
    }
    starts = np.repeat(np.arange(len(runs)), [run.n_iter for run in runs])
    for clock in ("seconds", "passes"):
        spent = np.cumsum([0.0, *(run.history[clock][-1] for run in runs[:-1])])
        history[clock] += spent[starts]
    return replace(runs[-1], n_iter=len(history["loss"]), history=history)
