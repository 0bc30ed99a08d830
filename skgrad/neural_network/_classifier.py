"""What classifying networks do with labels: coding, weights of classes, predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils._tags import Tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if

from skgrad._typing import Array, FloatArray
from skgrad.augmentation import get_augmentation
from skgrad.losses import Loss
from skgrad.neural_network._base import MultilayerPerceptron
from skgrad.neural_network._labels import (
    Labels,
    has_probabilities,
    label_array,
    link,
)
from skgrad.neural_network._task import Task


def _is_likelihood(estimator: Any) -> bool:
    return has_probabilities(estimator.loss)


class NetworkClassifier(ClassifierMixin, MultilayerPerceptron):
    """Base of `MLPClassifier`: predictions, and targets."""

    _labels: Labels
    loss: str | Loss
    class_weight: Any
    label_smoothing: float

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
        raw = self._raw(X)
        return self._labels.decide(raw)

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

    @available_if(_is_likelihood)
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
        scores = self._class_scores(X)
        coupled = self.out_activation_ == "softmax"
        return np.asarray(softmax(scores, axis=1) if coupled else expit(scores))

    @available_if(_is_likelihood)
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
        scores = self._class_scores(X)
        coupled = self.out_activation_ == "softmax"
        return np.asarray(log_softmax(scores, axis=1) if coupled else log_expit(scores))

    def _class_scores(self, X: Any) -> FloatArray:
        """Compute a score for each class or label; one for each of two classes, too."""
        raw = self._raw(X)
        return np.column_stack([-raw, raw]) if raw.shape[1] == 1 else raw

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
        y = label_array(y)
        if first:
            labels = Labels.find(y, classes, type(self).__name__)
            self._refuse_new_classes(labels)
        else:
            labels = self._labels
        augmentation = get_augmentation(self.augment)
        mixed = augmentation is not None and augmentation.mixes_targets
        loss = labels.loss(self.loss, soft=bool(self.label_smoothing) or mixed)
        coded = labels.encode(y, loss, float(self.label_smoothing))
        weight = self._class_weighted(y, labels, weight)
        self._labels, self.classes_, self.out_activation_ = labels, labels.classes, link(loss)
        return Task(
            loss, X, coded, y, None if weight is None else weight[:, None],
            labels.n_outputs(loss),
        )  # fmt: skip

    def _refuse_new_classes(self, labels: Labels) -> None:
        warm = self.warm_start and self.__sklearn_is_fitted__()
        if warm and not np.array_equal(labels.classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels.classes}"
            )

    def _class_weighted(
        self, y: Array, labels: Labels, weight: FloatArray | None
    ) -> FloatArray | None:
        if self.class_weight is None:
            return weight
        if labels.multilabel:
            raise ValueError(
                f"class_weight={self.class_weight!r} has no meaning where a row has several "
                "labels. Use class_weight=None and sample_weight."
            )
        by_class = compute_class_weight(
            self.class_weight, classes=labels.classes, y=y, sample_weight=weight
        )
        factors = by_class[labels.codes(y)]
        return factors if weight is None else weight * factors

    def _score_raw(self, task: Task, raw: FloatArray) -> float:
        if not np.isfinite(raw).all():
            return float("nan")
        right = self._labels.decide(raw) == task.targets
        right = right.all(axis=1) if right.ndim == 2 else right
        return float(np.average(right, weights=None if task.weight is None else task.weight[:, 0]))

    def _strata(self, task: Task) -> Array | None:
        return None if self._labels.multilabel else task.targets
