"""What the linear regressors share."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skgrad._typing import FloatArray
from skgrad.linear_model._stream import StreamingEstimator


class LinearRegressor(RegressorMixin, StreamingEstimator):
    """Base of the linear regressors."""

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over a chunk of data, continuing where the last call ended.

        With the same data, k calls are k iterations of `fit`: the solver's state and the random
        stream go on. Columns are standardised by the first chunk. Needs a stochastic solver;
        ``solver="auto"`` is SGD here.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Its targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._partial_fit(X, y, sample_weight)

    def _raw(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=["float64", "float32"], reset=False)
        raw: FloatArray = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return raw
