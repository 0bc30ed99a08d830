"""The loss of single rows, for estimators of any origin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from sklearn.base import is_classifier

from skgrad._typing import Array, FloatArray
from skgrad.inspection._question import Question, final_estimator
from skgrad.inspection.chain import Response
from skgrad.losses import Hinge, Loss, SquaredError, SquaredHinge, get_loss


class RowLoss:
    """What a fitted estimator pays for each row.

    Classifiers with probabilities pay minus the logarithm of that of the right class; those with
    scores only a hinge, one class against the rest; regressors half the squared error, or the loss
    that they were given.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    y : array of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    """

    def __init__(self, estimator: Any, y: Any) -> None:
        self.response, self.loss = _choose(estimator)
        if not is_classifier(estimator):
            self.targets: Array = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
            return
        classes, labels = np.asarray(estimator.classes_), np.asarray(y)
        unknown = np.setdiff1d(labels, classes)
        if len(unknown):
            raise ValueError(f"y has the classes {unknown[:5].tolist()}, not known to the fit.")
        self.targets = (labels[:, None] == classes).astype(np.float64)
        if self.loss is not None:
            self.targets = 2.0 * self.targets - 1.0

    def question(self, question: Question) -> Question:
        """Ask for all outputs that the loss needs, instead."""
        return replace(question, response=cast(Response, self.response))

    def value_and_gradient(self, value: FloatArray, rows: slice) -> tuple[FloatArray, FloatArray]:
        """Compute the loss, shape (n_rows, 1), and its derivative in the response."""
        targets = self.targets[rows]
        if self.loss is None:  # logarithms of probabilities
            picked = np.where(targets > 0.0, value, 0.0)
            return -picked.sum(axis=1, keepdims=True), -targets
        if targets.shape[1] == 2 and value.shape[1] == 1:
            targets = targets[:, 1:]
        losses, gradient = self.loss.value_and_gradient(targets, value)
        return losses.sum(axis=1, keepdims=True), gradient


def _choose(estimator: Any) -> tuple[str, Loss | None]:
    """Choose the response that the loss is a function of, and the loss."""
    last = final_estimator(estimator)
    named = getattr(last, "loss", None)
    if is_classifier(estimator):
        if hasattr(estimator, "predict_log_proba"):
            return "predict_log_proba", None
        return "decision_function", SquaredHinge() if named == "squared_hinge" else Hinge()
    own = type(last).__module__.startswith("skgrad.")
    return "predict", get_loss(named) if own and named is not None else SquaredError()
