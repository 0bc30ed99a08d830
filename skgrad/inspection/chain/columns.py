"""Columns of data frames, arrays and sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray, IntArray


def is_frame(X: Any) -> bool:
    """Tell whether X is a pandas DataFrame."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def is_documents(X: Any) -> bool:
    """Tell whether X is one column of texts or of other things that a vectoriser reads."""
    if hasattr(X, "iloc"):
        return len(X.shape) == 1
    one_column = isinstance(X, np.ndarray) and X.ndim == 1
    first = next(iter(X), None) if isinstance(X, list | tuple) or one_column else None
    return isinstance(first, str | bytes | dict)


def width(X: Any) -> int:
    """Count the columns; a single series is one."""
    return 1 if len(X.shape) == 1 else int(X.shape[1])


def take_rows(X: Any, rows: slice | IntArray) -> Any:
    """Select rows by position."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def take_columns(X: Any, columns: Any) -> Any:
    """Select columns by position; one integer gives a series or a vector."""
    return X.iloc[:, columns] if hasattr(X, "iloc") else X[:, columns]


def names_of(X: Any) -> Any:
    """Name the columns: those of a data frame, or x0, x1, ... as scikit-learn does."""
    if is_frame(X):
        return np.asarray(X.columns, dtype=object)
    return np.asarray([f"x{j}" for j in range(width(X))], dtype=object)


def positions(columns: Any, names: Sequence[str] | None, n_columns: int) -> IntArray:
    """Find where columns are that a ColumnTransformer was given by any kind of key.

    Parameters
    ----------
    columns : str, int, slice, or list of str, int or bool
        Slices of names include their end, as in pandas.
    names : list of str or None
        Names of all columns, if they have some.
    n_columns : int
        Number of all columns.
    """
    known = [] if names is None else list(names)
    if isinstance(columns, slice):
        start, stop = columns.start, columns.stop
        if isinstance(start, str) or isinstance(stop, str):
            start = known.index(start) if isinstance(start, str) else start
            stop = known.index(stop) + 1 if isinstance(stop, str) else stop
        return np.arange(n_columns)[start : stop : columns.step]
    keys = np.atleast_1d(np.asarray(columns, dtype=object))
    if len(keys) and isinstance(keys[0], str):
        return np.asarray([known.index(key) for key in keys], dtype=np.intp)
    if len(keys) and isinstance(keys[0], bool | np.bool_):
        return np.flatnonzero(keys.astype(bool))
    return np.arange(n_columns)[keys.astype(np.intp)]


def as_fitted(step: Any, X: Any) -> Any:
    """Give a step its input in the form that it was fitted on, a data frame or an array.

    A step that remembers neither names nor a number of columns looks at X in its own way.
    """
    names = getattr(step, "feature_names_in_", None)
    if names is None:
        on_array = is_frame(X) and hasattr(step, "n_features_in_")
        return X.to_numpy() if on_array else X
    if sparse.issparse(X) or len(names) != width(X):
        return X
    if is_frame(X):  # a container's parts: what stands where is known, not how it is called
        return X if list(X.columns) == list(names) else X.set_axis(list(names), axis=1)
    import pandas as pd

    return pd.DataFrame(np.asarray(X), columns=names)


def dense(X: Any) -> FloatArray:
    """Return numbers as a float64 array."""
    if sparse.issparse(X):
        return np.asarray(X.toarray(), dtype=np.float64)
    if is_frame(X):  # pandas.NA has no float of its own
        return np.asarray(X.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(X, dtype=np.float64)


def numbers(X: Any) -> Any:
    """Return numbers as a float64 array, or as the sparse matrix that they are."""
    return X if sparse.issparse(X) else dense(X)


def like(X: Any, values: FloatArray) -> Any:
    """Put numbers in the place of all entries of X, in its own form."""
    if not is_frame(X):
        return values
    import pandas as pd

    return pd.DataFrame(values, columns=X.columns)


def numeric_columns(X: Any) -> IntArray:
    """Find the columns that hold numbers (not booleans of a data frame's categories)."""
    if not is_frame(X):
        if getattr(X.dtype, "kind", "O") in "biuf":
            return np.arange(width(X))
        columns = [X] if len(X.shape) == 1 else X.T
        numeric = [j for j, column in enumerate(columns) if _holds_numbers(column)]
        return np.asarray(numeric, dtype=np.intp)
    kinds = [getattr(dtype, "kind", "O") in "iufb" for dtype in X.dtypes]
    return np.flatnonzero(kinds)


def _holds_numbers(column: Any) -> bool:
    return all(isinstance(entry, int | float | np.number) for entry in column)
