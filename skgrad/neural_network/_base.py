"""What the multilayer perceptrons share: from parameters and data to a solver's run and back."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skgrad._estimators import NamedObjects, SklearnCallbacks, unchanged_on_error, weighted_rows
from skgrad._threads import single_threaded_blas
from skgrad._typing import Array, FloatArray, Matrix
from skgrad.augmentation import Augmentation
from skgrad.losses import get_loss
from skgrad.models.network import (
    Activation,
    Initializer,
    InputScaling,
    Normalization,
)
from skgrad.network_objective import NetworkObjective
from skgrad.neural_network._building import (
    build_objective,
    learn_scaler,
    network_solver,
    resolve_solver,
)
from skgrad.neural_network._fitted import attributes, flatten, parameters_of
from skgrad.neural_network._importances import NetworkImportances
from skgrad.neural_network._initialize import initial_parameters
from skgrad.neural_network._monitor import Monitor
from skgrad.neural_network._prediction import predict_raw
from skgrad.neural_network._task import Task, hold_out
from skgrad.solvers import DivergenceError, Result, Solver, State, Status


@dataclass(slots=True)
class Stream:
    """What one call of partial_fit hands to the next."""

    solver: Solver
    w: FloatArray
    state: State | None
    rng: np.random.Generator


def learns_in_batches(estimator: Any) -> bool:
    """Tell whether `partial_fit` is there: full-batch solvers need all data at once."""
    return bool(network_solver(estimator.solver).stochastic)


class MultilayerPerceptron(NetworkImportances, CallbackSupportMixin, NamedObjects):
    """Base of `MLPClassifier` and `MLPRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str, Activation, "array-like"],
        "solver": [str, Solver],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf}),
        ],
        "scoring": [str, callable, None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [str, Normalization, None],
        "residual": ["boolean"],
        "weight_init": [str, Initializer],
        "output_init": [str, Initializer],
        "input_scaling": [str, InputScaling, None],
        "learn_input_scale": ["boolean"],
        "parametrization": [StrOptions({"standard", "ntk"})],
        "learning_rate_factors": [dict, None],
        "decay_factors": [dict, None],
        "augment": [str, Augmentation, callable, "array-like", None],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
    }  # fmt: skip
    _named_objects: ClassVar[dict[str, Any]] = {"solver": network_solver, "loss": get_loss}

    @abstractmethod
    def _task(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Task:
        """Validate data and translate them; ``first`` is False in later calls of partial_fit."""

    @abstractmethod
    def _score_raw(self, task: Task, raw: FloatArray) -> float:
        """Compute the default score of raw predictions, larger is better."""

    # -- public methods ---------------------------------------------------------------------------

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A weight of k is the row k times.
        X_val, y_val : array-like, default=None
            Validation data for early stopping, instead of a part of X and y.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        with unchanged_on_error(self):
            warm = self.warm_start and self.__sklearn_is_fitted__()
            task = self._task(X, y, sample_weight, first=True)
            rng = self._rng()
            task, held_out = self._hold_out(task, rng, X_val, y_val)
            solver = resolve_solver(self, task)
            scaler = vars(self).get("scaler_") if warm else learn_scaler(self, task.X)
            objective = build_objective(self, task, solver, scaler)
            w = self._fitted_vector(objective) if warm else None
            if w is None:
                w = initial_parameters(objective, self.weight_init, self.output_init, rng)
            score = None if held_out is None else self._validation(objective, held_out)
            monitor = Monitor(
                float(self.tol), float(self.n_iter_no_change), score, noisy=solver.stochastic
            )
            reporting = SklearnCallbacks(self, objective, X, y, sample_weight)
            with single_threaded_blas(task.X, objective.largest_product), reporting as bridge:
                try:
                    result = solver.run(
                        objective, w, tol=0.0, max_iter=self.max_iter, rng=rng,
                        callbacks=[monitor, *bridge],
                    )  # fmt: skip
                except DivergenceError as error:
                    result = monitor.salvage(error)
                self._store(objective, result, solver, monitor)
                self._store_importances(task)
                self._warn(result, monitor)
            self._stream: Stream | None = None
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Self:
        """Make one epoch over a chunk, continuing solver state and random stream."""
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: there is no validation set that "
                "all calls share. Set early_stopping=False."
            )
        with unchanged_on_error(self):
            fitted = self.__sklearn_is_fitted__()
            task = self._task(X, y, sample_weight, first=not fitted, **options)
            stream: Stream | None = getattr(self, "_stream", None)
            solver = resolve_solver(self, task) if stream is None else stream.solver
            scaler = vars(self).get("scaler_") if fitted else learn_scaler(self, task.X)
            objective = build_objective(self, task, solver, scaler)
            if stream is None:
                rng = self._rng()
                w = self._fitted_vector(objective) if fitted else None
                if w is None:
                    w = initial_parameters(objective, self.weight_init, self.output_init, rng)
                stream = Stream(solver, w, None, rng)
            monitor = Monitor(0.0, np.inf, noisy=True)
            with single_threaded_blas(task.X, objective.largest_product):
                result = solver.run(
                    objective, stream.w, tol=0.0, max_iter=1, horizon=self.max_iter,
                    rng=stream.rng, callbacks=[monitor], state=stream.state,
                )  # fmt: skip
                self._store(objective, result, solver, monitor)
                self._store_importances(task, in_stream=True)
            stream.w, stream.state = result.w, result.state
            self._stream = stream
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether fit has finished: validation alone sets n_features_in_."""
        return "coefs_" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        """Declare that sparse data are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- from data to a run -----------------------------------------------------------------------

    def _validate(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, **options: Any
    ) -> tuple[Matrix, Array, FloatArray | None]:
        """Check X, y and weights; drop the rows of weight zero."""
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=first,
            multi_output=True, **options,
        )  # fmt: skip
        if sparse.issparse(X):
            X = sparse.csr_array(X)
        return weighted_rows(X, y, sample_weight, type(self).__name__)

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(check_random_state(self.random_state).randint(2**31))

    def _hold_out(
        self, task: Task, rng: np.random.Generator, X_val: Any, y_val: Any
    ) -> tuple[Task, Task | None]:
        """Split off validation rows, or take the ones that were given."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together.")
        if X_val is not None:
            return task, self._task(X_val, y_val, None, first=False)
        if not self.early_stopping:
            return task, None
        seed = int(rng.integers(2**31))
        return hold_out(task, float(self.validation_fraction), seed, self._strata(task))

    def _strata(self, task: Task) -> Array | None:
        """Labels whose shares a split preserves."""
        return None

    def _validation(
        self, objective: NetworkObjective, held_out: Task
    ) -> Callable[[FloatArray], float]:
        """Build the function that scores parameters on validation data."""
        if self.scoring is not None and self.scoring != "loss":
            return lambda w: self._scored(objective, w, held_out)

        def score(w: FloatArray) -> float:
            parameters, moments = objective.network.layout.parameters(w), objective.moments(w)
            raw = predict_raw(objective.network, parameters, held_out.X, moments, objective.scaler)
            if self.scoring is None:
                return self._score_raw(held_out, raw)
            y = held_out.y if held_out.y.dtype.kind != "f" else held_out.y.astype(raw.dtype)
            return -float(np.mean(np.sum(held_out.loss.value(y, raw), axis=1, dtype=np.float64)))

        return score

    def _scored(self, objective: NetworkObjective, w: FloatArray, held_out: Task) -> float:
        """Score by a scikit-learn scorer, which takes a fitted estimator."""
        estimator = object.__new__(type(self))
        estimator.__dict__.update(vars(self), **self._attributes(objective, w))
        estimator.__dict__.pop("feature_names_in_", None)
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        return float(scorer(estimator, held_out.X, held_out.targets))

    # -- and back ---------------------------------------------------------------------------------

    def _attributes(self, objective: NetworkObjective, w: FloatArray) -> dict[str, Any]:
        """Compute the fitted attributes that predictions need from a solver's parameters."""
        return {
            **attributes(objective.network, w, objective.moments(w)),
            "network_": objective.network,
            "scaler_": objective.scaler,
        }

    def _fitted_vector(self, objective: NetworkObjective) -> FloatArray | None:
        return flatten(objective.network, parameters_of(self.__dict__), objective.dtype)

    def _store(
        self, objective: NetworkObjective, result: Result, solver: Solver, monitor: Monitor
    ) -> None:
        w = result.w if monitor.best_w is None else monitor.best_w
        self.__dict__.update(self._attributes(objective, w))
        self.solver_, self.history_ = solver, result.history
        self.n_iter_, self.loss_curve_ = result.n_iter, monitor.losses
        self.loss_ = self.loss_curve_[-1]
        early = monitor.score is not None
        self.best_loss_ = None if early else min(self.loss_curve_)
        self.validation_scores_ = monitor.scores if early else None
        self.best_validation_score_ = monitor.best_score if early else None
        self.t_ = objective.n_samples * result.n_iter
        self.n_layers_ = len(objective.network.sizes)
        self.n_outputs_ = objective.network.n_outputs
        # Where the best of all epochs is kept, max_iter is a plan, not a budget that ran out.
        all_epochs = early and self.n_iter_no_change == np.inf
        planned = all_epochs and result.status is Status.MAX_ITER
        self.converged_ = planned or result.status not in (Status.MAX_ITER, Status.DIVERGED)

    def _warn(self, result: Result, monitor: Monitor) -> None:
        if result.status is Status.DIVERGED:
            warnings.warn(
                f"{type(self).__name__}: {monitor.error} The weights of the epoch with the best "
                "validation score are kept.", ConvergenceWarning, stacklevel=5,
            )  # fmt: skip
        elif not self.converged_:
            warnings.warn(
                f"{type(self).__name__}: {result.n_iter} epochs were made and the loss was still "
                f"improving. Raise max_iter (now {self.max_iter}), or the learning rate.",
                ConvergenceWarning, stacklevel=5,
            )  # fmt: skip

    def _raw(self, X: Any) -> FloatArray:
        """Compute raw predictions, shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=["float64", "float32"], reset=False)
        fitted = self.__dict__
        raw = predict_raw(
            self.network_, parameters_of(fitted), X, fitted.get("moments_"), self.scaler_
        )
        return raw.astype(X.dtype, copy=False)
