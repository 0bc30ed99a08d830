"""Newton's method with the Hessian of a sample of the rows."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import (
    IncompatibleSolverError,
    Run,
    Solver,
    State,
    Status,
    least_gap,
    norm,
)
from skgrad.solvers._line_search import Trial, along, exact, strong_wolfe
from skgrad.solvers._preconditioners import (
    CholeskyPreconditioner,
    DiagonalPreconditioner,
    LowRankPreconditioner,
    Preconditioner,
)
from skgrad.solvers.lbfgs import LBFGS, Pair, curvature_pair, inverse_hessian_product
from skgrad.solvers.newton import Newton

# With fewer rows per parameter the sample's Hessian is mostly noise, or singular.
FEWEST_ROWS = 4
# Cholesky factors of a larger order cost more than they save.
LARGEST_FACTOR = 4000
# The first sample is this much smaller than the one whose Hessian is used; with an eighth, rows
# that stand out weighed too much in it, and the second one took ten iterations more.
FIRST_SAMPLE = 4
# Relative accuracy on samples, far below the error that they make themselves, which is about
# parameters / (2 rows).
SAMPLE_ACCURACY = 1e-3
# A sample with fewer rows per parameter overfits: at its minimum it curves less than at that of all
# rows. After so many iterations its Hessian is computed again (32 passes became 20 at 7 rows).
OVERFITTED = 30
REFRESHED = 2
# Iterations that may be made to bring a bound that can be proved down to tol, once the decrement
# is there; more if it took many to get there.
PATIENCE = 3
SHARE_OF_ITERATIONS = 0.2
# Iterations of Newton's method on the small sample; then, from near the minimum, on the large one.
FIRST_ITERATIONS, SAMPLE_ITERATIONS = 20, 2
# Iterations of L-BFGS on sparse samples; more where the diagonal of the Hessian is that of the rows
# inside a margin (text: 8 and 15 were best for the logistic loss and for the squared hinge).
ROUGH, FINE = 8, 15


@dataclass(slots=True)
class SubsampledState(State):
    """Where the sample's minimum is, the preconditioner, and the pairs that correct it.

    ``sample`` is kept for a second preconditioner after ``n_iter`` iterations, where it is worth
    it. ``n_near`` counts the iterations that ended within tol by the decrement.
    """

    start: FloatArray | None = None
    sample: Objective | None = None
    n_iter: int = 0
    preconditioner: Preconditioner | None = None
    gradient: FloatArray | None = None
    pairs: tuple[Pair, ...] = ()
    n_near: int = 0


class SubsampledNewton(Solver):
    r"""Newton's method with the Hessian of a sample, corrected by quasi-Newton pairs.

    .. math:: w_{t+1} = w_t - \eta_t H_t \nabla F(w_t), \qquad
              H_0 = \left(\nabla^2 F_{sample}(w_0)\right)^{-1}

    The start :math:`w_0` minimises the objective on the sample; gradients and values are exact.
    With m rows in the sample for p parameters, an iteration reduces the distance to the minimum by
    a factor of about :math:`\sqrt{p / m}`, whatever the scales and correlations of the columns,
    and costs one pass over the data: three to six iterations do. Rows are drawn with a preference
    for those that stand out, so that rare categories are represented. Where there are too few rows
    for a factorised Hessian, its dominant eigenvectors take its place (dense data) or its diagonal
    (sparse data).

    Parameters
    ----------
    rows_per_parameter : int, default=120
        Rows in the sample for each parameter of a block of the Hessian; at most a fifteenth of all.
    memory : int, default=10
        Number of quasi-Newton pairs kept.
    learning_rate : float, default=1.0
        First trial step of every line search.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20_000, 4)) * [1e-3, 1.0, 1.0, 1e3]
    >>> y = X @ [1e3, 1.0, 0.0, 1e-3] + rng.logistic(size=20_000) > 0
    >>> clf = LogisticRegression(solver="subsampled_newton").fit(X, y)
    >>> clf.converged_, bool(clf.n_iter_[0] < 8)
    (True, True)

    References
    ----------
    F. Roosta-Khorasani and M. W. Mahoney (2019). Sub-sampled Newton methods. Mathematical
    Programming 174, 293-326, algorithm 2.

    J. Nocedal and S. Wright (2006). Numerical Optimization, 2nd edition, algorithm 7.4.
    """

    name = "subsampled_newton"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LINEAR, Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "rows_per_parameter": [Interval(Integral, FEWEST_ROWS, None, closed="left")],
        "memory": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, rows_per_parameter: int = 120, *, memory: int = 10, learning_rate: float = 1.0
    ) -> None:
        self.rows_per_parameter = rows_per_parameter
        self.memory = memory
        self.learning_rate = learning_rate

    def init(self, objective: Objective, w: FloatArray, run: Run) -> SubsampledState:
        """Choose a start and a preconditioner by the number of rows that a sample may have."""
        size = objective.block_size
        n_rows = min(self.rows_per_parameter * size, objective.largest_sample)
        sample = objective.subsample(n_rows)
        start, again = w, False
        preconditioner: Preconditioner
        if n_rows >= FEWEST_ROWS * size and size <= LARGEST_FACTOR:
            quadratic = objective.constant_curvature
            start = w if quadratic else _minimise_in_two_stages(sample, w, run)
            preconditioner = CholeskyPreconditioner(sample, start)
            if quadratic:
                start = w - preconditioner.solve(sample.value_and_gradient(w)[1])
            again = n_rows < OVERFITTED * size and not objective.constant_curvature
        elif objective.coupled:
            raise IncompatibleSolverError(
                f"SubsampledNewton needs at least {FEWEST_ROWS} rows in a sample for each of the "
                f"{size} parameters of a loss that couples outputs, and at most {LARGEST_FACTOR} "
                f"parameters; of {objective.n_samples} rows it may take {n_rows}. Use LBFGS or "
                "solver='auto'."
            )
        elif objective.density == 1.0:
            # So few rows determine some directions, but no minimum.
            preconditioner = LowRankPreconditioner(sample, start)
        else:
            if not objective.constant_curvature:
                n_iter = ROUGH if objective.continuous_curvature else FINE
                start = LBFGS().run(sample, w, tol=SAMPLE_ACCURACY, max_iter=n_iter).w
            preconditioner = DiagonalPreconditioner(objective, start)
        objective.passes += sample.passes * sample.n_samples / objective.n_samples
        return SubsampledState(
            sample.value(start), start=start, preconditioner=preconditioner,
            singular=preconditioner.singular, sample=sample if again else None,
        )  # fmt: skip

    def step(
        self, objective: Objective, w: FloatArray, state: SubsampledState, run: Run
    ) -> tuple[FloatArray, SubsampledState]:
        """Search along the corrected Newton direction; at first, evaluate the sample's minimum."""
        assert state.preconditioner is not None and state.start is not None
        if state.gradient is None:
            value, gradient = objective.value_and_gradient(state.start)
            return state.start, self._advance(
                objective, state, Trial(float("nan"), value, 0.0, gradient, state.start), (),
                run,
            )  # fmt: skip
        gradient, preconditioner = state.gradient, state.preconditioner
        if state.sample is not None and state.n_iter == REFRESHED:
            # A copy, since an objective counts its passes and states are values.
            preconditioner = CholeskyPreconditioner(copy(state.sample), w)
            state = replace(state, preconditioner=preconditioner, sample=None)
        step = inverse_hessian_product(state.pairs, gradient, initial=preconditioner.solve)
        direction = objective.without_shift(-step)
        start = Trial(0.0, state.value, float(gradient @ direction), gradient, w)
        trial = None
        if start.slope < 0.0:
            evaluate = along(objective.value_and_gradient, w, direction)
            if objective.constant_curvature:
                trial = exact(evaluate, start)
            else:
                trial = strong_wolfe(evaluate, start, float(self.learning_rate))
        if trial is None:
            return w, replace(state, status=Status.PRECISION)
        pair = curvature_pair(start, trial)
        pairs = state.pairs if pair is None else (*state.pairs, pair)[-self.memory :]
        return trial.w, self._advance(objective, state, trial, pairs, run)

    def _advance(
        self, objective: Objective, state: SubsampledState, trial: Trial, pairs: tuple[Pair, ...],
        run: Run,
    ) -> SubsampledState:  # fmt: skip
        assert state.preconditioner is not None
        bound = objective.gradient_gap(trial.w, trial.gradient)
        step = state.preconditioner.solve(trial.gradient)
        estimate = 0.5 * state.preconditioner.margin * float(trial.gradient @ step)
        # What the penalty bounds can be proved, but it may be loose, for quadratics without need.
        near = estimate <= run.tol * abs(trial.value)
        patience = max(PATIENCE, SHARE_OF_ITERATIONS * state.n_iter)
        if objective.constant_curvature or (near and state.n_near >= patience):
            gap = least_gap(bound, estimate)
        else:
            gap = estimate if math.isnan(bound) else bound
        return replace(
            state, value=trial.value, gradient_norm=norm(trial.gradient), step_size=trial.step,
            gap=gap, gradient=trial.gradient, pairs=pairs, n_iter=state.n_iter + 1,
            bound=bound if objective.gradient_gap_is_proof(trial.gradient) else math.nan,
            n_near=state.n_near + near,
        )  # fmt: skip


def _minimise_in_two_stages(sample: Objective, w: FloatArray, run: Run) -> FloatArray:
    """Minimise on a part of the sample, then from there on all of it."""
    first = sample.subsample(max(1, sample.n_samples // FIRST_SAMPLE))
    for part, n_iter in ((first, FIRST_ITERATIONS), (sample, SAMPLE_ITERATIONS)):
        w = Newton().run(part, w, tol=SAMPLE_ACCURACY, max_iter=n_iter).w
    return w
