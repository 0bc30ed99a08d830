"""Primal-dual interior point method for piecewise linear losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.hinges import HingeForm
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State, Status
from skgrad.solvers._cholesky import factorise, solve

# Fraction of the way to the boundary that a step may go.
TO_BOUNDARY = 0.995
# A step shorter than this makes no progress any more.
SHORTEST_STEP = 1e-8
# Iterations without a better gap before rounding is held to be the reason.
PATIENCE = 10
# A multiplier further inside its bounds than this, relatively, belongs to a hinge at its kink.
KINK = 1e-3
# Centrality correctors: at most so many in an iteration, each for a step longer by so much, of
# which it must gain a share; products further than a factor from their target are outliers
# (Gondzio 1996). They save a quarter to a third of the iterations.
CORRECTORS = 3
LONGER, WORTHWHILE, OUTLIER = 0.3, 0.1, 10.0
# Variables of so many bytes are compared all at once; of more, a quarter at a time saves memory.
IN_CACHE = 1 << 20
# Passes over the data of an iteration but for its directions: the Hessian and half a gradient.
PASSES = 1.5


Direction = tuple[FloatArray, FloatArray, FloatArray]  # of w, of z and of the variables


@dataclass(slots=True)
class InteriorState(State):
    """The positive variables u, t, p, r (see `InteriorPoint`) in one array, and the terms z at w.

    ``floor`` keeps the variables off zero; ``n_bad`` counts iterations without a better gap.
    """

    variables: FloatArray | None = None
    z: FloatArray | None = None
    form: HingeForm | None = None
    floor: FloatArray | None = None
    best_gap: float = float("inf")
    n_bad: int = 0


class InteriorPoint(Solver):
    r"""Mehrotra's predictor-corrector method for sums of hinges plus a quadratic.

    With raw predictions :math:`z = Aw` and the loss of a row written as
    :math:`\sum_k c_k \max(\sigma_k z - h_k, 0)` (an L1 penalty is a sum of hinges too), the problem
    is the quadratic (without L2 penalty: linear) program

    .. math:: \min_{w, u} \; c'u + penalty(w) \quad \text{subject to} \quad
              t = u - (\sigma z - h) \ge 0, \; u \ge 0

    with multipliers p of the first and r = c - p of the second constraint. Each iteration solves
    :math:`(A'DA + \nabla^2 penalty)\,\Delta w = \ldots` twice with one factorisation, where
    :math:`D^{-1} = u/r + t/p`, and up to three times more where centrality correctors lengthen the
    step. Takes 10 to 20 iterations whatever the data, and knows the duality gap
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

    J. Gondzio (1996). Multiple centrality corrections in a primal-dual method for linear
    programming. Computational Optimization and Applications 6, 137-156.

    M. C. Ferris and T. S. Munson (2002). Interior-point methods for massive support vector
    machines. SIAM Journal on Optimization 13, 783-804.
    """

    name = "interior_point"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.HINGES})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> InteriorState:
        """Start with feasible slacks of the data's size, and multipliers in the middle."""
        form = objective.hinge_form()
        z = form.forward(w)
        excess = form.sign * z - form.offset
        size = float(np.abs(excess).mean()) or 1.0
        u = np.maximum(excess, 0.0) + size
        half = np.broadcast_to(0.5 * form.cost, u.shape)
        variables = np.stack([u, u - excess, half, half])
        # Rounding must not take a variable to zero; far smaller ones than this never matter.
        floor = float(np.finfo(z.dtype).eps) ** 2 * variables.mean(axis=(1, 2), keepdims=True)
        # The program's value at these slacks; the objective itself may be zero from the start.
        value = form.value(w, z) + _complementarity(variables)
        return InteriorState(value, variables=variables, z=z, form=form, floor=floor)

    def step(
        self, objective: Objective, w: FloatArray, state: InteriorState, run: Run
    ) -> tuple[FloatArray, InteriorState]:
        """Predict with the pure Newton step, then correct it and aim at the central path."""
        form, variables, z, floor = state.form, state.variables, state.z, state.floor
        assert form is not None and variables is not None and z is not None and floor is not None
        system = _NewtonSystem(form, w, variables)
        _, _, affine = system.direction(0.0, 0.0)
        reach = min(1.0, _longest_step(variables, affine))
        now = _complementarity(variables)
        predicted = sum(float(product.sum()) for product in _moved(variables, affine, reach))
        target = now / (2 * z.size * len(form.sign)) * (predicted / now) ** 3
        du, dt, dp, dr = affine
        products = np.stack([target - dp * dt, target - dr * du])
        del affine, du, dt, dp, dr  # as long as the data each
        (dw, dz, change), reach = _recentre(system, variables, products, target)
        objective.passes += PASSES + system.n_directions
        step = float(self.learning_rate) * min(1.0, TO_BOUNDARY * reach)
        if not step > SHORTEST_STEP:
            return w, replace(state, status=Status.PRECISION)
        w, z = w + step * dw, z + step * dz
        change *= step
        change += variables
        variables = np.maximum(change, floor, out=change)
        # The program is kept feasible, and its Lagrangian stationary once a full step was made.
        residual = (1.0 - step) * system.residual
        value = form.value(w, z)
        # Hinges and penalties are not negative: where they vanish, the value bounds the gap best.
        gap = min(_complementarity(variables) + abs(float(residual @ w)), value)
        state = replace(
            state, value=value, gradient_norm=float(np.linalg.norm(residual)),
            step_size=step, gap=gap, variables=variables, z=z,
            best_gap=min(gap, state.best_gap),
            n_bad=0 if gap < state.best_gap else state.n_bad + 1,
        )  # fmt: skip
        if state.n_bad >= PATIENCE:
            state = replace(state, status=Status.PRECISION)
        return w.astype(objective.dtype, copy=False), state

    def multipliers(self, objective: Objective, state: InteriorState) -> FloatArray:
        """Return the dual variables of the rows; those of an L1 penalty follow from them."""
        form, variables = state.form, state.variables
        assert form is not None and variables is not None
        dual = (form.sign * variables[2]).sum(axis=0)[: form.n_raw]
        return objective.unweigh(dual.reshape(objective.n_samples, objective.n_outputs))

    def finish(
        self, objective: Objective, w: FloatArray, state: InteriorState
    ) -> tuple[FloatArray, InteriorState]:
        """Make coefficients exactly zero whose multipliers say that they are, unless it costs."""
        form, variables = state.form, state.variables
        assert form is not None and variables is not None
        if not form.on_coef:
            return w, state
        kinked = np.all(np.minimum(variables[2], variables[3]) > KINK * form.cost, axis=0)
        sparse = form.with_zeros(w, kinked)
        value = form.value(sparse, form.forward(sparse))
        if value > state.value + state.gap and not form.nonnegative:
            return w, state
        return sparse, replace(state, value=value, gap=state.gap + max(0.0, value - state.value))


def _recentre(
    system: _NewtonSystem, variables: FloatArray, products: FloatArray, target: float
) -> tuple[Direction, float]:
    """Bring products that a longer step would make outliers towards the target, while it helps.

    Gondzio's multiple centrality correctors: a solve costs a tenth of the factorisation.
    """
    best = system.direction(*products)
    reach = _longest_step(variables, best[2])
    for _ in range(CORRECTORS):
        if reach >= 1.0:
            break
        for k, moved in enumerate(_moved(variables, best[2], min(1.0, reach + LONGER))):
            pull = moved.clip(target / OUTLIER, target * OUTLIER) - moved
            products[k] += np.maximum(pull, -OUTLIER * target, out=pull)
        direction = system.direction(*products)
        longest = _longest_step(variables, direction[2])
        if longest < reach + WORTHWHILE * LONGER:
            break
        best, reach = direction, longest
    return best, reach


class _NewtonSystem:
    """Newton's equations of the perturbed optimality conditions, reduced to the parameters."""

    def __init__(self, form: HingeForm, w: FloatArray, variables: FloatArray) -> None:
        u, t, p, r = variables
        self.form, self.variables, self.n_directions = form, variables, 0
        self.D = 1.0 / (u / r + t / p)
        self.factors, _ = factorise(form.hessian(np.add.reduce(self.D)))
        self.residual = form.backward(np.add.reduce(form.sign * p)) + form.ridge_gradient(w)

    def direction(self, pt: Any, ru: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Solve for the step that brings the products p t and r u to the targets given."""
        form, (u, t, p, r) = self.form, self.variables
        self.n_directions += 1
        e = (pt / p - t) - (ru / r - u)
        weighted = self.D * e
        weighted *= form.sign
        pulled = form.backward(np.add.reduce(weighted))
        dw = -solve(self.factors, self.residual + pulled)
        dz = form.forward(dw)
        signed = form.sign * dz
        change = np.empty_like(self.variables)
        du, dt, dp, dr = change
        np.multiply(self.D, signed + e, out=dp)
        np.negative(dp, out=dr)
        np.subtract((ru + u * dp) / r, u, out=du)
        np.subtract(du, signed, out=dt)
        return dw, dz, change


def _complementarity(variables: FloatArray) -> float:
    u, t, p, r = variables
    return float(np.vdot(p, t)) + float(np.vdot(r, u))


def _moved(variables: FloatArray, change: FloatArray, step: float) -> Iterator[FloatArray]:
    """Yield the products p t and r u after a step."""
    for k, j in ((2, 1), (3, 0)):
        moved = variables[k] + step * change[k]
        moved *= variables[j] + step * change[j]
        yield moved


def _longest_step(variables: FloatArray, change: FloatArray) -> float:
    """Find the largest step that keeps every variable non-negative (at most 1e3)."""
    if variables.nbytes <= IN_CACHE:
        shrinkage = float(np.minimum.reduce(change / variables, axis=None))
    else:
        parts = zip(change, variables, strict=True)
        shrinkage = min(float((part / old).min()) for part, old in parts)
    return 1.0 / max(1e-3, -shrinkage)
