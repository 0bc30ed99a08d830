"""Learning from a stream of chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from skgrad._estimators import unchanged_on_error
from skgrad._threads import single_threaded_blas
from skgrad._typing import FloatArray
from skgrad.importances import ColumnMoments
from skgrad.linear_model._base import LinearEstimator
from skgrad.models import Standardization
from skgrad.objective import Objective
from skgrad.solvers import SGD, Solver, State, get_solver


@dataclass(slots=True)
class Stream:
    """What one call of partial_fit hands to the next, in the coordinates of the first chunk."""

    solver: Solver
    standardization: Standardization
    w: FloatArray
    state: State | None
    rng: np.random.Generator
    moments: ColumnMoments | None = None  # of the rows of all calls


class StreamingEstimator(LinearEstimator):
    """Base of the linear estimators: what `partial_fit` adds to `fit`."""

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Self:
        """Make one epoch over a chunk, continuing solver state and random stream."""
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: there is no validation set that "
                "all calls share. Set early_stopping=False."
            )
        with unchanged_on_error(self):
            stream: Stream | None = getattr(self, "_stream", None)
            first = not self.__sklearn_is_fitted__()
            problem = self._problem(X, y, sample_weight, first=first, **options)
            scaling = None if stream is None else stream.standardization
            objective = self._objective(problem, standardization=scaling)
            if stream is None:
                solver = self._streaming_solver()
                objective = solver.in_coordinates(objective)
                stream = self._open_stream(solver, objective)
            with single_threaded_blas(problem.X):
                result = stream.solver.run(
                    objective, stream.w, tol=0.0, max_iter=1, horizon=self.max_iter,
                    rng=stream.rng, n_iter_no_change=self.n_iter_no_change, state=stream.state,
                )  # fmt: skip
                moments = ColumnMoments.of(problem.X, problem.sample_weight)
            earlier = getattr(self, "history_", None) if stream.state is not None else None
            self._store(objective, result.w, result, stream.solver, earlier=earlier, warn=False)
            stream.w, stream.state = result.w, result.state
            stream.moments = moments if stream.moments is None else stream.moments + moments
            self._deviations = stream.moments.deviation
            self._stream = stream
        return self

    def _streaming_solver(self) -> Solver:
        auto = isinstance(self.solver, str) and self.solver == "auto"
        solver = SGD() if auto else get_solver(self.solver)
        if not solver.stochastic:
            raise ValueError(
                "partial_fit needs a solver that learns from mini-batches; "
                f"{type(solver).__name__} needs all data at once. Use SGD, AdaGrad, "
                "RMSProp or Adam, or warm_start=True."
            )
        return solver

    def _open_stream(self, solver: Solver, objective: Objective) -> Stream:
        fitted = self._fitted_params(objective) if self.__sklearn_is_fitted__() else None
        w = objective.start() if fitted is None else fitted
        return Stream(solver, objective.standardization, w, None, self._rng())
