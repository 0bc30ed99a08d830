"""Baselines: what attributions compare each row with."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain.columns import dense, is_frame, take_columns, take_rows, width
from skgrad.inspection.points import numbers_of
from skgrad.inspection.running import RunningMoments

# Rows of the background that each row is compared with.
BACKGROUND_ROWS = 32
NAMES = ("background", "mean", "median", "zero")


def background(
    question: Question, X: Any, baseline: Any, rng: np.random.RandomState, n_rows: int
) -> Any:
    """Choose the rows to compare with.

    Parameters
    ----------
    question : Question
        Names the columns.
    X : DataFrame, array or sparse matrix
        The rows that are explained.
    baseline : {"background", "mean", "median", "zero"}, or rows like those of X
        "background" is rows of X themselves; "mean" and "median" one row with these of the numeric
        columns, and the most frequent category of the others; "zero" has 0 in place of the numbers.
    rng : RandomState
        Draws rows.
    n_rows : int
        At most so many rows.
    """
    if not isinstance(baseline, str):
        rows = _like(X, baseline)
    elif baseline == "background":
        rows = X
    elif baseline in NAMES:
        return _typical_row(question, X, baseline)
    else:
        raise ValueError(f"baseline must be one of {NAMES} or rows like X, got {baseline!r}.")
    if rows.shape[0] <= n_rows:
        return rows
    return take_rows(rows, np.sort(rng.choice(rows.shape[0], n_rows, replace=False)))


def _like(X: Any, baseline: Any) -> Any:
    """Check the shape and the columns of rows that the user gives."""
    if is_frame(X):
        import pandas as pd

        if isinstance(baseline, pd.Series):
            baseline = baseline.to_frame().T.infer_objects()
        if isinstance(baseline, dict):
            baseline = pd.DataFrame([baseline])
        if is_frame(baseline):
            missing = [name for name in X.columns if name not in baseline.columns]
            if missing:
                raise ValueError(f"baseline lacks the columns {missing[:5]} of X.")
            return baseline[list(X.columns)]
        baseline = np.asarray(baseline, dtype=object)
        if baseline.ndim == 1:
            baseline = baseline[None]
        if baseline.ndim == 2 and baseline.shape[1] == width(X):
            return pd.DataFrame(baseline, columns=X.columns).astype(X.dtypes.to_dict())
    rows = sparse.csr_array(baseline) if sparse.issparse(baseline) else np.asarray(baseline)
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.shape[1] != width(X):
        raise ValueError(
            f"baseline must have the {width(X)} columns of X, got an array of shape"
            f" {np.shape(baseline)}."
        )
    return rows


def _typical_row(question: Question, X: Any, kind: str) -> Any:
    """Build one row out of the columns' own middles."""
    middle = _middle(question, X, kind)
    if not is_frame(X) and len(question.numeric) == width(X):
        return sparse.csr_array(middle[None]) if sparse.issparse(X) else middle[None]
    others = [j for j in range(width(X)) if j not in set(question.numeric.tolist())]
    frequent = {j: _most_frequent(take_columns(X, j)) for j in others}
    entries = {**dict(zip(question.numeric.tolist(), middle, strict=True)), **frequent}
    row = [entries[j] for j in range(width(X))]
    if not is_frame(X):
        return np.asarray([row], dtype=object)
    import pandas as pd

    frame = pd.DataFrame({name: [entry] for name, entry in zip(X.columns, row, strict=True)})
    return frame.astype({X.columns[j]: X.dtypes.iloc[j] for j in others})


def _middle(question: Question, X: Any, kind: str) -> FloatArray:
    """Compute the middle of each numeric column, without a copy of all of X."""
    if kind == "zero":
        return np.zeros(len(question.numeric))
    if kind == "median":
        columns = (numbers_of(X, np.array([j])) for j in question.numeric)
        return np.array([np.nanmedian(dense(column)) for column in columns])
    moments = RunningMoments(len(question.numeric))
    for rows in question.chunks(X):
        moments.add(dense(numbers_of(take_rows(X, rows), question.numeric)), None)
    return moments.mean


def _most_frequent(column: Any) -> Any:
    import pandas as pd

    return pd.Series(column).value_counts(dropna=False).index[0]
