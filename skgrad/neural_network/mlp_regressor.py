"""Multilayer perceptron for regression."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from skgrad._typing import FloatArray
from skgrad.losses import Loss, get_loss
from skgrad.models.network import Initializer, InputScaling, Normalization
from skgrad.neural_network._base import MultilayerPerceptron, Task, learns_in_batches
from skgrad.neural_network._tabular import RECIPE, recipe_solver
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
        output_init: str | Initializer = "auto",
        input_scaling: str | InputScaling | None = None,
        learn_input_scale: bool = False,
        parametrization: str = "standard",
        learning_rate_factors: dict[str, float] | None = None,
        decay_factors: dict[str, float] | None = None,
        augment: Any = None,
        dtype: str = "auto",
        standardize_target: bool = False,
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
        self.output_init = output_init
        self.input_scaling = input_scaling
        self.learn_input_scale = learn_input_scale
        self.parametrization = parametrization
        self.learning_rate_factors = learning_rate_factors
        self.decay_factors = decay_factors
        self.augment = augment
        self.dtype = dtype
        self.standardize_target = standardize_target

    @classmethod
    def tabular(cls, **parameters: Any) -> Self:
        """Build a network with settings that suit most tables, one-hot columns included.

        Columns are scaled robustly, large values bent; three layers of 256 units are trained for
        256 epochs with a learning rate that falls and rises, and the epoch with the best validation
        score is kept. The recipe is RealMLP-TD-S of Holzmueller et al. (2024).

        Parameters
        ----------
        **parameters : dict
            Parameters of the class that replace those of the recipe.

        Returns
        -------
        MLPRegressor

        References
        ----------
        D. Holzmueller, L. Grinsztajn and I. Steinwart (2024). Better by default: strong pre-tuned
        MLPs and boosted trees on tabular data. NeurIPS 2024 (arXiv 2407.04491), appendix B.

        Examples
        --------
        >>> from skgrad import MLPRegressor
        >>> MLPRegressor.tabular(max_iter=64).hidden_layer_sizes
        (256, 256, 256)
        """
        return cls(
            **{
                **RECIPE,
                "activation": "mish",
                "standardize_target": True,
                "solver": recipe_solver(0.07),
                **parameters,
            }
        )

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
        predicted = self._to_targets(get_loss(self.loss), self._raw(X))
        return predicted[:, 0] if self._flat and predicted.shape[1] == 1 else predicted

    def _task(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Task:
        loss = get_loss(self.loss)
        X, y, weight = self._validate(X, y, sample_weight, first=first, y_numeric=True)
        y = y.astype(np.float64 if y.dtype.kind != "f" else y.dtype, copy=False)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        columns = y.reshape(len(y), -1)
        loss.check_target(columns)
        weight = None if weight is None else weight[:, None]
        if first:
            self._flat = y.ndim == 1
            self.target_center_, self.target_scale_ = self._target_moments(loss, columns, weight)
        if self.target_center_ is not None:
            columns = (columns - self.target_center_) / self.target_scale_
        columns = loss.repeat_target(columns)
        return Task(loss, X, columns, y, weight, columns.shape[1])

    def _target_moments(
        self, loss: Loss, y: FloatArray, weight: FloatArray | None
    ) -> tuple[FloatArray | None, FloatArray | None]:
        if not self.standardize_target:
            return None, None
        if not loss.equivariant:
            raise ValueError(
                f"standardize_target=True changes what loss={self.loss!r} means: it depends on the "
                "unit of y. Use 'squared_error', 'absolute_error' or 'quantile'."
            )
        row_weight = np.ones(len(y)) if weight is None else weight[:, 0]
        center = np.average(y, axis=0, weights=row_weight)
        deviation = np.sqrt(np.average((y - center) ** 2, axis=0, weights=row_weight))
        return center[None], np.where(deviation > 0.0, deviation, 1.0)[None]

    def _to_targets(self, loss: Loss, raw: FloatArray) -> FloatArray:
        predicted = loss.inverse_link(raw)
        if self.target_center_ is None:
            return predicted
        scale, center = (
            loss.repeat_target(self.target_scale_),
            loss.repeat_target(self.target_center_),
        )
        return (predicted * scale + center).astype(raw.dtype, copy=False)

    def _score_raw(self, task: Task, raw: FloatArray) -> float:
        if task.loss.repeats_target:
            return -float(np.mean(task.loss.value(task.y.astype(raw.dtype), raw)))
        predicted = self._to_targets(task.loss, raw)
        weight = None if task.weight is None else task.weight[:, 0]
        if not np.isfinite(predicted).all():
            return float("nan")
        return float(r2_score(task.targets, predicted, sample_weight=weight))
