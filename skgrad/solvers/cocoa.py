"""Dual coordinate ascent for smooth losses, on parts of the rows at the same time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, TypeAlias

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray, IntArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.smooth_duals import SmoothDual, SmoothDualPoint
from skgrad.solvers._base import Run, Solver, State, norm

# Epochs before the first look: the first one or two are not typical of the rate.
FIRST_EPOCHS = 3
# Epochs between two looks for rows that are at rest, or were: with two or six of them a squared
# hinge took more time on tf-idf data.
ROUNDS = 4

Outputs: TypeAlias = tuple[tuple[SmoothDual, SmoothDualPoint], ...]


@dataclass(slots=True)
class CoCoAState(State):
    """The dual of each output, and where it is.

    ``ascent`` is about twice what the last epoch added to the dual. ``rate`` is the factor that an
    epoch leaves of the gap, first guessed by that of the ascent. ``t`` counts the steps, and seeds
    the order of the rows.
    """

    outputs: Outputs = ()
    ascent: float = math.inf
    rate: float = 1.0
    t: int = 0


class CoCoA(Solver):
    r"""Communication-efficient dual coordinate ascent for smooth losses with an L2 penalty.

    .. math:: \theta_i \leftarrow \theta_i + \eta_i (loss_i'(raw_i) - \theta_i), \qquad
              coef = -\frac{1}{\mu} \sum_i s_i \theta_i x_i

    Each row has a dual variable, which at the optimum is the derivative of its loss, and
    coefficients follow every change of one of them. :math:`\eta_i` is the best step for the row
    alone, or Newton's. Two halves of the rows are walked over at the same time, and their changes
    are added, unless single rows outweigh the penalty. Rows beyond the margin of a squared hinge,
    whose variables are zero, are left out of most epochs: from time to time all are looked at.

    Where the penalty is strong enough for single rows to matter little, each epoch (one pass over
    the data, and one gradient at the end of some) reduces the distance to the minimum by a constant
    factor, for tf-idf data with C = 1 by ten, however correlated the columns are. Where the penalty
    is weak, epochs do little; other solvers are then better.

    Parameters
    ----------
    learning_rate : float in (0, 1], default=1.0
        Factor of every step; less than 1 is damping.
    max_epochs : int, default=10
        Most epochs between two looks at the objective. There are as many as the rate so far says
        are needed.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 50)) / 50**0.5
    >>> y = X[:, 0] + 0.1 * rng.normal(size=500) > 0
    >>> LogisticRegression(solver="cocoa").fit(X, y).converged_
    True

    References
    ----------
    S. Shalev-Shwartz and T. Zhang (2013). Stochastic dual coordinate ascent methods for regularized
    loss minimization. Journal of Machine Learning Research 14, 567-599, section 6.2.

    C. Ma, V. Smith, M. Jaggi, M. Jordan, P. Richtárik and M. Takáč (2015). Adding vs. averaging in
    distributed primal-dual optimization. ICML 2015, algorithm 1.
    """

    name = "cocoa"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.SMOOTH_DUAL})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, learning_rate: float = 1.0, *, max_epochs: int = 10) -> None:
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs

    def init(self, objective: Objective, w: FloatArray, run: Run) -> CoCoAState:
        """Start with dual variables zero, or with the derivatives at w where w is good already."""
        model, theta = objective.model, None
        user = objective.standardization.to_user(model.rows(w)).ravel()
        intercepts = model.intercept(user) if model.fit_intercept else np.zeros(model.n_outputs)
        if model.coef(w).any():
            value, gradient = objective.value_and_gradient(w)
            # The duality gap; that of zeros is at most the value there.
            if objective.gradient_gap(w, gradient) <= value:
                theta = objective.multipliers(w)
        else:
            value = objective.value(w)
        outputs = []
        for k, intercept in enumerate(intercepts):
            dual = objective.smooth_dual(k)
            column = None if theta is None else theta[:, k].astype(np.float64)
            outputs.append((dual, dual.start(float(intercept), column)))
        return CoCoAState(value, outputs=tuple(outputs))

    def step(
        self, objective: Objective, w: FloatArray, state: CoCoAState, run: Run
    ) -> tuple[FloatArray, CoCoAState]:
        """Make some epochs, then look at the objective and its gradient."""
        rng = np.random.default_rng(state.t)
        outputs = tuple((dual, point.copy()) for dual, point in state.outputs)
        n_epochs, ascent, rate = self._n_epochs(state, run), state.ascent, state.rate
        factor, rows = float(self.learning_rate), _moving_rows(objective, outputs)
        for left in reversed(range(n_epochs)):
            # All are at rest at first: then there is no list yet.
            if left % ROUNDS == 0 or left == n_epochs - 2:
                rows = _moving_rows(objective, outputs)
            before, ascent = ascent, 0.0
            for (dual, point), moving in zip(outputs, rows, strict=True):
                ascent += dual.ascend(point, moving, rng, factor)
            rate = ascent / before if before > 0.0 else 0.0
        objective.passes += n_epochs
        w = _primal(objective, outputs)
        value, gradient = objective.value_and_gradient(w)
        bound = objective.gradient_gap(w, gradient)
        curved = np.array([dual.curved_share(point) for dual, point in outputs])
        gap = objective.gradient_gap(w, gradient, curved)
        # What later epochs may add. If that is rounding, so is the rest of the gradient.
        later = ascent / (1.0 - rate) if rate < 1.0 else math.inf
        if later <= float(np.finfo(objective.dtype).eps) * abs(value):
            gap = min(gap, later)
        if 0.0 < gap < state.gap:
            rate = (gap / state.gap) ** (1.0 / n_epochs)
        proof = objective.gradient_gap_is_proof(gradient)
        return w, replace(
            state, value=value, gradient_norm=norm(gradient), gap=gap,
            bound=bound if proof else math.nan, outputs=outputs, ascent=ascent, rate=rate,
            t=state.t + 1,
        )  # fmt: skip

    def _n_epochs(self, state: CoCoAState, run: Run) -> int:
        """Estimate how many epochs are left, from how much the last one shrank the ascent."""
        if math.isnan(state.gap):
            return min(FIRST_EPOCHS, self.max_epochs)
        wanted = run.tol * abs(state.value)
        if not 0.0 < state.rate < 1.0 or not wanted > 0.0:
            return int(self.max_epochs)
        n_epochs = math.ceil(math.log(wanted / state.gap) / math.log(state.rate))
        return min(max(n_epochs, 1), int(self.max_epochs))


def _primal(objective: Objective, outputs: Outputs) -> FloatArray:
    return objective.smooth_dual_to_primal([point for _, point in outputs])


def _moving_rows(objective: Objective, outputs: Outputs) -> list[IntArray]:
    """List for each output the rows that are not at rest, where that is worth it."""
    if not any(dual.is_restful(point) for dual, point in outputs):
        return _all_rows(outputs)
    objective.passes += 0.5
    slopes = objective.multipliers(_primal(objective, outputs))
    return [dual.moving_rows(point, slopes[:, k]) for k, (dual, point) in enumerate(outputs)]


def _all_rows(outputs: Outputs) -> list[IntArray]:
    return [dual.all_rows for dual, _ in outputs]
