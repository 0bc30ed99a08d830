"""Stochastic dual coordinate ascent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.row_duals import RowDual, RowDualPoint
from skgrad.solvers._base import Run, Solver, State

# Epochs before the first look: the first one or two are not typical of the rate.
FIRST_EPOCHS = 3
# Passes over the data between two looks while some rows are left out.
PASSES = 2.5


@dataclass(slots=True)
class SDCAState(State):
    """The dual and where it is; ``rate`` is the factor that an epoch last made of the gap.

    ``t`` counts the iterations, and seeds the order of the rows.
    """

    dual: RowDual | None = None
    point: RowDualPoint | None = None
    rate: float = math.nan
    t: int = 0


class SDCA(Solver):
    r"""Stochastic dual coordinate ascent: one dual variable per row, and a duality gap for free.

    .. math:: \theta_i \leftarrow \arg\max_\theta \; -loss_i^*(\theta) + (\theta - \theta_i) raw_i
              - \frac{s_i |x_i|^2}{2 \mu} (\theta - \theta_i)^2, \qquad
              coef = \frac{1}{\mu} S_{l_1}\Bigl(-\sum_i s_i \theta_i x_i\Bigr)

    There is no learning rate: a step is exact along its variable for losses with a proximal
    operator, and Newton's, kept from going too far, for the logistic loss. Takes losses with kinks
    (hinge, absolute, quantile, epsilon-insensitive) and without, under an L2 penalty
    :math:`\mu |coef|^2 / 2` or an elastic net, of which the soft threshold S sets coefficients to
    zero. Weights of rows are part of their steps: a heavy row does not shorten the others'.

    Variables are visited in random order, always the same, one by one in large data, in small
    blocks in small data. Convergence is linear for smooth losses, and fast where the penalty is
    strong for a single row. `CoCoA` is its form for smooth losses and two threads, and
    `DualCoordinateAscent` the one for losses with kinks that ends with conjugate gradients and
    reaches every digit. A start other than zero serves the intercept only.

    Parameters
    ----------
    max_epochs : int, default=10
        Most epochs (passes over the data) between two measurements of the gap, which are an
        iteration. There are as many as the rate so far says are needed.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LinearSVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> clf = LinearSVC(C=0.01, loss="hinge", solver="sdca").fit(X, y)
    >>> clf.converged_, clf.gap_is_certified_
    (True, True)

    References
    ----------
    S. Shalev-Shwartz and T. Zhang (2013). Stochastic dual coordinate ascent methods for regularized
    loss minimization. Journal of Machine Learning Research 14, 567-599, section 6.

    S. Shalev-Shwartz and T. Zhang (2014). Accelerated proximal stochastic dual coordinate ascent
    for regularized loss minimization. ICML 2014, section 2.
    """

    name = "sdca"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.ROW_DUAL})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, max_epochs: int = 10) -> None:
        self.max_epochs = max_epochs

    def init(self, objective: Objective, w: FloatArray, run: Run) -> SDCAState:
        """Start with all dual variables zero."""
        dual = objective.row_dual()
        return SDCAState(objective.value(w), dual=dual, point=dual.start(w))

    def step(
        self, objective: Objective, w: FloatArray, state: SDCAState, run: Run
    ) -> tuple[FloatArray, SDCAState]:
        """Make some epochs, then measure the gap."""
        dual, point = state.dual, state.point
        assert dual is not None and point is not None
        n_epochs = self._n_epochs(state, run)
        point = dual.ascend(point, n_epochs, np.random.default_rng(state.t))
        w = dual.primal(point)
        objective.passes += n_epochs * _share(point) + 1.0
        value, gap, point = dual.look(point, w)
        rate = math.nan
        if gap > 0.0 and state.gap > 0.0:
            rate = (gap / state.gap) ** (1.0 / n_epochs)
        return w, replace(
            state, value=value, gap=gap, bound=gap if dual.gap_is_proof else math.nan, point=point,
            rate=rate, t=state.t + 1,
        )  # fmt: skip

    def multipliers(self, objective: Objective, state: SDCAState) -> FloatArray:
        """Return the dual variables."""
        assert state.point is not None
        return state.point.theta

    def _n_epochs(self, state: SDCAState, run: Run) -> int:
        """Estimate how many epochs are left, from how much the last ones shrank the gap."""
        assert state.point is not None
        share = _share(state.point)
        # A look tells which rows to leave out, but costs as much as a pass in order.
        most = (
            int(self.max_epochs)
            if share == 1.0
            else min(int(self.max_epochs), round(PASSES / share))
        )
        if math.isnan(state.gap):
            return min(FIRST_EPOCHS, most)
        wanted = run.tol * abs(state.value)
        if not 0.0 < state.rate < 1.0 or not wanted > 0.0:
            return min(FIRST_EPOCHS, most) if math.isnan(state.rate) else most
        # One more than estimated: cheaper than a look in vain.
        n_epochs = math.ceil(math.log(wanted / state.gap) / math.log(state.rate)) + 1
        return min(max(n_epochs, 1), most)


def _share(point: RowDualPoint) -> float:
    """Compute the share of the variables that may still move; no less than a hundredth."""
    return max(0.01, sum(len(rows) for rows in point.active) / point.theta.size)
