"""Whose effects are asked for: derivatives in numbers, contrasts between categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain.columns import is_frame, take_columns, take_rows, width
from skgrad.inspection.effects.points import Point
from skgrad.inspection.effects.slopes import numbers

# More distinct values than this are no categories: each costs a prediction of all rows.
MAX_CATEGORIES = 100
METHODS = ("dydx", "eyex", "dyex", "eydx")
CONTRASTS = ("reference", "pairwise", "sequential")
SEEN = 4096  # rows that tell most columns of numbers from columns of 0 and 1


@dataclass(frozen=True)
class Contrast:
    """Differences between responses with everyone set to one category and to another.

    Parameters
    ----------
    column : int
    categories : list
        Those that are needed.
    matrix : ndarray of shape (n_contrasts, n_categories)
        Rows of -1, 1 and zeros.
    labels : list of str
        One for each contrast.
    """

    column: int
    categories: list[Any]
    matrix: FloatArray
    labels: list[str]


@dataclass(frozen=True)
class Terms:
    """The effects that are asked for.

    Parameters
    ----------
    slopes : ndarray of int
        Columns of derivatives.
    contrasts : list of Contrast
    order : ndarray of int
        Puts derivatives, followed by contrasts, into the order of the columns.
    labels : list of str
    columns : list
        Name of the column of each.
    log, times_x : bool
        Whether effects are on the logarithm of the response, and of the column.
    """

    slopes: IntArray
    contrasts: list[Contrast]
    order: IntArray
    labels: list[str]
    columns: list[Any]
    log: bool
    times_x: bool


def resolve_terms(
    question: Question, X: Any, *, method: str, variables: Any, contrast: Any, discrete: Any
) -> Terms:  # fmt: skip
    """Find out which columns have derivatives and which have contrasts."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    log, times_x = method.startswith("ey"), method.endswith("ex")
    chosen = find_columns(question, variables, "variables")
    coded = without_derivative(question, X)
    if isinstance(discrete, str) and discrete == "auto":
        discrete = () if times_x else [j for j in chosen if j not in coded and _is_binary(X, j)]
    else:
        discrete = find_columns(question, () if discrete is None else discrete, "discrete")
    as_categories = coded | set(discrete)
    if times_x and as_categories.intersection(chosen):
        names = [str(question.names[j]) for j in chosen if j in as_categories]
        raise ValueError(
            f"{method} is a change per percent of the column, which categories don't have:"
            f" leave {names} out with variables=, or use dydx or eydx."
        )
    blocks: list[tuple[int, list[str]]] = []
    slopes = [j for j in chosen if j not in as_categories]
    contrasts = [
        build_contrast(question.names[j], X, j, contrast) for j in chosen if j in as_categories
    ]
    blocks = [(j, [str(question.names[j])]) for j in slopes]
    blocks += [(one.column, one.labels) for one in contrasts]
    rank = {j: place for place, j in enumerate(chosen)}
    owner = np.array([rank[j] for j, labels in blocks for _ in labels], dtype=np.intp)
    order, labels = np.argsort(owner, kind="stable"), [one for _, some in blocks for one in some]
    return Terms(
        np.asarray(slopes, dtype=np.intp), contrasts, order, [labels[k] for k in order],
        [question.names[chosen[owner[k]]] for k in order], log, times_x,
    )  # fmt: skip


def find_columns(question: Question, columns: Any, argument: str) -> list[int]:
    """Translate names or numbers of columns."""
    names = list(question.names)
    if columns is None:
        return list(range(len(names)))
    single = isinstance(columns, str | int | np.integer) or not isinstance(columns, Iterable)
    found = []
    for column in [columns] if single else columns:
        if column in names:
            found.append(names.index(column))
        elif isinstance(column, int | np.integer) and -len(names) <= column < len(names):
            found.append(int(column) % len(names))
        else:
            shown = ", ".join(map(str, names[:10])) + (", ..." if len(names) > 10 else "")
            raise ValueError(f"{argument} names {column!r}, but the columns of X are {shown}.")
    if len(set(found)) < len(found):
        raise ValueError(f"{argument} names a column twice.")
    return found


def without_derivative(question: Question, X: Any) -> set[int]:
    """Find the columns that hold no numbers, or that an encoder reads as categories."""
    coded = set(range(width(X))).difference(question.numeric.tolist())
    for leaf in Point.at(question, take_rows(X, slice(0, 1)), None).leaves:
        coded.update(leaf.owners[leaf.owners >= 0].tolist())
    return coded


def _is_binary(X: Any, column: int) -> bool:
    """Tell whether a column holds 0 and 1 only (or is one of booleans)."""
    for rows in (slice(0, SEEN), slice(None)):
        values = numbers(take_rows(X, rows), column)
        values = values[~np.isnan(values)]
        if not ((values == 0.0) | (values == 1.0)).all():
            return False
    return bool(len(np.unique(values)) == 2)


def build_contrast(name: Any, X: Any, column: int, kind: Any) -> Contrast:
    """Pair the categories of a column that occur in X."""
    reference = None
    if isinstance(kind, Mapping):
        reference, kind = kind.get(name), "reference"
    if kind not in CONTRASTS:
        raise ValueError(
            f"contrast must be one of {CONTRASTS}, or a dict with the reference category of some"
            f" columns, got {kind!r}."
        )
    categories = _categories(X, column, name)
    if reference is not None:
        if reference not in categories:
            raise ValueError(f"The column {name!r} holds no {reference!r} to contrast with.")
        categories.remove(reference)
        categories.insert(0, reference)
    numbered = range(len(categories))
    pairs = {
        "reference": [(0, k) for k in numbered[1:]],
        "pairwise": list(combinations(numbered, 2)),
        "sequential": list(pairwise(numbered)),
    }[kind]
    matrix = np.zeros((len(pairs), len(categories)))
    for row, (low, high) in enumerate(pairs):
        matrix[row, low], matrix[row, high] = -1.0, 1.0
    labels = [f"{name}[{categories[high]} - {categories[low]}]" for low, high in pairs]
    return Contrast(column, categories, matrix, labels)


def _categories(X: Any, column: int, name: Any) -> list[Any]:
    """List the distinct values of a column, in the order of its categories or else ascending."""
    values = take_columns(X, column)
    if sparse.issparse(values):
        values = numbers(X, column)
    import pandas as pd

    series = pd.Series(values).dropna()
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.remove_unused_categories().cat.categories.tolist()
    else:
        categories = sorted(series.unique().tolist())
    if len(categories) > MAX_CATEGORIES:
        raise ValueError(
            f"The column {name!r} has {len(categories)} distinct values, which are too many"
            " categories to contrast: leave it out with variables=."
        )
    if len(categories) < 2:
        raise ValueError(
            f"The column {name!r} has one category only, {categories}, and nothing to contrast it"
            " with: leave it out with variables=."
        )
    if not is_frame(X) and not sparse.issparse(X) and X.dtype.kind in "biuf":
        categories = [int(c) if float(c).is_integer() else c for c in categories]
    return list(categories)


def with_value(X: Any, column: int, value: Any) -> Any:
    """Copy some rows, with one column set to a value."""
    if is_frame(X):
        import pandas as pd

        name = X.columns[column]
        dtype = X.dtypes.iloc[column]
        whole = getattr(dtype, "kind", "O") not in "iu" or float(value).is_integer()
        constant = pd.Series(value, index=X.index, dtype=dtype if whole else np.float64)
        return X.assign(**{name: constant}) if isinstance(name, str) else _set(X, name, constant)
    if sparse.issparse(X):
        changed = X.tolil(copy=True)
        changed[:, column] = value
        return changed.tocsr()
    changed = X.copy() if X.dtype.kind in "fO" else X.astype(np.float64)
    changed[:, column] = value
    return changed


def _set(X: Any, name: Any, values: Any) -> Any:
    changed = X.copy(deep=False)
    changed[name] = values
    return changed
