"""Multilayer perceptron for classification."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import column_or_1d

from skgrad._typing import Array, FloatArray
from skgrad.augmentation import get_augmentation
from skgrad.linear_model._classifier import encode_labels, look_up
from skgrad.losses import CrossEntropy, Logistic, Loss, Multinomial, get_loss
from skgrad.models.network import Initializer, InputScaling, Normalization
from skgrad.neural_network._base import MultilayerPerceptron, Task, learns_in_batches
from skgrad.neural_network._tabular import RECIPE, recipe_solver
from skgrad.solvers import Solver


def _has_probabilities(estimator: Any) -> bool:
    """Tell whether the loss is a likelihood."""
    loss = estimator.loss
    return loss == "log_loss" or get_loss(loss).target in (
        "binary01",
        "class_index",
        "probabilities",
    )


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """Multilayer perceptron for classification."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [str, Loss],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        loss: str | Loss = "log_loss",
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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
        MLPClassifier

        References
        ----------
        D. Holzmueller, L. Grinsztajn and I. Steinwart (2024). Better by default: strong pre-tuned
        MLPs and boosted trees on tabular data. NeurIPS 2024 (arXiv 2407.04491), appendix B.

        Examples
        --------
        >>> from skgrad import MLPClassifier
        >>> MLPClassifier.tabular(max_iter=64).hidden_layer_sizes
        (256, 256, 256)
        """
        return cls(
            **{
                **RECIPE,
                "activation": "selu",
                "label_smoothing": 0.1,
                "solver": recipe_solver(0.04),
                **parameters,
            }
        )

    @available_if(learns_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Make one pass over a chunk of data, continuing where the last call ended.

        With the same data, k calls are k epochs of `fit`: the solver's state and the random stream
        go on. Needs a stochastic solver.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Its labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; needed in the first call only.

        Returns
        -------
        self : object
            The estimator.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "partial_fit does not support class_weight='balanced': the frequencies of classes "
                "in the whole stream are unknown. Pass a dict of weights instead."
            )
        known = self.classes_ if self.__sklearn_is_fitted__() else None
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if known is not None and classes is not None:
            if not np.array_equal(known, unique_labels(classes)):
                raise ValueError(
                    f"classes={classes!r} is not the same as on the last call to partial_fit, "
                    f"was: {known!r}"
                )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def predict(self, X: Any) -> Array:
        """Predict classes, or an indicator matrix of labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        return self._decide(self._raw(X))

    def decision_function(self, X: Any) -> FloatArray:
        """Compute the scores that classes are chosen by.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, the score of the second; positive means that class.
        """
        raw = self._raw(X)
        return raw[:, 0] if raw.shape[1] == 1 else raw

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> FloatArray:
        """Predict the probability of each class, or of each label.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        raw = self._raw(X)
        if self.out_activation_ == "softmax":
            return np.asarray(softmax(raw, axis=1))
        if raw.shape[1] == 1:
            return np.column_stack([expit(-raw), expit(raw)])
        return np.asarray(expit(raw))

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> FloatArray:
        """Predict the logarithm of the probability of each class, finite for far-away samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        raw = self._raw(X)
        if self.out_activation_ == "softmax":
            return np.asarray(log_softmax(raw, axis=1))
        if raw.shape[1] == 1:
            return np.column_stack([log_expit(-raw), log_expit(raw)])
        return np.asarray(log_expit(raw))

    def __sklearn_tags__(self) -> Tags:
        """Declare that multilabel targets are welcome."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # -- targets ----------------------------------------------------------------------------------

    def _task(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, classes: Any = None
    ) -> Task:
        X, y, weight = self._validate(X, y, sample_weight, first=first)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        multilabel = y.ndim == 2
        check_classification_targets(y)
        found = self._find_classes(y, classes, first=first)
        if multilabel:
            indicator = (y.toarray() if sparse.issparse(y) else y).astype(np.float64)
            codes = None
        else:
            codes, known = look_up(found, y)
            if not known.all():
                raise ValueError(
                    f"y contains {y[~known][0]!r}, which is not among the classes of the first "
                    f"call: {found!r}"
                )
            weight = self._class_weighted(y, codes, found, weight)
            indicator = (codes[:, None] == np.arange(len(found))).astype(np.float64)
            indicator = indicator[:, 1:] if len(found) == 2 else indicator
        self.classes_ = found
        loss = self._resolve_loss(len(found), multilabel=multilabel)
        coded = self._code(loss, codes, indicator)
        self._multilabel, self.out_activation_ = multilabel, _link(loss)
        weight = None if weight is None else weight[:, None]
        n_outputs = len(found) if loss.coupled else indicator.shape[1]
        return Task(loss, X, coded, y, weight, n_outputs)

    def _find_classes(self, y: Array, classes: Any, *, first: bool) -> Array:
        if not first:
            return self.classes_
        if classes is not None:
            return unique_labels(classes)
        found = np.arange(y.shape[1]) if y.ndim == 2 else encode_labels(y)[0]
        if y.ndim == 1 and len(found) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in y, but there is "
                f"only one class: {found.tolist()[0]!r}"
            )
        fitted = self.__sklearn_is_fitted__()
        if self.warm_start and fitted and not np.array_equal(found, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {found}"
            )
        return found

    def _class_weighted(
        self, y: Array, codes: Array, classes: Array, weight: FloatArray | None
    ) -> FloatArray | None:
        if self.class_weight is None:
            return weight
        factors = compute_class_weight(
            self.class_weight, classes=classes, y=y, sample_weight=weight
        )[codes]
        return factors if weight is None else weight * factors

    def _resolve_loss(self, n_classes: int, *, multilabel: bool) -> Loss:
        if self.loss != "log_loss":
            loss = get_loss(self.loss)
            if loss.target == "continuous" or (multilabel and loss.coupled):
                raise ValueError(
                    f"loss={self.loss!r} is not made for {'labels' if multilabel else 'classes'}. "
                    "Use 'log_loss', 'hinge' or 'squared_hinge'."
                )
            return loss
        if multilabel or n_classes == 2:
            return Logistic()
        augmentation = get_augmentation(self.augment)
        soft = self.label_smoothing > 0 or (augmentation is not None and augmentation.mixes_targets)
        return CrossEntropy() if soft else Multinomial()

    def _code(self, loss: Loss, codes: Array | None, indicator: FloatArray) -> Array:
        """Write the targets as the loss expects them."""
        smoothing = float(self.label_smoothing)
        if smoothing and loss.target not in ("binary01", "probabilities"):
            raise ValueError(
                f"label_smoothing={self.label_smoothing} needs probabilities as targets; "
                f"loss={self.loss!r} takes classes. Use loss='log_loss'."
            )
        if loss.target == "class_index":
            assert codes is not None
            return codes
        if loss.target == "sign":
            return 2.0 * indicator - 1.0
        share = 1.0 / indicator.shape[1] if loss.target == "probabilities" else 0.5
        return (1.0 - smoothing) * indicator + smoothing * share

    def _decide(self, raw: FloatArray) -> Array:
        if self._multilabel:
            return (raw > 0).astype(int)
        codes = (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)
        return self.classes_[codes]

    def _score_raw(self, task: Task, raw: FloatArray) -> float:
        if not np.isfinite(raw).all():
            return float("nan")
        right = self._decide(raw) == task.targets
        right = right.all(axis=1) if right.ndim == 2 else right
        return float(np.average(right, weights=None if task.weight is None else task.weight[:, 0]))

    def _strata(self, task: Task) -> Array | None:
        return None if self._multilabel else task.targets


def _link(loss: Loss) -> str:
    """Name the map from raw predictions to probabilities, as scikit-learn does."""
    if loss.coupled:
        return "softmax"
    return "logistic" if loss.target == "binary01" else "identity"
