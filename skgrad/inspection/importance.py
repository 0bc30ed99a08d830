"""Importances of columns: sizes of attributions, over many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.attribution import KEPT_VALUES, prepare, unit_of
from skgrad.inspection.methods import Method
from skgrad.inspection.running import RunningMoments

AGGREGATIONS = ("mean_abs", "rms", "mean", "max")


class Importances(Bunch):
    """What `gradient_importance` returns."""

    def to_frame(self) -> Any:
        """Return a DataFrame of the importances, the largest first."""
        import pandas as pd

        columns = {
            "importance": self.importances_mean,
            "std": self.importances_std,
            "standard_error": self.standard_error,
        }
        frame = pd.DataFrame(columns, index=pd.Index(self.feature_names, name="feature"))
        return frame.sort_values("importance", key=np.abs, ascending=False)


def gradient_importance(
    estimator: Any, X: Any, y: Any = None, *, method: str = "gradient",
    aggregation: str = "mean_abs", scale: str | None = "std", response_method: str = "auto",
    target: Any = None, at_step: int = 0,
    feature_groups: Literal["columns"] | Mapping[str, Sequence[Any]] = "columns",
    baseline: Any = "background", n_steps: int | Literal["auto"] = "auto",
    sample_weight: Any = None, batch_size: int | None = None,
    fallback: Literal["difference"] | None = None, random_state: Any = None,
) -> Bunch:  # fmt: skip
    r"""Tell which columns a fitted model is sensitive to, by gradients.

    .. math:: I_j = \frac{1}{S} \sum_i s_i\, \bigl| a_{ij} \bigr|, \qquad
              a_{ij} = \frac{\partial f(x_i)}{\partial x_{ij}}\, \mathrm{sd}(x_j)

    in the columns of X, through all steps of a pipeline: one pass forwards and one back, where
    permutations take a pass for each column and repeat. The importances describe the model: of
    columns that go together it may use either.

    Parameters
    ----------
    estimator : estimator
        Fitted: a predictor, or a pipeline or search that ends in one.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        Rows to average over, as `estimator.predict` takes them; rows that the fit has not seen say
        more.
    y : array of shape (n_samples,), default=None
        Targets; ``method="loss"`` needs them.
    method : {"gradient", "gradient_x_input", "integrated", "expected", "smooth", "loss"}, \
default="gradient"
        What is averaged; see `attributions`.
    aggregation : {"mean_abs", "rms", "mean", "max"}, default="mean_abs"
        Mean size, root of the mean square (whose square bounds the variance that a column explains,
        up to a constant), signed mean (in which opposite effects cancel; NaN in columns of
        categories, unless the method is additive), or the largest size.
    scale : {"std", "iqr", "input"} or None, default="std"
        What slopes are multiplied by: without it, they depend on the columns' units. Methods whose
        values are parts of the response, "gradient_x_input", "integrated" and "expected", have no
        use for it.
    response_method : {"auto", "decision_function", "predict_proba", "predict_log_proba", \
"predict", "raw"}, default="auto"
        What is differentiated. "auto" is the decision function of a classifier that has one: its
        probabilities hardly move where it is sure.
    target : class label or int, default=None
        A class or an output; None for the positive class of two, or else the average over all.
    at_step : int, default=0
        The step of a pipeline whose input columns are rated: 0 for those of X, -1 for those that
        the last step sees.
    feature_groups : "columns" or dict of names to lists of columns, default="columns"
        Groups of columns, by name or position, to be rated together: their attributions are summed,
        with their signs, first. Columns in no group stand for themselves.
    baseline : {"background", "mean", "median", "zero"} or rows like X, default="background"
        See `attributions`.
    n_steps : int or "auto", default="auto"
        See `attributions`.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows.
    batch_size : int, default=None
        Rows at a time; None for as many as fit a few megabytes.
    fallback : {"difference"}, default=None
        Let differences stand in for derivatives that do not exist or are not known.
    random_state : int, RandomState instance or None, default=None
        Draws the background and the noise.

    Returns
    -------
    Bunch
        ``importances_mean``, shape (n_features,); ``importances_std``, the standard deviation over
        rows; ``standard_error`` of the mean over rows, this fitted model given;
        ``importances``, shape (n_features, n_samples), row by row, or None for more than ten
        million; ``feature_names``; ``unit``; ``response``; ``targets``; ``delta``, the largest
        error of completeness of the additive methods, or None; ``method``; ``aggregation``; and
        ``to_frame()``, a DataFrame of the largest first.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import gradient_importance
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "city": ["Bonn", "Ulm", "Bonn", "Ulm"]})
    >>> columns = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    >>> model = make_pipeline(columns, LogisticRegression()).fit(X, ["no", "no", "yes", "yes"])
    >>> gradient_importance(model, X).to_frame().index.tolist()
    ['size', 'city']
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"aggregation must be one of {AGGREGATIONS}, got {aggregation!r}.")
    prepared, X = prepare(
        estimator, X, y, method=method, scale=scale, response_method=response_method,
        target=target, at_step=at_step, baseline=baseline, n_steps=n_steps, fallback=fallback,
        random_state=random_state, sample_weight=sample_weight,
    )  # fmt: skip
    names, members = _groups(prepared, feature_groups)
    tally = _Tally(aggregation, X.shape[0], len(names))
    weight = prepared.task.weight
    delta = None
    for rows in prepared.task.question.chunks(X, batch_size):
        part = prepared.explain(rows)
        values = part.values if members is None else _grouped(part.values, members)
        tally.add(values, None if weight is None else weight[rows], rows)
        if part.delta is not None:
            delta = max(delta or 0.0, float(np.abs(part.delta).max(initial=0.0)))
    if aggregation == "mean" and not prepared.additive:
        unsigned = [levels.column for levels in getattr(prepared, "levels", [])]
        tally.forget(np.asarray(unsigned, dtype=np.intp))
    return _result(prepared, tally, names, scale, delta)


class _Tally:
    """Sums over rows, chunk by chunk."""

    def __init__(self, aggregation: str, n_rows: int, n_features: int) -> None:
        self.aggregation = aggregation
        self.weight = self.squared_weight = 0.0
        self.moments = RunningMoments(n_features)
        self.largest = np.zeros(n_features)
        kept = n_rows * n_features <= KEPT_VALUES
        self.rows = np.empty((n_features, n_rows)) if kept else None

    def add(self, values: FloatArray, weight: FloatArray | None, rows: slice) -> None:
        """Add a chunk of attributions, shape (n_rows, n_features, n_asked)."""
        if self.aggregation == "mean":
            each = values.mean(axis=2)
        elif self.aggregation == "rms":
            each = (values**2).mean(axis=2)
        elif self.aggregation == "max":
            each = np.abs(values).max(axis=2)
        else:
            each = np.abs(values).mean(axis=2)
        w = np.ones(len(each)) if weight is None else weight
        self.weight += float(w.sum())
        self.squared_weight += float((w**2).sum())
        self.moments.add(each, weight)
        np.maximum(self.largest, each[w > 0.0].max(axis=0, initial=0.0), out=self.largest)
        if self.rows is not None:
            self.rows[:, rows] = (np.sqrt(each) if self.aggregation == "rms" else each).T

    def forget(self, columns: IntArray) -> None:
        """Put NaN in columns that have no signed mean."""
        self.moments.mean[columns] = np.nan
        if self.rows is not None:
            self.rows[columns] = np.nan

    def summary(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Compute the mean, the deviation over rows, and the standard error of the mean."""
        mean, deviation = self.moments.mean, np.sqrt(self.moments.variance)
        error = deviation * np.sqrt(self.squared_weight) / self.weight
        if self.aggregation == "rms":  # of the squares: to first order, half as much of the root
            root = np.sqrt(mean)
            half = 2.0 * np.where(root > 0.0, root, 1.0)
            return root, deviation / half, error / half
        if self.aggregation == "max":
            return self.largest, deviation, np.full_like(error, np.nan)
        return mean, deviation, error


def _result(
    method: Method, tally: _Tally, names: Any, scale: str | None, delta: float | None
) -> Bunch:
    question = method.task.question
    mean, deviation, error = tally.summary()
    return Importances(
        importances_mean=mean,
        importances_std=deviation,
        importances=tally.rows,
        standard_error=error,
        feature_names=np.asarray(names, dtype=object),
        unit=unit_of(method, scale),
        response=question.response,
        targets=question.targets,
        delta=delta,
        method=method.name,
        aggregation=tally.aggregation,
    )


def _groups(method: Method, groups: Any) -> tuple[list[Any], list[IntArray] | None]:
    """Name the groups, and find their columns."""
    names = list(method.task.question.names)
    if groups == "columns":
        return names, None
    if not isinstance(groups, Mapping):
        raise ValueError(
            f'feature_groups must be "columns" or a dict of names to lists of columns, got'
            f" {groups!r}."
        )
    levels = {levels.column for levels in getattr(method, "levels", [])}
    members: dict[Any, IntArray] = {}
    for name, columns in groups.items():
        if len(columns) == 0:
            raise ValueError(f"feature_groups: group {name!r} is empty.")
        unknown = [
            column for column in columns
            if column not in names and not (isinstance(column, int) and 0 <= column < len(names))
        ]  # fmt: skip
        if unknown:
            raise ValueError(f"feature_groups: X has no columns {unknown[:5]} (group {name!r}).")
        found = [names.index(column) if column in names else column for column in columns]
        if len(found) > 1 and levels & set(found):
            raise ValueError(
                f"feature_groups: group {name!r} holds a column of categories, whose value has no"
                f' sign with method={method.name!r}. Use method="integrated" or "expected".'
            )
        members[name] = np.asarray(found, dtype=np.intp)
    grouped = {int(column) for columns in members.values() for column in columns}
    for column, name in enumerate(names):
        if column not in grouped:
            members[name] = np.asarray([column], dtype=np.intp)
    return list(members), list(members.values())


def _grouped(values: FloatArray, members: list[IntArray]) -> FloatArray:
    return np.stack([values[:, columns].sum(axis=1) for columns in members], axis=1)
