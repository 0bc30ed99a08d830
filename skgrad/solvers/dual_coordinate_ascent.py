"""Dual coordinate ascent with conjugate gradients on the free variables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray, IntArray
from skgrad.capabilities import Capability
from skgrad.duals import DualForm, DualPoint
from skgrad.objective import Objective
from skgrad.solvers._base import Run, Solver, State
from skgrad.solvers._dual_subspace import face, minimise_on_face

# A check looks at all rows, an epoch at the active ones: at most this many epochs between checks.
MOST_EPOCHS = 10
# Conjugate gradients pay once less than this share of the free variables changes between checks;
# earlier, bounds cut their steps short (measured on tf-idf data, C from 1 to 10).
SETTLED = 0.01
# Damping relative to the mean curvature: first, least, and its factor after a full or a cut step.
DAMPING, LEAST_DAMPING, RELAX, TIGHTEN = 1e-2, 1e-5, 0.3, 3.0


@dataclass(frozen=True, slots=True)
class OutputState:
    """Where the dual of one output is, which rows may still move, and which are between bounds."""

    form: DualForm
    point: DualPoint
    active: IntArray
    free: IntArray
    raw: FloatArray
    value: float = 0.0
    gap: float = float("inf")
    damping: float = DAMPING
    settled: bool = False


@dataclass(slots=True)
class DualState(State):
    """The state of each output; ``t`` counts the steps, and seeds the order of the rows."""

    outputs: tuple[OutputState, ...] = ()
    t: int = 0


class DualCoordinateAscent(Solver):
    r"""Dual coordinate descent for support vector machines, finished by conjugate gradients.

    .. math:: \alpha_i \leftarrow \arg\min_{lower_i \le a \le upper_i}
              D(\alpha_1, \ldots, a, \ldots, \alpha_n), \qquad
              coef = -\sum_i \alpha_i (x_i - c)

    D is the dual, a quadratic program over a box (see `skgrad.duals.DualForm`). Rows are visited in
    random order, always the same, and those that are held at a bound are left out until the next
    look at all rows, which also gives the duality gap. Single coordinates find the free variables
    fast but converge slowly on them; once they hardly change, conjugate gradients minimise over all
    of them at once. An intercept is the multiplier of an equality in the dual, and moves with the
    method of multipliers. Serves hinge, absolute, quantile and epsilon-insensitive losses with an
    L2 penalty, on CSR matrices and C-contiguous arrays. A start other than zero serves the
    intercept only.

    Parameters
    ----------
    learning_rate : float in (0, 1], default=1.0
        First trial step along the direction that conjugate gradients find; less than 1 is damping.
    max_cg_iter : int, default=100
        Most iterations of conjugate gradients between two looks at all rows; 0 leaves plain
        coordinate descent.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LinearSVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> LinearSVC(C=0.1, loss="hinge", solver="dual_coordinate_ascent").fit(X, y).converged_
    True

    References
    ----------
    C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. Keerthi and S. Sundararajan (2008). A dual coordinate
    descent method for large-scale linear SVM. ICML 2008, algorithm 3.

    C.-H. Ho and C.-J. Lin (2012). Large-scale linear support vector regression. Journal of Machine
    Learning Research 13, 3323-3348, algorithm 4.

    J. J. Moré and G. Toraldo (1991). On the solution of large quadratic programming problems with
    bound constraints. SIAM Journal on Optimization 1, 93-113.
    """

    name = "dual_coordinate_ascent"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.BOX_DUAL})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "max_cg_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, learning_rate: float = 1.0, *, max_cg_iter: int = 100) -> None:
        self.learning_rate = learning_rate
        self.max_cg_iter = max_cg_iter

    def init(self, objective: Objective, w: FloatArray, run: Run) -> DualState:
        """Start with all dual variables zero."""
        model, everything = objective.model, np.arange(objective.n_samples)
        intercepts = model.intercept(w) if model.fit_intercept else np.zeros(model.n_outputs)
        outputs = []
        for k, intercept in enumerate(intercepts):
            form = objective.dual_form(k)
            point = form.start(float(intercept))
            outputs.append(OutputState(form, point, everything, everything[:0], form.raw(point)))
        return DualState(objective.value(w), outputs=tuple(outputs))

    def step(
        self, objective: Objective, w: FloatArray, state: DualState, run: Run
    ) -> tuple[FloatArray, DualState]:
        """Make some epochs over the active rows of each output, then look at all rows."""
        rng, outputs = np.random.default_rng(state.t), []
        for output in state.outputs:
            if output.gap > run.tol * abs(output.value):
                share = len(output.active) / len(output.raw)
                objective.passes += (1.0 + _epochs(output) * share) / len(state.outputs)
                outputs.append(self._advance(output, rng))
            else:
                outputs.append(output)
        w = objective.dual_to_primal([(output.form, output.point) for output in outputs])
        return w, replace(
            state, t=state.t + 1, outputs=tuple(outputs),
            value=sum(output.value for output in outputs),
            gap=sum(output.gap for output in outputs),
        )  # fmt: skip

    def multipliers(self, objective: Objective, state: DualState) -> FloatArray:
        """Return the dual variables of all outputs."""
        return objective.unweigh(
            np.column_stack([output.form.ridge * output.point.alpha for output in state.outputs])
        )

    def _advance(self, output: OutputState, rng: np.random.Generator) -> OutputState:
        form, point, damping = output.form, output.point.copy(), output.damping
        if output.settled and self.max_cg_iter > 0:
            free = face(form, point, output.raw)
            size = damping * float(form.curvature.mean())
            first = float(self.learning_rate)
            step = minimise_on_face(form, point, free, size, first, int(self.max_cg_iter))
            factor = RELAX if step == first else TIGHTEN
            damping = min(DAMPING, max(LEAST_DAMPING, factor * damping))
        form.move_multiplier(point)
        for _ in range(_epochs(output)):
            form.ascend(point, rng.permutation(output.active))
        raw, rows = form.raw(point), form.free_rows(point)
        changed = len(np.setxor1d(rows, output.free, assume_unique=True))
        violation = form.violation(point, raw)
        # As Hsieh et al.: a variable held at its bound by more than others are from theirs stays.
        active = np.flatnonzero(violation > -max(float(violation.max()), 0.0))
        return OutputState(
            form, point, active, rows, raw, form.value(point, raw), form.gap(point, raw), damping,
            settled=changed <= SETTLED * len(rows),
        )  # fmt: skip


def _epochs(output: OutputState) -> int:
    """Choose a number of epochs that cost about as much as some looks at all rows."""
    n_active = max(1, len(output.active))
    return min(MOST_EPOCHS, max(1, round(len(output.raw) / n_active)))
