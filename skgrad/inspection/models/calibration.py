"""Calibrated classifiers: a sigmoid, or a temperature, behind another classifier's scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, linked, rule
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.links import IDENTITY, SIGMOID, Elementwise, Shares, Softmax
from skgrad.inspection.models.parts import (
    COMPLEMENT,
    COMPLEMENT_SHIFT,
    averaged,
    first_of,
    mixed,
    placed,
)

# scikit-learn's, added to probabilities before their logarithm is taken.
OFFSET = 1e-12


@rule(CalibratedClassifierCV)
def calibrated(estimator: Any, X: Any, walk: Walk) -> Local:
    """Average the probabilities of all folds."""
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    parts = estimator.calibrated_classifiers_
    if any(part.method == "isotonic" for part in parts):
        reason = "calibrates by isotonic regression, which is flat almost everywhere and jumps"
        return walk.difference(estimator, X, reason)
    return averaged([_fold(part, X, walk.into(str(k))) for k, part in enumerate(parts)])


def _fold(part: Any, X: Any, walk: Walk) -> Local:
    """Calibrate one classifier."""
    response = first_of(part.estimator, "decision_function", "predict_proba")
    local = walk.asking(response).respond(part.estimator, X)
    n_classes = len(part.classes)
    if part.method == "temperature":
        return _tempered(local, float(part.calibrators[0].beta_))
    if n_classes == 2 == local.value.shape[1]:
        local = mixed(local, np.array([[0.0, 1.0]]))
    slopes = np.array([calibrator.a_ for calibrator in part.calibrators])
    shifts = np.array([calibrator.b_ for calibrator in part.calibrators])
    score = mixed(local, -np.diag(slopes), -shifts)
    if n_classes == 2:
        return mixed(linked(score, SIGMOID), COMPLEMENT, COMPLEMENT_SHIFT)
    places = np.searchsorted(part.classes, part.estimator.classes_)
    return linked(placed(linked(score, SIGMOID), places, n_classes), Shares(IDENTITY))


def _tempered(local: Local, beta: float) -> Local:
    """Multiply scores by the inverse temperature; probabilities count as their logarithms."""
    value = local.value
    if value.shape[1] == 1:
        scores = mixed(local, np.array([[-beta], [beta]]))
    elif _are_probabilities(value):
        logarithm = Elementwise(lambda p: np.log(p + OFFSET), lambda p: 1.0 / (p + OFFSET))
        scores = mixed(linked(local, logarithm), beta * np.eye(value.shape[1]))
    else:
        scores = mixed(local, beta * np.eye(value.shape[1]))
    return linked(scores, Softmax())


def _are_probabilities(value: FloatArray) -> bool:
    inside = (value >= 0.0).all() and (value <= 1.0).all()
    return bool(inside and np.isclose(value.sum(axis=1), 1.0).all())
