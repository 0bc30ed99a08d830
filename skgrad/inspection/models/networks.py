"""Multilayer perceptrons, ours and scikit-learn's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor

from skgrad.inspection.chain import Link, Local, Walk, linked, rule
from skgrad.inspection.models.linear import NO_LABELS
from skgrad.inspection.models.links import (
    EXP,
    LOG_SIGMOID,
    SIGMOID,
    LogSoftmax,
    Softmax,
    TwoClasses,
)
from skgrad.inspection.models.losses import UNKNOWN, link_of
from skgrad.inspection.models.network_passes import FittedNetwork, passes
from skgrad.inspection.models.rectifier_lines import pieces
from skgrad.losses import get_loss
from skgrad.neural_network import MLPClassifier, MLPRegressor


def network(fitted: FittedNetwork, X: Any) -> Local:
    """Answer with raw predictions."""
    return replace(passes(fitted, X), pieces=pieces(fitted, X))


@rule(MLPClassifier)
def classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with scores, or with probabilities where the loss is a likelihood."""
    return _classify(estimator, network(FittedNetwork.of_skgrad(estimator), X), walk)


@rule(SklearnMLPClassifier)
def sklearn_classifier(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with probabilities, or with what they are the sigmoid or softmax of."""
    return _classify(estimator, network(FittedNetwork.of_sklearn(estimator), X), walk)


@rule(MLPRegressor)
def regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with predictions: the link of the loss, then the unit of the targets."""
    raw = network(FittedNetwork.of_skgrad(estimator), X)
    loss = get_loss(estimator.loss)
    link, scale, center = link_of(loss), estimator.target_scale_, estimator.target_center_
    if walk.response == "raw":
        return raw
    if isinstance(link, str):
        return walk.difference(estimator, X, UNKNOWN)
    if link is not None:  # targets with a link are never scaled
        return linked(raw, link)
    if scale is None:
        return raw
    unit, shift = loss.repeat_target(scale), loss.repeat_target(center)
    return Local(raw.value * unit + shift, lambda c: raw.pull(c * unit), pieces=raw.pieces)


@rule(SklearnMLPRegressor)
def sklearn_regressor(estimator: Any, X: Any, walk: Walk) -> Local:
    """Answer with predictions, the exponential of the last layer for the Poisson loss."""
    raw = network(FittedNetwork.of_sklearn(estimator), X)
    if walk.response == "raw" or estimator.out_activation_ == "identity":
        return raw
    return linked(raw, EXP)


def _classify(estimator: Any, raw: Local, walk: Walk) -> Local:
    if walk.response in ("raw", "decision_function"):
        return raw
    if walk.response == "predict":
        walk.refuse(estimator, NO_LABELS)
    return linked(raw, _class_link(estimator, raw, logarithms=walk.response != "predict_proba"))


def _class_link(estimator: Any, raw: Local, *, logarithms: bool) -> Link:
    if estimator.out_activation_ == "softmax":
        return LogSoftmax() if logarithms else Softmax()
    each = LOG_SIGMOID if logarithms else SIGMOID
    alone = np.shape(raw.value)[1] == 1  # several are labels, each with a probability of its own
    return TwoClasses(each) if alone else each
