"""Multilayer perceptron for regression."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from skgrad._typing import FloatArray
from skgrad.losses import Loss, get_loss
from skgrad.models.network import Initializer, Normalization
from skgrad.neural_network._base import MultilayerPerceptron, Task, learns_in_batches
from skgrad.solvers import Solver


class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """Multilayer perceptron for regression."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"loss": [str, Loss]}

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        loss: str | Loss = "squared_error",
        solver: str | Solver = "adam",
        alpha: float = 0.0001,
        l1_ratio: float = 0.0,
        batch_size: int | str = "auto",
        learning_rate_init: float | None = None,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        scoring: Any = None,
        dropout: float = 0.0,
        normalization: str | Normalization | None = None,
        residual: bool = False,
        weight_init: str | Initializer = "auto",
        augment: Any = None,
        dtype: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.dropout = dropout
        self.normalization = normalization
        self.residual = residual
        self.weight_init = weight_init
        self.augment = augment
        self.dtype = dtype

    @available_if(learns_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over a chunk of data, continuing where the last call ended.

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

    def predict(self, X: Any) -> FloatArray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        predicted = get_loss(self.loss).inverse_link(self._raw(X))
        return predicted[:, 0] if self._flat else predicted

    def _task(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Task:
        loss = get_loss(self.loss)
        X, y, weight = self._validate(X, y, sample_weight, first=first, y_numeric=True)
        y = y.astype(np.float64 if y.dtype.kind != "f" else y.dtype, copy=False)
        if first:
            self._flat = y.ndim == 1
        columns = y.reshape(len(y), -1)
        loss.check_target(columns)
        weight = None if weight is None else weight[:, None]
        return Task(loss, X, columns, y, weight, columns.shape[1])

    def _score_raw(self, task: Task, raw: FloatArray) -> float:
        predicted = task.loss.inverse_link(raw)
        weight = None if task.weight is None else task.weight[:, 0]
        if not np.isfinite(predicted).all():
            return float("nan")
        return float(r2_score(task.targets, predicted, sample_weight=weight))
