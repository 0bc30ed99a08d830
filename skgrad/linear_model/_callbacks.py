"""Bridge between a solver's run and scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from skgrad._typing import FloatArray
from skgrad.objective import Objective
from skgrad.solvers import Iteration


class SklearnCallbacks:
    """Report the fit and each iteration to the callbacks set on an estimator, if there are any.

    Iterating over it gives the callables that a solver's run takes: none without callbacks, so that
    a plain fit pays nothing.

    Parameters
    ----------
    estimator : estimator
        The one being fitted.
    objective : Objective
        Maps a solver's parameters to the user's.
    X, y, sample_weight : array-like
        As the user passed them.
    """

    def __init__(
        self, estimator: Any, objective: Objective, X: Any, y: Any, sample_weight: Any
    ) -> None:
        self.estimator, self.objective = estimator, objective
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        self.active = "_skl_callbacks" in vars(estimator)
        self.context: Any = None

    def __enter__(self) -> Self:
        """Open the fit task."""
        if self.active:
            self.context = self.estimator._init_callback_context(max_subtasks=None)
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close the fit task if it ended well; scikit-learn tears callbacks down in any case."""
        if self.active and error is None:
            self.context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes={}, **self.data
            )

    def __iter__(self) -> Iterator[Any]:
        """Yield the callable for the solver's run."""
        if self.active:
            yield self._iteration

    def _iteration(self, iteration: Iteration) -> bool:
        task = self.context.subcontext(task_name="iteration")
        common = {"estimator": self.estimator, **self.data}
        task.call_on_fit_task_begin(**common)
        return bool(
            task.call_on_fit_task_end(
                **common, reconstruction_attributes=lambda: self._attributes(iteration.w)
            )
        )

    def _attributes(self, w: FloatArray) -> dict[str, Any]:
        """Compute the fitted attributes that prediction needs."""
        return dict(self.estimator._attributes(self.objective, w))
