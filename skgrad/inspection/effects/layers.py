"""Scores of parameters in factors: what each layer of a model got, and what its outputs cost."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Protocol

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.inspection.chain.columns import as_fitted, dense
from skgrad.inspection.effects.fits import LinearFit, linear_fit
from skgrad.models.network import ColumnScaler, Layer, Parameters
from skgrad.neural_network import MLPClassifier, MLPRegressor
from skgrad.neural_network._fitted import parameters_of
from skgrad.penalties import Penalty
from skgrad.penalties.mixed import elastic_net


@dataclass(frozen=True)
class Scores:
    r"""Derivatives of each row's loss in all parameters.

    Row i's score of the weight from input j to output k of a layer is :math:`\delta_{ik} a_{ij}`.

    Parameters
    ----------
    loss : ndarray of shape (n_samples,)
    layers : list of pairs of ndarrays
        The derivatives :math:`\delta`, (n_samples, n_outputs), of each layer, and its inputs a,
        (n_samples, n_inputs), with a column of ones for intercepts.
    input : ndarray of shape (n_samples, n_features)
        Derivatives of the loss in the input of the model.
    smooth : bool
        Whether the loss is, so that scores are gradients.
    """

    loss: FloatArray
    layers: list[tuple[FloatArray, FloatArray]]
    input: FloatArray
    smooth: bool


class Scored(Protocol):
    """A fitted model whose parameters have scores."""

    @property
    def classes(self) -> Array | None:
        """Labels of a classifier."""
        ...

    @property
    def class_weight(self) -> Any:
        """Parameter of a classifier."""
        ...

    @property
    def weights(self) -> list[FloatArray]:
        """Penalised parameters of each layer."""
        ...

    def penalty_of(self, total: float) -> Penalty:
        """Build the penalty of the mean loss, given the sum of the weights."""
        ...

    def scores(self, design: Any, y: Array) -> Scores:
        """Compute the scores of some rows."""
        ...


@dataclass(frozen=True)
class ScoredLinear:
    """A linear model: one layer."""

    fit: LinearFit

    @property
    def classes(self) -> Array | None:
        """Labels of a classifier."""
        return self.fit.classes

    @property
    def class_weight(self) -> Any:
        """Parameter of a classifier."""
        return self.fit.class_weight

    @property
    def weights(self) -> list[FloatArray]:
        return [self.fit.coef]

    def penalty_of(self, total: float) -> Penalty:
        return self.fit.penalty(total)

    def scores(self, design: Any, y: Array) -> Scores:
        fit, inputs = self.fit, dense(design)
        raw, target = np.ascontiguousarray(fit.raw(inputs)), fit.code(y)
        value, delta = fit.loss.value_and_gradient(target, raw)
        layers = [(delta, fit.extended(inputs))]
        return Scores(value.sum(axis=1), layers, delta @ fit.coef, fit.loss.smooth)


class ScoredNetwork:
    """A multilayer perceptron of skgrad, in float64 whatever it was trained in.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted.
    """

    def __init__(self, estimator: Any) -> None:
        if estimator.network_.normalization is not None or estimator.network_.input_scale:
            raise ValueError(
                "Scores of networks with normalization or learn_input_scale are not known."
            )
        self.estimator = copy(estimator)  # coding targets sets attributes
        layers = [
            Layer(layer.weights.astype(np.float64), layer.biases.astype(np.float64), None, None)
            for layer in parameters_of(vars(estimator)).layers
        ]
        self.parameters = Parameters(tuple(layers), None)

    @property
    def classes(self) -> Array | None:
        return getattr(self.estimator, "classes_", None)

    @property
    def class_weight(self) -> Any:
        return getattr(self.estimator, "class_weight", None)

    @property
    def weights(self) -> list[FloatArray]:
        return [layer.weights for layer in self.parameters.layers]

    def penalty_of(self, total: float) -> Penalty:
        return elastic_net(float(self.estimator.alpha) / total, float(self.estimator.l1_ratio))

    def _task(self, design: Any, y: Array) -> Any:
        return self.estimator._task(as_fitted(self.estimator, design), y, None, first=False)

    def scores(self, design: Any, y: Array) -> Scores:
        task, network = self._task(design, y), self.estimator.network_
        scaler = self.estimator.scaler_
        X = dense(task.X if scaler is None else scaler(task.X))
        ws = network.workspace(len(X), np.float64)
        raw = np.ascontiguousarray(network.forward(self.parameters, X, ws).T)
        target = task.y.astype(np.float64) if task.y.dtype.kind == "f" else task.y
        value, gradient = task.loss.value_and_gradient(target, raw)
        layers: list[tuple[FloatArray, FloatArray]] = []
        delta = np.ascontiguousarray(gradient.T)
        for layer in range(network.n_hidden, -1, -1):
            inputs = ws.hidden[layer - 1].out.T if layer else X
            layers.insert(0, (delta.T.copy(), np.column_stack([inputs, np.ones(len(X))])))
            if layer:
                network.pull_through_weights(layer, self.parameters, ws, delta)
                network.pull_through_activation(layer - 1, ws)
                delta = ws.hidden[layer - 1].delta
        at_input: FloatArray = delta.T @ self.parameters.layers[0].weights
        if scaler is not None:
            at_input = _through_scaler(scaler, dense(task.X), at_input)
        return Scores(value.sum(axis=1), layers, at_input, task.loss.smooth)


def _through_scaler(scaler: ColumnScaler, X: FloatArray, cotangent: FloatArray) -> FloatArray:
    scaled = (X - scaler.center) * scaler.scale
    slope: FloatArray = scaler.scale * (1.0 + np.square(scaled / scaler.bend)) ** -1.5
    return cotangent * slope


@singledispatch
def scored(estimator: Any) -> Scored:
    """Find out how to compute the scores of a fitted model's parameters."""
    return ScoredLinear(linear_fit(estimator))


@scored.register(MLPClassifier)
@scored.register(MLPRegressor)
def _(estimator: Any) -> ScoredNetwork:
    return ScoredNetwork(estimator)
