"""Primal-dual interior point method for piecewise linear losses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.objective import Capability, Objective
from skgrad.solvers._base import Run, Solver, State, Status
from skgrad.solvers._cholesky import factorise, solve

# Fraction of the way to the boundary that a step may go.
TO_BOUNDARY = 0.995
# A step shorter than this makes no progress any more.
SHORTEST_STEP = 1e-8
# Multipliers stay this far from their bounds, relative to the cost: the smallest distance at which
# their ratio with a slack is not rounding.
INTERIOR = 1e-14


class Slacks(NamedTuple):
    """Positive variables, one per hinge and row: see `InteriorPoint` for their meaning."""

    u: FloatArray
    t: FloatArray
    p: FloatArray
    r: FloatArray


@dataclass(slots=True)
class InteriorState(State):
    """Slacks and multipliers, and the hinges that they belong to."""

    slacks: Slacks | None = None
    raw: FloatArray | None = None
    hinges: tuple[FloatArray, FloatArray, FloatArray] | None = None


class InteriorPoint(Solver):
    r"""Mehrotra's predictor-corrector method for sums of hinges plus a smooth penalty.

    With raw predictions :math:`z = Aw` and the loss of a row written as
    :math:`\sum_k c_k \max(\sigma_k z - h_k, 0)`, the problem is the quadratic (without penalty:
    linear) program

    .. math:: \min_{w, u} \; c'u + penalty(w) \quad \text{subject to} \quad
              t = u - (\sigma z - h) \ge 0, \; u \ge 0

    with multipliers p of the first and r = c - p of the second constraint. Each iteration solves
    :math:`(A'DA + \nabla^2 penalty)\,\Delta w = \ldots` twice with one factorisation, where
    :math:`D^{-1} = u/r + t/p`. Takes 10 to 20 iterations whatever the data, and knows the duality gap
    :math:`p't + r'u`. Serves hinge, absolute, quantile and epsilon-insensitive losses.

    Parameters
    ----------
    learning_rate : float in (0, 1], default=1.0
        Fraction of each step that is taken.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LinearSVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> LinearSVC(loss="hinge", solver="interior_point").fit(X, y).converged_
    True

    References
    ----------
    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, algorithms 14.3 and 16.4.

    M. C. Ferris and T. S. Munson (2002). Interior-point methods for massive support vector machines.
    SIAM Journal on Optimization 13, 783-804.
    """

    name = "interior_point"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PIECEWISE_LINEAR_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> InteriorState:
        """Start with feasible slacks of the data's size, and multipliers in the middle."""
        sign, offset, cost = hinges = objective.hinges()
        raw = objective.forward(w)
        excess = sign * raw - offset
        size = float(np.mean(np.abs(excess))) or 1.0
        u = np.maximum(excess, 0.0) + size
        p = np.broadcast_to(0.5 * cost, u.shape).copy()
        slacks = Slacks(u, u - excess, p, p.copy())
        return InteriorState(objective.value(w), slacks=slacks, raw=raw, hinges=hinges)

    def step(
        self, objective: Objective, w: FloatArray, state: InteriorState, run: Run
    ) -> tuple[FloatArray, InteriorState]:
        """Predict with the pure Newton step, then correct it and aim at the central path."""
        assert state.slacks is not None and state.raw is not None and state.hinges is not None
        sign, offset, cost = state.hinges
        slacks = state.slacks
        u, t, p, r = slacks
        mean = _complementarity(slacks) / (2 * u.size)
        D = 1.0 / (u / r + t / p)
        factors = factorise(objective.weighted_gram(w, D.sum(axis=0)))
        residual = objective.backward((sign * p).sum(axis=0)) + objective.penalty_gradient(w)

        def direction(pt: Any, ru: Any) -> tuple[FloatArray, FloatArray, Slacks]:
            """Solve the Newton system for targets of the products p t and r u."""
            e = (pt / p - t) - (ru / r - u)
            dw = -solve(factors, residual + objective.backward((sign * D * e).sum(axis=0)))
            dz = objective.forward(dw)
            dp = D * (sign * dz + e)
            du = (ru + u * dp) / r - u
            return dw, dz, Slacks(du, du - sign * dz, dp, -dp)

        _, _, affine = direction(0.0, 0.0)
        reach = _longest_step(slacks, affine)
        predicted = _complementarity(_move(slacks, affine, reach)) / (2 * u.size)
        target = mean * (predicted / mean) ** 3
        dw, dz, change = direction(target - affine.p * affine.t, target - affine.r * affine.u)
        step = float(self.learning_rate) * min(1.0, TO_BOUNDARY * _longest_step(slacks, change))
        if not step > SHORTEST_STEP:
            return w, replace(state, status=Status.PRECISION)
        w, raw = w + step * dw, state.raw + step * dz
        slacks = _move(slacks, change, step)
        p = np.clip(slacks.p, INTERIOR * cost, (1.0 - INTERIOR) * cost)
        slacks = slacks._replace(p=p, r=cost - p)
        losses = cost * np.maximum(sign * raw - offset, 0.0)
        value = float(losses.sum(dtype=np.float64)) + objective.penalty_value(w)
        # The program is kept feasible, and its Lagrangian stationary once a full step was made.
        left = abs(float(((1.0 - step) * residual) @ w))
        return w, InteriorState(
            value, (1.0 - step) * float(np.linalg.norm(residual)), step,
            _complementarity(slacks) + left, slacks=slacks, raw=raw, hinges=state.hinges,
        )  # fmt: skip


def _complementarity(slacks: Slacks) -> float:
    return float(np.vdot(slacks.p, slacks.t)) + float(np.vdot(slacks.r, slacks.u))


def _move(slacks: Slacks, change: Slacks, step: float) -> Slacks:
    return Slacks(*(value + step * delta for value, delta in zip(slacks, change, strict=True)))


def _longest_step(slacks: Slacks, change: Slacks) -> float:
    """Find the largest step that keeps every variable non-negative (at most 1e3)."""
    ratios = (float((delta / value).min()) for value, delta in zip(slacks, change, strict=True))
    return 1.0 / max(1e-3, -min(ratios))
