"""Labels: their coding for a loss, and the way back from raw predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import column_or_1d

from skgrad._estimators import class_codes, encode_labels
from skgrad._typing import Array, FloatArray, IntArray
from skgrad.losses import CrossEntropy, Logistic, Loss, Multinomial, get_loss


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a task: one of several classes for each row, or any number of them."""

    classes: Array
    multilabel: bool

    @classmethod
    def find(cls, y: Array, classes: Any, estimator: str) -> Self:
        """Look for the labels in y, unless they are given."""
        if y.ndim == 2:
            return cls(np.arange(y.shape[1]), True)
        if classes is not None:
            return cls(unique_labels(classes), False)
        found = encode_labels(y)[0]
        if len(found) < 2:
            raise ValueError(
                f"{estimator} needs samples of at least 2 classes in y, but there is only one "
                f"class: {found.tolist()[0]!r}"
            )
        return cls(found, False)

    def codes(self, y: Array) -> IntArray:
        """Look up the position of each row's class."""
        return class_codes(self.classes, y)

    def loss(self, loss: str | Loss, *, soft: bool) -> Loss:
        """Resolve the loss; ``soft`` targets are probabilities."""
        if loss == "log_loss":
            if self.multilabel or len(self.classes) == 2:
                return Logistic()
            return CrossEntropy() if soft else Multinomial()
        resolved = get_loss(loss)
        if resolved.target == "continuous" or (self.multilabel and resolved.coupled):
            kind = "several labels" if self.multilabel else "classes"
            raise ValueError(
                f"loss={loss!r} is not made for {kind}. Use 'log_loss', 'hinge' or 'squared_hinge'."
            )
        if soft and resolved.target not in ("binary01", "probabilities"):
            raise ValueError(
                f"loss={loss!r} takes classes, but label smoothing and mixup make probabilities of "
                "them. Use loss='log_loss'."
            )
        return resolved

    def n_outputs(self, loss: Loss) -> int:
        """Count the network's outputs: one for two classes, unless the loss is coupled."""
        binary = len(self.classes) == 2 and not self.multilabel and not loss.coupled
        return 1 if binary else len(self.classes)

    def encode(self, y: Array, loss: Loss, smoothing: float) -> Array:
        """Write y as the loss expects it; smoothing spreads a share over all classes."""
        if loss.target == "class_index":
            return self.codes(y)
        if self.multilabel:
            indicator = y.astype(np.float64)
        else:
            indicator = (self.codes(y)[:, None] == np.arange(len(self.classes))).astype(np.float64)
            indicator = indicator[:, -self.n_outputs(loss) :]
        if loss.target == "sign":
            return 2.0 * indicator - 1.0
        share = 1.0 / len(self.classes) if loss.coupled else 0.5
        return (1.0 - smoothing) * indicator + smoothing * share

    def decide(self, raw: FloatArray) -> Array:
        """Choose the labels with the largest raw predictions, or those above zero."""
        if self.multilabel:
            return (raw > 0).astype(int)
        codes = (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)
        return self.classes[codes]


def label_array(y: Any) -> Array:
    """Check labels; a column counts as one label per row, an indicator matrix as several."""
    if sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    return np.asarray(y)


def link(loss: Loss) -> str:
    """Name the map from raw predictions to probabilities, as scikit-learn does."""
    if loss.coupled:
        return "softmax"
    return "logistic" if loss.target == "binary01" else "identity"


def has_probabilities(loss: str | Loss) -> bool:
    """Tell whether a loss is a likelihood of labels."""
    targets = ("binary01", "class_index", "probabilities")
    return loss == "log_loss" or get_loss(loss).target in targets
