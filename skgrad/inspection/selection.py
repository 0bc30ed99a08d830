"""Selection of the columns of a data frame by the gradients of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import is_frame, width
from skgrad.inspection.importance import gradient_importance


@dataclass(frozen=True)
class _Getter:
    """Rates the columns of X that an estimator was fitted on."""

    X: Any
    y: Any
    options: dict[str, Any]

    def __call__(self, estimator: Any) -> FloatArray:
        X = self._columns_of(estimator)
        importances: FloatArray
        importances = gradient_importance(estimator, X, self.y, **self.options).importances_mean
        return importances

    def _columns_of(self, estimator: Any) -> Any:
        names = getattr(estimator, "feature_names_in_", None)
        if names is not None and is_frame(self.X):
            return self.X[list(names)]
        n_features = getattr(estimator, "n_features_in_", width(self.X))
        if n_features != width(self.X):
            raise ValueError(
                f"{type(estimator).__name__} was fitted on {n_features} columns without names, and"
                f" the getter's X has {width(self.X)}: which of them is not known. Fit it on a"
                " DataFrame, or select by GradientImportance(estimator)."
            )
        return self.X


def importance_getter(X: Any, y: Any = None, **options: Any) -> _Getter:
    """Build an ``importance_getter`` for scikit-learn's selectors.

    With it, `SelectFromModel` selects the columns that the user has by what a whole pipeline makes
    of them. The selector need not pass X on: the getter has it, and looks at those of its columns
    that the estimator was fitted on.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        Rows to average over.
    y : array of shape (n_samples,), default=None
        Targets; ``method="loss"`` needs them.
    **options : dict
        Arguments of `gradient_importance`.

    Returns
    -------
    callable
        Maps a fitted estimator to importances, an ndarray of shape (n_features,). It can be
        pickled.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.feature_selection import SelectFromModel
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import importance_getter
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "city": ["Bonn", "Ulm", "Bonn", "Ulm"]})
    >>> columns = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    >>> model = make_pipeline(columns, LogisticRegression())
    >>> selector = SelectFromModel(model, importance_getter=importance_getter(X))
    >>> selector.fit(X, ["no", "no", "yes", "yes"]).get_feature_names_out().tolist()
    ['size']
    """
    return _Getter(X, y, options)
