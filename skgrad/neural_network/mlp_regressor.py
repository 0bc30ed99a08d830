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
from skgrad.neural_network._base import MultilayerPerceptron, learns_in_batches
from skgrad.neural_network._tabular import recipe
from skgrad.neural_network._task import Task
from skgrad.solvers import Solver


class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    r"""Multilayer perceptron for regression, trained by any solver.

    .. math:: \min_w \; \frac{1}{S} \sum_i s_i \, loss(y_i, raw(x_i; w))
              + \frac{\alpha}{S} \Big( \rho |W|_1 + \frac{1 - \rho}{2} |W|_2^2 \Big)

    with :math:`\rho` = `l1_ratio`, and S the sum of the sample weights :math:`s`. Losses of several
    targets add up.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer.
    activation : str, Activation, or a list of them, default="relu"
        Of all hidden layers, or one for each: "identity", "logistic", "tanh", "relu", "leaky_relu",
        "elu", "selu", "gelu", "silu", "mish", "softplus", or an object of
        `skgrad.models.network.activations`.
    loss : str or Loss, default="squared_error"
        "squared_error", "absolute_error", "huber", "quantile", "multi_quantile" (several at once),
        "poisson", "epsilon_insensitive", or an object of `skgrad.losses`.
    solver : str or Solver, default="adam"
        A name, or an object of `skgrad.solvers`. "auto" is "adam". "sgd" has Nesterov momentum of
        0.9 here, as in scikit-learn; ``SGD()`` is plain.
    alpha : float, default=0.0001
        Strength of the penalty of the weights; biases are free. It means the same for every solver
        and every size of batch.
    l1_ratio : float in [0, 1], default=0.0
        0 is the L2 penalty, 1 the L1 penalty, which makes weights exactly zero.
    batch_size : int or "auto", default="auto"
        Rows of a mini-batch; "auto" is min(200, n_samples). A solver's own number comes first.
    learning_rate_init : float, default=None
        Learning rate of stochastic solvers; None leaves it to the solver. Schedules are parameters
        of solvers: ``Adam(learning_rate="cosine")``.
    max_iter : int, default=200
        Most epochs (for full-batch solvers: iterations).
    shuffle : bool, default=True
        Whether to visit the rows in a new random order every epoch.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order of rows, dropout, augmentation and validation rows.
    tol : float, default=1e-4
        Improvement of the training loss, or of the validation score, that counts as progress; for
        full-batch solvers relative to the loss.
    warm_start : bool, default=False
        Whether `fit` starts at the weights of the last fit.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their score no longer improves, and keep the weights
        with the best one, of equal ones the latest. ``fit(X, y, X_val=..., y_val=...)`` does so
        with data of your own.
    validation_fraction : float, default=0.1
        Share of rows to hold out.
    n_iter_no_change : int or inf, default=10
        Training ends after more epochs than this without progress; inf makes all of max_iter.
    scoring : str, callable or None, default=None
        Score of early stopping: a scikit-learn scorer or its name, "loss" for the negative
        validation loss, None for the coefficient of determination.
    dropout : float in [0, 1), default=0.0
        Probability that a hidden unit is left out of a row in training.
    normalization : "batch", "layer", Normalization or None, default=None
        Normalisation of pre-activations over the rows of a batch, or over the units of a layer.
    residual : bool, default=False
        Whether a hidden layer adds its input to its output where sizes are equal.
    weight_init, output_init : str or Initializer, default="auto"
        Initialiser of hidden layers and of the last one: "glorot", "he", "lecun", "ntk",
        "orthogonal", "data_driven", "zeros". "auto" takes what suits the activation, and Glorot's
        for the last layer.
    input_scaling : "standard", "robust", InputScaling or None, default=None
        What the network does to columns first: mean 0 and variance 1, or median 0 and interquartile
        range 1 with large values bent towards 3. Not for sparse data.
    learn_input_scale : bool, default=False
        Whether each column has a factor that is learned.
    parametrization : {"standard", "ntk"}, default="standard"
        "ntk" divides the learning rate of weights by the root of their number of inputs.
    learning_rate_factors, decay_factors : dict, default=None
        Factors of the learning rate and of the solver's weight decay for groups of parameters:
        "weights", "biases", "gain", "shift", "input_scale".
    augment : str, Augmentation, callable, list of them or None, default=None
        What is done to mini-batches: "gaussian_noise", "mixup", "feature_dropout", an object of
        `skgrad.augmentation`, or a function of (X, y, rng) that returns (X, y).
    dtype : {"auto", "float32", "float64"}, default="auto"
        Of weights and arithmetic. "auto" is float32, but where gradients have no sampling noise
        that would drown its rounding (full-batch solvers, or one batch of all rows), that of X.
    standardize_target : bool, default=False
        Whether to train on targets of mean 0 and variance 1; predictions are in the unit of y.

    Attributes
    ----------
    coefs_, intercepts_ : lists of ndarrays
        Weights, (n_in, n_out), and biases, (n_out,), of each layer.
    feature_importances_ : ndarray of shape (n_features,)
        Sensitivity of the raw prediction to a standard deviation of each feature, in sum one.
    n_iter_, t_ : int
        Epochs, and rows seen in them.
    loss_, best_loss_ : float
        Last and least training loss; the least is None with early stopping.
    loss_curve_ : list of float
        Training loss of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Scores of early stopping; None without.
    converged_ : bool
        Whether training ended before max_iter did, or the best of all epochs was asked for.
    history_ : dict of ndarrays
        loss, gradient_norm, step_size, gap, seconds and passes over the data of each epoch.
    solver_ : Solver
        The solver that ran.
    out_activation_ : str
        Map from raw predictions to predictions.
    network_ : Network
        Layers, activations and normalisation.
    n_layers_, n_outputs_ : int
        Layers, input and output included, and outputs.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X is a DataFrame.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MLPRegressor(
    ...     (50,),
    ...     solver="lbfgs",
    ...     alpha=50.0,
    ...     standardize_target=True,
    ...     input_scaling="standard",
    ...     random_state=0,
    ... )
    >>> bool(reg.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.45)
    True

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville (2016). Deep Learning. MIT Press, chapters 6 to 8.
    """

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
        256 epochs with a learning rate that rises and falls, and the epoch with the best validation
        score is kept. The recipe is RealMLP-TD-S of Holzmueller et al. (2024), and dropout, which
        their larger recipe has. Not for sparse X.

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
        settings = recipe(0.07, activation="mish", standardize_target=True, dropout=0.15)
        return cls(**settings | parameters)

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
            self.out_activation_ = "exp" if loss.name == "poisson" else "identity"
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
        predicted, scale, center = loss.inverse_link(raw), self.target_scale_, self.target_center_
        if scale is None or center is None:
            return predicted
        moved = predicted * loss.repeat_target(scale) + loss.repeat_target(center)
        return moved.astype(raw.dtype, copy=False)

    def _score_raw(self, task: Task, raw: FloatArray) -> float:
        if task.loss.repeats_target:
            return -float(np.mean(task.loss.value(task.y.astype(raw.dtype), raw)))
        predicted = self._to_targets(task.loss, raw)
        weight = None if task.weight is None else task.weight[:, 0]
        if not np.isfinite(predicted).all():
            return float("nan")
        return float(r2_score(task.targets, predicted, sample_weight=weight))
