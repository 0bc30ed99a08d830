"""What is asked of which estimator: the response, its target, and the columns of X."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils.validation import check_array, check_is_fitted

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection import compose, models, transformers  # noqa: F401  (registers the rules)
from skgrad.inspection.chain import WIDEST, Local, Response, Walk
from skgrad.inspection.chain.columns import (
    is_documents,
    is_frame,
    names_of,
    numeric_columns,
    take_rows,
    width,
)

# Rows of a chunk are chosen so that one array of its gradients takes this much at the widest step.
CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Question:
    """A response of a fitted estimator, as a function of the columns of its input.

    Build it with `ask`. All values come back as float64 arrays of shape (n_samples, n_outputs).

    Parameters
    ----------
    estimator : estimator
        Fitted.
    response : str
        The method whose outputs are differentiated, or "raw".
    picks : ndarray of shape (n_asked, n_outputs)
        One row for each output that is asked for, as a combination of all: a unit vector, or its
        negative for the class that a single score speaks against.
    targets : list
        What each of them is: a class label, or the number of an output.
    names : ndarray of object
        Names of the columns of the input.
    numeric : ndarray of int
        The columns that hold numbers.
    fallback : {"difference"} or None
        See `Walk`.
    memory : dict
        See `Walk`.
    """

    estimator: Any
    response: Response
    picks: FloatArray
    targets: list[Any]
    names: Any
    numeric: IntArray
    fallback: Literal["difference"] | None = None
    memory: dict[Any, Any] = field(default_factory=dict)

    def walk(self, X: Any, pins: Any = None) -> tuple[Local, Walk]:
        """Evaluate the response at some rows, and keep the way back."""
        start = Walk(
            np.arange(width(X)), self.names, self.response, self.fallback, pins, memory=self.memory
        )
        return start.respond(self.estimator, X), start

    def value(self, X: Any) -> FloatArray:
        """Evaluate the response, shape (n_samples, n_asked)."""
        return self.select(self.walk(X)[0].value)

    def select(self, value: FloatArray) -> FloatArray:
        """Keep the outputs that are asked for."""
        return value @ self.picks.T

    def cotangents(self, n_samples: int) -> Iterator[FloatArray]:
        """Yield the cotangent that picks out each output asked for, one after the other."""
        for pick in self.picks:
            yield np.tile(pick, (n_samples, 1))

    def prime(self, X: Any) -> None:
        """Let steps without derivatives learn their columns' scales from all of X, not a chunk."""
        n = X.shape[0]
        self.walk(take_rows(X, np.linspace(0, n - 1, min(n, 4096)).astype(np.intp)))

    def chunks(self, X: Any, batch_size: int | None = None) -> Iterator[slice]:
        """Cut rows so that their gradients stay small."""
        n = X.shape[0]
        widest = max(1, width(X), self.memory.get(WIDEST, 0))
        size = batch_size or max(64, CHUNK_BYTES // (8 * widest))
        for start in range(0, n, size):
            yield slice(start, min(start + size, n))


def ask(
    estimator: Any, X: Any, *, response_method: str = "auto", target: Any = None,
    at_step: int = 0, fallback: Literal["difference"] | None = None,
) -> tuple[Question, Any]:  # fmt: skip
    """Check what is asked, and return it with the input that it is asked at.

    Parameters
    ----------
    estimator : estimator
        Fitted; a pipeline, say.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        As `estimator.predict` takes it.
    response_method : {"auto", "decision_function", "predict_proba", "predict_log_proba", \
"predict", "raw"}
        "auto" is the score before the link for classifiers, or else the first that exists of
        the others.
    target : class label, int or None
        A class, or the number of an output; None for the positive class of two, or else for all.
    at_step : int
        Which inputs to ask about in a pipeline: 0 for the user's columns, -1 for those of the
        last step.
    fallback : {"difference"} or None
        See `Walk`.
    """
    check_is_fitted(estimator)
    if fallback not in (None, "difference"):
        raise ValueError(f'fallback must be None or "difference", got {fallback!r}.')
    X = checked(estimator, X)
    estimator, X = _from_step(estimator, X, at_step)
    response = choose_response(estimator, response_method)
    memory: dict[Any, Any] = {}
    names, numeric = names_of(X), numeric_columns(X)
    everything = Question(estimator, response, np.eye(1), [], names, numeric, fallback, memory)
    if fallback is not None:
        everything.prime(X)
    local, _ = everything.walk(take_rows(X, slice(0, 1)))
    picks, targets = _targets(estimator, response, target, local.value)
    return replace(everything, picks=picks, targets=targets), X


def checked(estimator: Any, X: Any) -> Any:
    """Check the columns of X against those of the fit."""
    if is_documents(X):
        return X if hasattr(X, "iloc") else np.asarray(X, dtype=object)
    if not is_frame(X):
        X = check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite=False)
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None and is_frame(X):
        _check_names(list(fitted), list(X.columns), type(estimator).__name__)
    n_fitted = getattr(estimator, "n_features_in_", width(X))
    if width(X) != n_fitted:
        raise ValueError(
            f"X has {width(X)} columns, but {type(estimator).__name__} was fitted on {n_fitted}."
        )
    return X


def _check_names(fitted: list[Any], given: list[Any], estimator: str) -> None:
    missing = [name for name in fitted if name not in set(given)]
    extra = [name for name in given if name not in set(fitted)]
    if missing or extra:
        raise ValueError(
            f"X must have the columns that {estimator} was fitted on: missing {missing[:5]},"
            f" not known {extra[:5]}. Select them with X[estimator.feature_names_in_]."
        )
    if given != fitted:
        raise ValueError(
            f"The columns of X are in another order than {estimator} was fitted on. Reorder them"
            " with X[estimator.feature_names_in_]."
        )


def _from_step(estimator: Any, X: Any, at_step: int) -> tuple[Any, Any]:
    """Leave out the first steps of a pipeline."""
    if at_step == 0:
        return estimator, X
    pipeline = getattr(estimator, "best_estimator_", estimator)
    n_steps = len(getattr(pipeline, "steps", ()))
    if not -n_steps <= at_step < n_steps:
        allowed = f"between {-n_steps} and {n_steps - 1}" if n_steps else "0, without a pipeline"
        raise ValueError(f"at_step must be {allowed}, got {at_step}.")
    before = pipeline[:at_step]
    Z = before.transform(X)
    if sparse.issparse(Z):
        return pipeline[at_step:], Z.tocsr()
    return pipeline[at_step:], Z if is_frame(Z) else _named(before, np.asarray(Z))


def _named(before: Any, Z: Any) -> Any:
    """Name the columns of an intermediate result, if its steps can."""
    try:
        names = before.get_feature_names_out()
    except (AttributeError, ValueError):  # some step has no names to give
        return Z
    import pandas as pd

    return pd.DataFrame(Z, columns=names)


def choose_response(estimator: Any, method: str) -> Response:
    """Choose the method that answers."""
    known = get_args(Response)
    if method == "auto":
        preferred = ("decision_function", "predict_proba", "predict")
        found = next((name for name in preferred if hasattr(estimator, name)), "predict")
        method = found
    if method not in known:
        raise ValueError(f'response_method must be "auto" or one of {known}, got {method!r}.')
    if method != "raw" and not hasattr(estimator, method):
        raise ValueError(f"response_method={method!r}: {type(estimator).__name__} has no {method}.")
    if method == "predict" and is_classifier(estimator):
        raise ValueError(
            "predict gives class labels, which have no gradient. Use"
            ' response_method="decision_function" or "predict_proba".'
        )
    return cast(Response, method)


def _targets(
    estimator: Any, response: Response, target: Any, value: FloatArray
) -> tuple[FloatArray, list[Any]]:
    """Translate the target into combinations of the outputs."""
    n_outputs, classes = value.shape[1], _classes(estimator, response)
    outputs = classes if len(classes) == n_outputs else list(range(n_outputs))
    single_score = len(classes) == 2 and n_outputs == 1
    if single_score and (target is None or target in classes):
        sign = -1.0 if target is not None and target == classes[0] else 1.0
        return np.array([[sign]]), [classes[1] if target is None else target]
    if target is None and len(classes) == 2 == n_outputs and _sum_to_one(response, value):
        target = classes[1]  # the probability of the positive class
    if target is None:
        return np.eye(n_outputs), outputs
    outputs = classes if single_score else outputs
    if target not in outputs:
        kind = "the classes" if classes else "the outputs"
        raise ValueError(f"target must be one of {kind} {outputs}, got {target!r}.")
    return np.eye(n_outputs)[[outputs.index(target)]], [target]


def final_estimator(estimator: Any) -> Any:
    """Find the estimator at the end of pipelines and searches."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        inner = getattr(estimator, "best_estimator_", None)
        estimator = estimator.steps[-1][1] if inner is None else inner
    return estimator


def _classes(estimator: Any, response: Response) -> list[Any]:
    """List the classes of a classifier; none if it has a list of them for each of its outputs."""
    if not is_classifier(estimator) or isinstance(estimator.classes_, list):
        return []
    in_pairs = getattr(final_estimator(estimator), "decision_function_shape", "ovr") == "ovo"
    scores = response in ("raw", "decision_function")
    if in_pairs and scores and len(estimator.classes_) > 2:  # three classes have three pairs
        return []
    return list(np.asarray(estimator.classes_).tolist())


def _sum_to_one(response: Response, value: FloatArray) -> bool:
    """Tell probabilities of classes, one of which is redundant, from those of two labels."""
    shares = np.exp(value) if response == "predict_log_proba" else value
    probabilities = response in ("predict_proba", "predict_log_proba")
    return probabilities and bool(np.allclose(shares.sum(axis=1), 1.0, rtol=1e-9))
