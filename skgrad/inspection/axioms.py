"""What attributions by gradients must satisfy, checked on a fitted estimator of any kind."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection._question import Question, ask
from skgrad.inspection.attribution import attributions
from skgrad.inspection.chain import SEVERAL, Local, Walk, rule
from skgrad.inspection.chain.columns import dense, is_frame, take_columns, take_rows, width
from skgrad.inspection.gradients import input_gradients
from skgrad.inspection.points import numbers_of, with_numbers

# Rows that are looked at: each costs two evaluations for each numeric column.
MAX_ROWS = 50
# What attributions that are not compared with differences may be off by: rounding.
EXACT = 1e-9


def check_attribution_axioms(
    estimator: Any, X: Any, *, response_method: str = "auto", target: Any = None,
    step: float = 1e-5, rtol: float = 1e-6,
) -> Bunch:  # fmt: skip
    r"""Check that the gradients of a fitted estimator are right, and its attributions sound.

    ======================  =====================================================================
    finite differences      :math:`\partial_j f` is the limit of what `estimator` itself does
    completeness            integrated gradients add up to f(x) - f(x')
    dummy                   a column that is not used gets exactly nothing
    symmetry                two columns that are only used through their mean share evenly
    affine invariance       a column in other units has the same attribution
    linearity               the gradient of a sum of outputs is the sum of theirs
    ======================  =====================================================================

    Authors of rules (`register_jacobian`) run it on a pipeline with their step.

    Parameters
    ----------
    estimator : estimator
        Fitted: a predictor, or a pipeline or search that ends in one.
    X : DataFrame or array of shape (n_samples, n_features)
        Rows to check at; the first 50 are used. At least one column must be numeric.
    response_method : str, default="auto"
        As in `input_gradients`.
    target : class label or int, default=None
        As in `input_gradients`.
    step : float, default=1e-5
        Of the differences, in standard deviations of each column. Predictions in float32 need a
        longer one, such as 1e-2, and a larger ``rtol``.
    rtol : float, default=1e-6
        What differences and completeness may be off by, relative to the largest slope and to the
        change of the response.

    Returns
    -------
    Bunch
        For each axiom the largest error, relative to the size of what is compared.

    Raises
    ------
    AssertionError
        Naming the axioms that don't hold, the worst row and column, and by how much.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import check_attribution_axioms
    >>> X, y = load_iris(return_X_y=True)
    >>> errors = check_attribution_axioms(LogisticRegression().fit(X, y), X)
    >>> bool(errors.completeness < 1e-12)
    True
    """
    question, X = ask(estimator, X, response_method=response_method, target=target)
    if len(question.numeric) == 0:
        raise ValueError("X must have at least one numeric column.")
    case = _Case(question, take_rows(X, slice(0, MAX_ROWS)), target, step)
    errors = Bunch(
        finite_differences=case.differences(),
        completeness=case.completeness(),
        dummy=case.dummy(),
        symmetry=case.symmetry(),
        affine_invariance=case.affine_invariance(),
        linearity=case.linearity(),
    )
    allowed = {"finite_differences": rtol, "completeness": rtol, "dummy": 0.0}
    broken = [
        f"{name.replace('_', ' ')} is off by {error:.1e}"
        for name, error in errors.items()
        if not error <= allowed.get(name, EXACT)
    ]
    if broken:
        raise AssertionError(
            f"Attributions of {type(estimator).__name__} break axioms: {'; '.join(broken)}."
        )
    return errors


@dataclass(frozen=True)
class _Case:
    """A fitted estimator and some rows to check it at."""

    question: Question
    X: Any
    target: Any
    step: float

    def gradients(self, estimator: Any, X: Any) -> FloatArray:
        """Differentiate, shape (n_samples, n_features, n_asked)."""
        response = self.question.response
        found = input_gradients(estimator, X, response_method=response, target=self.target)
        return found.reshape(X.shape[0], width(X), -1)

    def paths(self, estimator: Any, X: Any) -> FloatArray:
        """Integrate gradients from the means, shape (n_samples, n_features, n_asked)."""
        return self._integrated(estimator, X)[0]

    def _integrated(self, estimator: Any, X: Any) -> tuple[FloatArray, FloatArray]:
        with warnings.catch_warnings():  # what is not complete is found, and said, all the same
            warnings.simplefilter("ignore", UserWarning)
            found = attributions(
                estimator, X, response_method=self.question.response, target=self.target
            )
        parts = np.asarray(found.attributions).reshape(X.shape[0], width(X), -1)
        return parts, np.asarray(found.base_values)

    def response(self, X: Any) -> FloatArray:
        """Let the estimator itself answer."""
        if self.question.response == "raw":
            return self.question.value(X)
        value = np.asarray(getattr(self.question.estimator, self.question.response)(X))
        return self.question.select(value.reshape(len(value), -1).astype(np.float64))

    @property
    def deviations(self) -> FloatArray:
        """Standard deviations of the numeric columns; 1 for constant ones."""
        deviations = np.nanstd(dense(numbers_of(self.X, self.question.numeric)), axis=0)
        return np.where(np.nan_to_num(deviations) > 0.0, deviations, 1.0)

    def differences(self) -> float:
        """Compare with central differences, except across kinks."""
        gradients = self.gradients(self.question.estimator, self.X)
        numbers, here = dense(numbers_of(self.X, self.question.numeric)), self.response(self.X)
        errors, sizes = [0.0], [1e-4 * float(np.abs(here).max())]
        for k, (j, deviation) in enumerate(
            zip(self.question.numeric, self.deviations, strict=True)
        ):
            slopes = gradients[:, j] * deviation
            if np.isnan(slopes).all():  # numbers that are categories to the estimator
                continue
            upper, lower = (self._moved(numbers, k, s * self.step * deviation) for s in (1.0, -1.0))
            forward, backward = (upper - here) / self.step, (here - lower) / self.step
            sizes.append(float(np.abs(slopes).max()))
            smooth = np.abs(forward - backward) <= 1e-2 * max(sizes)
            error = np.abs(slopes - 0.5 * (forward + backward))
            errors.append(float(error[smooth].max(initial=0.0)))
        return max(errors) / (max(sizes) or 1.0)

    def _moved(self, numbers: FloatArray, column: int, distance: float) -> FloatArray:
        moved = numbers.copy()
        moved[:, column] += distance
        return self.response(with_numbers(self.X, self.question.numeric, moved))

    def completeness(self) -> float:
        """Compare the sum of integrated gradients with what the estimator itself says."""
        parts, base = self._integrated(self.question.estimator, self.X)
        change = self.response(self.X) - base
        return float((np.abs(change - parts.sum(axis=1)) / (1.0 + np.abs(change))).max())

    def dummy(self) -> float:
        """Add a column that is not used."""
        rewired, Z = self._rewired(np.eye(len(self.question.numeric) + 1)[:-1])
        unused = [self.gradients(rewired, Z)[:, -1], self.paths(rewired, Z)[:, -1]]
        return float(np.abs(unused).max())

    def symmetry(self) -> float:
        """Put the mean of two columns in the place of one: each gets half."""
        matrix = np.eye(len(self.question.numeric) + 1)[:-1]
        matrix[0, 0] = matrix[0, -1] = 0.5
        rewired, Z = self._rewired(matrix)
        whole = self.gradients(self.question.estimator, self.X)[:, self.question.numeric[0]]
        halves = self.gradients(rewired, Z)[:, [self.question.numeric[0], -1]]
        return _relative(halves, 0.5 * whole[:, None])

    def affine_invariance(self) -> float:
        """Measure columns in other units."""
        factors = np.linspace(0.5, 3.0, len(self.question.numeric))
        rewired, Z = self._rewired(np.diag(factors), keep=True)
        whole = self.gradients(self.question.estimator, self.X)[:, self.question.numeric]
        scaled = self.gradients(rewired, Z)[:, self.question.numeric]
        paths = self.paths(self.question.estimator, self.X)
        return max(
            _relative(scaled, whole * factors[:, None]), _relative(self.paths(rewired, Z), paths)
        )

    def linearity(self) -> float:
        """Pull sums of cotangents back."""
        local, _ = self.question.walk(self.X)
        rng = np.random.default_rng(0)
        one, other = rng.normal(size=(2, *local.value.shape))
        sum_ = local.pull(2.0 * one - 3.0 * other)
        return _relative(sum_, 2.0 * local.pull(one) - 3.0 * local.pull(other))

    def _rewired(self, matrix: FloatArray, *, keep: bool = False) -> tuple[Any, Any]:
        """Put a map of numbers before the estimator, and find an input that it maps to X."""
        numeric, X = self.question.numeric, self.X
        numbers = dense(numbers_of(X, numeric))
        if keep:
            Z = with_numbers(X, numeric, numbers / np.diag(matrix))
        else:
            Z = _with_column(X, numbers[:, 0])
        model = self.question.estimator
        return Pipeline([("map", _NumberMap(matrix, numeric, width(X))), ("model", model)]), Z


def _relative(found: FloatArray, expected: FloatArray) -> float:
    """Compute the largest difference, relative to the largest entry; categories don't count."""
    size = float(np.nan_to_num(np.abs(expected)).max(initial=0.0)) or 1.0
    return float(np.nan_to_num(np.abs(found - expected)).max(initial=0.0)) / size


def _with_column(X: Any, column: FloatArray) -> Any:
    if is_frame(X):
        return X.assign(**{"one more column": column})
    return np.column_stack([X, column])


class _NumberMap(TransformerMixin, BaseEstimator):
    """Map the numeric columns, and maybe one more, to those that an estimator knows: M z.

    Parameters
    ----------
    matrix : ndarray of shape (n_numeric, n_numeric) or (n_numeric, n_numeric + 1)
        M.
    numeric : ndarray of int
        The numeric columns; one more is the last.
    n_features : int
        Columns that the estimator knows.
    """

    def __init__(self, matrix: FloatArray, numeric: IntArray, n_features: int) -> None:
        self.matrix, self.numeric, self.n_features = matrix, numeric, n_features

    def fit(self, X: Any, y: Any = None) -> _NumberMap:
        """Learn nothing."""
        return self

    @property
    def inputs(self) -> IntArray:
        """The columns of the input that are mapped."""
        more = self.matrix.shape[1] - self.matrix.shape[0]
        return np.append(self.numeric, np.arange(self.n_features, self.n_features + more))

    def transform(self, Z: Any) -> Any:
        """Map, a column alone by a factor: missing entries stay where they are."""
        numbers = dense(numbers_of(Z, self.inputs))
        used = self.matrix != 0.0
        mapped = [numbers[:, use] @ row[use] for row, use in zip(self.matrix, used, strict=True)]
        X = take_columns(Z, np.arange(self.n_features))
        return with_numbers(X, self.numeric, np.column_stack(mapped))


@rule(_NumberMap)
def number_map(step: Any, Z: Any, walk: Walk) -> Local:
    """Multiply by the transposed matrix."""

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((len(cotangent), width(Z)))
        total[:, : step.n_features] = cotangent
        used = step.matrix != 0.0
        for k, column in enumerate(step.inputs):
            rows = step.numeric[used[:, k]]
            total[:, column] = cotangent[:, rows] @ step.matrix[used[:, k], k]
        return total

    sources = np.arange(step.n_features)
    sources[step.numeric[(step.matrix != 0.0).sum(axis=1) > 1]] = SEVERAL
    return Local(step.transform(Z), pull, sources, affine=True)
