"""What the linear regressors share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skgrad._typing import FloatArray
from skgrad.linear_model._base import LinearEstimator
from skgrad.linear_model._problem import Problem, as_column, check_magnitude
from skgrad.linear_model._stream import StreamingEstimator
from skgrad.losses import Loss
from skgrad.penalties import Penalty


class LinearRegressor(RegressorMixin, LinearEstimator):
    """Base of the linear regressors."""

    def _raw(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=["float64", "float32"], reset=False)
        raw: FloatArray = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return raw


class StreamingRegressor(LinearRegressor, StreamingEstimator):
    """Base of the linear regressors that learn from streams."""

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


class LossRegressor(LinearRegressor):
    """Base of the regressors that minimise a mean loss plus a penalty."""

    _multi_output: ClassVar[bool]

    @abstractmethod
    def _loss(self) -> Loss:
        """Build the loss, or say what is wrong with its parameters."""

    @abstractmethod
    def _penalty(self, n_outputs: int, total_weight: float) -> Penalty:
        """Build the penalty that goes with the mean of the losses."""

    def predict(self, X: Any) -> FloatArray:
        """Predict targets: the raw prediction, or its exponential for the Poisson loss.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        raw = self._raw(X)
        return self._loss().inverse_link(raw)

    def _problem(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Problem:
        loss = self._loss()
        X, y, weight = self._validate(
            X, y, sample_weight, first=first, multi_output=self._multi_output, y_numeric=True
        )
        y = y.astype(X.dtype, copy=False)
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        check_magnitude(y)
        loss.check_target(y)
        total = float(len(y) if weight is None else weight.sum())
        penalty = self._penalty(y.shape[1], total)
        return Problem(loss, penalty, X, y, as_column(weight, X.dtype), y.shape[1])
