"""What all linear estimators share: from parameters and data to a solver's run and back."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import _fit_context, is_classifier
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils._tags import Tags
from sklearn.utils.validation import assert_all_finite, validate_data

from skgrad._estimators import NamedObjects, SklearnCallbacks, unchanged_on_error, weighted_rows
from skgrad._threads import single_threaded_blas
from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.callbacks import EarlyStopping
from skgrad.certificates import ROUNDING
from skgrad.coordinates import HugeColumnError
from skgrad.linalg import COMPILED_SIZE
from skgrad.linear_model._importances import LinearImportances, column_deviations
from skgrad.linear_model._problem import Problem
from skgrad.losses import get_loss
from skgrad.objective import Objective
from skgrad.solvers import Result, Solver, Status, choose_solver, get_solver

# Two more iterations of Newton's family, where a relative suboptimality of 1e-7 would leave
# coefficients of least squares with four digits.
CHEAP_ACCURACY = 1e-4
# A warm start this many times worse than a cold one is not taken. The data must be other ones, and
# where raw predictions are huge, exp(raw) overflows and the curvature of a log loss vanishes.
FAR_OFF = 1e3


class LinearEstimator(LinearImportances, SparseCoefMixin, CallbackSupportMixin, NamedObjects):
    """Base of the linear estimators.

    A subclass translates its parameters and targets into a `Problem` and stores the coefficients
    in scikit-learn's shapes; everything between is here.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "fit_intercept": ["boolean"],
        "solver": [str, Solver],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }
    n_iter_: int | IntArray
    _named_objects: ClassVar[dict[str, Any]] = {"solver": get_solver, "loss": get_loss}

    @abstractmethod
    def _problem(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Problem:
        """Validate data and translate them; ``first`` is False in later calls of partial_fit."""

    @abstractmethod
    def _coef_attributes(self, coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
        """Bring coef_ and intercept_ into scikit-learn's shapes."""

    # -- public methods ---------------------------------------------------------------------------

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. float32 is kept, everything else is converted to float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A weight of k is the row k times.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        with unchanged_on_error(self):
            problem = self._problem(X, y, sample_weight, first=True)
            rng = self._rng() if self.early_stopping else None
            problem, held_out = self._hold_out(problem, rng)
            with single_threaded_blas(problem.X):
                given, batching = problem, None
                if isinstance(self.solver, str) and self.solver == "auto":
                    problem = problem.compressed(fit_intercept=self.fit_intercept)
                    problem = problem.multiplied(fit_intercept=self.fit_intercept)
                else:
                    batching = get_solver(self.solver).batching(problem.X.shape[0])
                objective = self._objective(problem, batching=batching)
                solver = self._resolve_solver(objective)
                objective = solver.in_coordinates(objective)
                start = self._start(objective)
                stopping = self._early_stopping(objective, held_out)
                callbacks = problem.stop_rules() + ([] if stopping is None else [stopping])
                reporting = SklearnCallbacks(self, objective, X, y, sample_weight)
                with reporting as bridge:
                    run = partial(
                        solver.run, tol=self._tolerance(objective), max_iter=self.max_iter,
                        horizon=self.max_iter,
                        rng=self._rng() if rng is None and solver.draws else rng,
                        n_iter_no_change=self.n_iter_no_change,
                        callbacks=[*callbacks, *bridge],
                    )  # fmt: skip
                    objective, result = problem.minimise(run, objective, start)
                    w = result.w if stopping is None or stopping.best_w is None else stopping.best_w
                    wide = objective.n_samples <= objective.model.n_features
                    flat = objective.flat_directions and objective.row_space is None
                    if flat and (wide or result.state.singular):
                        w = objective.shortest(w)
                    notice = given.notice(objective, w)
                    provable = problem.estimate is None  # the objective is all that was minimised
                    self._store(objective, w, result, solver, notice=notice, provable=provable)
                    self._deviations = column_deviations(given, objective)
                    if stopping is not None:
                        self.history_["validation_loss"] = np.array(stopping.losses)
            self._stream: Any = None  # partial_fit starts a new stream from here
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether fit has finished: validation alone sets n_features_in_."""
        return "coef_" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        """Declare that sparse data are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- from data to a run -----------------------------------------------------------------------

    def _validate(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, drops_rows: bool = False,
        **options: Any,
    ) -> tuple[Matrix, Array, FloatArray | None]:  # fmt: skip
        """Check X, y and weights; drop the rows of weight zero, unless the caller does."""
        # Rows that are held out, or have no weight, are not in the moments of the columns.
        all_rows = sample_weight is None and not drops_rows and not self.early_stopping
        if first and _is_plain(X, y, summed_later=all_rows):
            # What validation would do, at a third of a small fit's time: half of its 90
            # microseconds find out that an array is not a data frame of some library.
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = X.shape[1]
        else:
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=first,
                **options,
            )  # fmt: skip
        if sparse.issparse(X):
            X = sparse.csr_array(X)
        return weighted_rows(X, y, sample_weight, type(self).__name__)

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(check_random_state(self.random_state).randint(2**31))

    def _objective(self, problem: Problem, **options: Any) -> Objective:
        """Build the objective; large data are found to hold NaN or infinity only here."""
        try:
            return problem.objective(fit_intercept=self.fit_intercept, **options)
        except HugeColumnError:
            assert_all_finite(problem.X, estimator_name=type(self).__name__, input_name="X")
            raise

    def _resolve_solver(self, objective: Objective) -> Solver:
        solver = self.solver
        if isinstance(solver, str) and solver == "auto":
            return choose_solver(objective)
        return get_solver(solver)

    def _tolerance(self, objective: Objective) -> float:
        """Ask for more digits of what has a closed form or is a linear program: they are cheap."""
        automatic = isinstance(self.solver, str) and self.solver == "auto"
        least_squares = objective.constant_curvature and objective.penalty.smooth
        linear = objective.loss.piecewise_linear and objective.penalty.strong_convexity == 0.0
        return float(self.tol) * (CHEAP_ACCURACY if automatic and (least_squares or linear) else 1)

    def _start(self, objective: Objective) -> FloatArray:
        """Start at the best constant prediction, or where the last fit ended."""
        cold = objective.start()
        if self.warm_start and self.__sklearn_is_fitted__():
            w = self._fitted_params(objective)
            with np.errstate(over="ignore", invalid="ignore"):
                if w is not None and objective.value(w) <= FAR_OFF * objective.value(cold):
                    return w
        return cold

    def _fitted_params(self, objective: Objective) -> FloatArray | None:
        """Map coef_ and intercept_ to the objective's coordinates; None if shapes changed."""
        model = objective.user_model
        coef = self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_
        if coef.size != model.n_outputs * model.n_features:
            return None
        coef = coef.reshape(model.n_outputs, model.n_features).astype(objective.dtype)
        intercept = np.broadcast_to(self.intercept_, (model.n_outputs,))
        return objective.from_user(model.pack(coef, intercept))

    def _hold_out(
        self, problem: Problem, rng: np.random.Generator | None
    ) -> tuple[Problem, Problem | None]:
        """Split off the validation rows, stratified by class where there are classes."""
        if rng is None:
            return problem, None
        from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

        split = StratifiedShuffleSplit if is_classifier(self) else ShuffleSplit
        seed = int(rng.integers(2**31))
        splitter = split(test_size=self.validation_fraction, random_state=seed)
        labels = (
            problem.y if problem.y.ndim == 1 or problem.y.shape[1] == 1 else problem.y.argmax(1)
        )
        training, held_out = next(splitter.split(np.empty((len(problem.y), 1)), labels))
        return problem.rows(training), problem.rows(held_out)

    def _early_stopping(
        self, objective: Objective, held_out: Problem | None
    ) -> EarlyStopping | None:
        if held_out is None:
            return None
        return EarlyStopping(
            held_out.validation_objective(objective),
            n_iter_no_change=self.n_iter_no_change, tol=self.tol,
        )  # fmt: skip

    # -- and back ---------------------------------------------------------------------------------

    def _store(
        self, objective: Objective, w: FloatArray, result: Result, solver: Solver, *,
        earlier: dict[str, FloatArray] | None = None, warn: bool = True, notice: str | None = None,
        provable: bool = True,
    ) -> None:  # fmt: skip
        for name, value in self._attributes(objective, w).items():
            setattr(self, name, value)
        history = result.history
        if earlier is not None:
            history = {key: np.append(earlier[key], history[key]) for key in history}
        self.history_ = history
        self.solver_ = solver
        self._store_n_iter(len(history["loss"]))
        acceptable = max(float(self.tol), solver.acceptable_gap)
        self.optimality_gap_, self.gap_is_certified_ = result.relative_gap, False
        provable &= warn
        proven = self._proven_gap(objective, w, result, solver) if provable else np.nan
        if proven <= acceptable or np.isnan(result.relative_gap):
            self.optimality_gap_, self.gap_is_certified_ = proven, bool(proven == proven)
        good = self.optimality_gap_ <= acceptable
        ended = result.status in (Status.CONVERGED, Status.STOPPED)
        settled = result.status in (Status.STALLED, Status.SCHEDULE_ENDED)
        stalled = settled and np.isnan(self.optimality_gap_)
        self.converged_ = bool(ended or stalled or good) and notice is None
        if warn and not self.converged_:
            advice = notice or self._advice(result, solver)
            warnings.warn(advice, ConvergenceWarning, stacklevel=5)

    @staticmethod
    def _proven_gap(objective: Objective, w: FloatArray, result: Result, solver: Solver) -> float:
        """Compute an upper bound of the relative gap, NaN if there is none."""
        noisy = solver.stochastic or not solver.provable
        if w is not result.w or not result.value or noisy:
            return np.nan  # the bound of noisy iterates is loose, and would cost half an epoch
        if result.state.bound == result.state.bound:
            rounding = ROUNDING * float(np.finfo(objective.dtype).eps)
            return result.state.bound / abs(result.value) + rounding
        multipliers = solver.multipliers(objective, result.state)
        return objective.certified_gap(w, multipliers) / abs(result.value)

    def _attributes(self, objective: Objective, w: FloatArray) -> dict[str, Any]:
        """Compute the fitted attributes that predictions need from a solver's parameters."""
        user, model = objective.to_user(w), objective.user_model
        intercept = model.intercept(user) if model.fit_intercept else np.zeros(model.n_outputs)
        coef = model.coef(user).copy()
        return self._coef_attributes(coef, intercept.astype(coef.dtype, copy=False))

    def _store_n_iter(self, n_iter: int) -> None:
        self.n_iter_ = n_iter

    def _advice(self, result: Result, solver: Solver) -> str:
        """Say how far off the answer is, and what to change."""
        distance = (
            f"The objective is estimated to be {self.optimality_gap_:.1e} above its minimum, "
            f"relatively (tol={self.tol:g})."
            if np.isfinite(self.optimality_gap_)
            else "How far the objective is above its minimum could not be estimated."
        )
        return (
            f"{type(self).__name__} with {solver!r} has not converged after {result.n_iter} "
            f"iterations: {result.status.value}. {distance} Raise max_iter "
            f"(now {self.max_iter}), change the learning rate, or use solver='auto'."
        )


def _is_plain(X: Any, y: Any, *, summed_later: bool) -> bool:
    """Tell whether X and y are data that scikit-learn's validation returns as they are.

    NaN and infinity in large data come to light in the moments of the columns, without a pass of
    their own, if those are computed of all rows.
    """
    if type(X) not in (np.ndarray, csr_array, csr_matrix) or type(y) is not np.ndarray:
        return False
    floats = X.dtype in (np.float64, np.float32) and y.dtype.kind in "fiub"
    shapes = X.ndim == 2 and y.ndim == 1 and X.shape[0] == len(y) and min(X.shape) > 0
    if not (floats and shapes):
        return False
    # Finite sums have finite terms; sums that overflow are left to the slower test.
    entries = X if isinstance(X, np.ndarray) else X.data
    with np.errstate(over="ignore", invalid="ignore"):
        finite = (summed_later and entries.size >= COMPILED_SIZE) or np.isfinite(entries.sum())
        return bool(finite and np.isfinite(y.sum()))
