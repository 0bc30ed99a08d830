"""What estimators of all kinds share: checks of weights and labels, callbacks, failed fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import _check_sample_weight

from skgrad._parameters import Parameterized
from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.solvers import Iteration
from skgrad.solvers._base import AnyObjective

# Rows that are looked at first for labels.
LABEL_ROWS = 2000


class NamedObjects(Parameterized):
    """Estimator some of whose parameters may be a name instead of an object."""

    # Maps such a parameter to the function that turns a name into its object.
    _named_objects: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of a solver or loss that is given by name.

        ``set_params(solver="adam", solver__learning_rate=0.1)`` works as
        ``set_params(solver=Adam(learning_rate=0.1))`` does.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator, or of a nested object as ``object__parameter``.

        Returns
        -------
        self : object
            The estimator.
        """
        for key, resolve in self._named_objects.items():
            value = params.get(key, getattr(self, key, None))
            if isinstance(value, str) and any(name.startswith(f"{key}__") for name in params):
                if value == "auto":
                    raise ValueError(
                        f"{key}='auto' has no parameters of its own. Name the {key} whose "
                        f"parameters you want to set, as in set_params({key}='adam', ...)."
                    )
                params = {**params, key: resolve(value)}
        return super().set_params(**params)


def weighted_rows(
    X: Matrix, y: Array, sample_weight: Any, estimator: str
) -> tuple[Matrix, Array, FloatArray | None]:
    """Check weights, and drop the rows of weight zero: they are rows that are not there."""
    if sample_weight is None:
        return X, y, None
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=True
    )
    if not weight.any():
        raise ValueError(
            f"{estimator} got sample_weight that is zero for every row; at least one weight "
            "must be positive."
        )
    if weight.all():
        return X, y, weight
    rows = np.flatnonzero(weight)
    return X[rows], y[rows], weight[rows]


def encode_labels(y: Array) -> tuple[Array, IntArray]:
    """Find the distinct labels, sorted, and the position of each sample's label among them.

    `numpy.unique` sorts all of y, which for many rows takes longer than a pass over X. Some rows
    nearly always show all labels; if not, it does sort.
    """
    if len(y) > 4 * LABEL_ROWS:
        classes = np.unique(y[:: len(y) // LABEL_ROWS])
        codes, known = look_up(classes, y)
        if known.all():
            return classes, codes
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes


def look_up(classes: Array, y: Array) -> tuple[IntArray, Array]:
    """Compute the position of each label in sorted classes, and whether it is there."""
    codes = np.searchsorted(classes, y)
    return codes, classes.take(codes, mode="clip") == y


def class_codes(classes: Array, y: Array) -> IntArray:
    """Compute the position of each label in sorted classes; raise if one is not there."""
    codes, known = look_up(classes, y)
    if not known.all():
        raise ValueError(
            f"y contains {y[~known].tolist()[0]!r}, which is not among the classes of the first "
            f"call: {classes!r}"
        )
    return codes


def check_classes(known: Array | None, classes: Any) -> None:
    """Raise unless classes are given in the first call of partial_fit, and the same in later ones.

    ``known`` are those of the first call, None in it.
    """
    if known is None and classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    if known is None or classes is None:
        return
    if not np.array_equal(known, unique_labels(classes)):
        raise ValueError(
            f"classes={classes!r} is not the same as on the last call to partial_fit, "
            f"was: {known!r}"
        )


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Leave an estimator as it was if fitting fails: unfitted, or with its earlier fit."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        kept = {key: value for key, value in vars(estimator).items() if key.startswith("_skl")}
        vars(estimator).clear()
        vars(estimator).update({**before, **kept})
        raise


class SklearnCallbacks:
    """Report the fit and each iteration to the callbacks set on an estimator, if there are any.

    Iterating over it gives the callables that a solver's run takes: none without callbacks, so that
    a plain fit pays nothing.

    Parameters
    ----------
    estimator : estimator
        The one being fitted.
    objective : Objective or NetworkObjective
        Maps a solver's parameters to the user's.
    X, y, sample_weight : array-like
        As the user passed them.
    """

    def __init__(
        self, estimator: Any, objective: AnyObjective, X: Any, y: Any, sample_weight: Any
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
