"""Importances of the features of a network, by one backward pass to its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skgrad._typing import FloatArray, IntArray, Matrix
from skgrad.importances import ColumnMoments, normalized
from skgrad.linalg import take_rows
from skgrad.models.network import ColumnScaler, Moments, Network, Parameters
from skgrad.neural_network._fitted import parameters_of
from skgrad.neural_network._prediction import PREDICTED_ROWS
from skgrad.neural_network._task import Task

# Multiplications that take a fraction of a second. Beyond that, all outputs together take as many
# as a backward pass over all rows, which is less than an epoch.
CHEAP_WORK = 3e9
# Rows that are differentiated whatever it costs: means of |derivative| are then known to some
# per cent.
FEWEST_ROWS = 500
# In a call of partial_fit, which is one epoch, they take a quarter of a backward pass, but for so
# few rows.
STREAM_SHARE, FEWEST_STREAM_ROWS = 0.25, 100
# One array of derivatives.
CHUNK_BYTES = 16 << 20


class NetworkImportances:
    """What gives a network ``feature_importances_``."""

    network_: Network
    scaler_: ColumnScaler | None
    _importances: FloatArray

    @property
    def feature_importances_(self) -> FloatArray:
        r"""Sensitivity of the raw predictions to each feature, in sum one.

        .. math:: importance_j \propto sd(x_j) \; \frac{1}{K} \sum_k \frac{1}{S} \sum_i s_i
                  \left| \frac{\partial raw_k(x_i)}{\partial x_j} \right|

        over K outputs and the rows of the last call of `fit` or `partial_fit`, or, where that
        would take about an epoch (in `partial_fit` a small part of one), evenly spaced ones of
        them. Zeros if no feature matters.

        Returns
        -------
        ndarray of shape (n_features,)
        """
        check_is_fitted(self)
        return self._importances.astype(np.float64)

    def _store_importances(self, task: Task, *, in_stream: bool = False) -> None:
        fitted: dict[str, Any] = self.__dict__
        parameters = parameters_of(fitted)
        n_samples = task.X.shape[0]
        rows = evenly_spaced(
            n_samples, affordable_rows(self.network_, n_samples, in_stream=in_stream)
        )
        weight = None if task.weight is None else task.weight[rows, 0]
        sensitivities = mean_absolute_derivatives(
            self.network_, parameters, task.X, rows, weight, fitted.get("moments_"), self.scaler_
        )
        deviations = ColumnMoments.of(task.X, task.weight).deviation
        # In the precision of the parameters, like them: a pickle is hardly larger.
        dtype = parameters.layers[0].weights.dtype
        self._importances = normalized(sensitivities * deviations).astype(dtype)


def affordable_rows(network: Network, n_samples: int, *, in_stream: bool) -> int:
    """Limit the work: each row takes a backward pass for each output."""
    if in_stream:
        return max(FEWEST_STREAM_ROWS, int(STREAM_SHARE * n_samples / network.n_outputs))
    work = max(CHEAP_WORK, float(n_samples) * network.n_params)
    return max(FEWEST_ROWS, int(work / (network.n_outputs * network.n_params)))


def evenly_spaced(n_samples: int, n_rows: int) -> IntArray:
    """Choose at most so many rows."""
    return np.arange(0, n_samples, -(-n_samples // n_rows))


def mean_absolute_derivatives(
    network: Network, parameters: Parameters, X: Matrix, rows: IntArray,
    sample_weight: FloatArray | None, moments: list[Moments] | None, scaler: ColumnScaler | None,
) -> FloatArray:  # fmt: skip
    """Average |d raw_k / d x_j| over rows and outputs, shape (n_features,)."""
    dtype, n_features = parameters.layers[0].weights.dtype, X.shape[1]
    size = max(1, min(PREDICTED_ROWS, CHUNK_BYTES // (n_features * dtype.itemsize)))
    weight = np.ones(len(rows)) if sample_weight is None else sample_weight
    total = np.zeros(n_features)
    for start in range(0, len(rows), size):
        chunk = take_rows(X, rows[start : start + size])
        inputs = (chunk if scaler is None else scaler(chunk)).astype(dtype, copy=False)
        sizes = _summed_sizes(network, parameters, inputs, moments)
        if scaler is not None:
            sizes = sizes * np.abs(scaler.slope(chunk))
        total += weight[start : start + size] @ sizes
    return total / (network.n_outputs * float(weight.sum(dtype=np.float64)))


def _summed_sizes(
    network: Network, parameters: Parameters, inputs: Matrix, moments: list[Moments] | None
) -> FloatArray:
    """Sum |d raw_k / d input_j| over the outputs, shape (n_rows, n_features)."""
    ws = network.workspace(inputs.shape[0], parameters.layers[0].weights.dtype)
    network.forward(parameters, inputs, ws, moments=moments)
    sizes: FloatArray = np.zeros(inputs.shape, ws.raw.dtype)
    for k in range(network.n_outputs):
        output = np.zeros_like(ws.raw)
        output[k] = 1.0
        gradient = network.backward_input(parameters, ws, output)
        sizes += np.abs(gradient, out=gradient)
    return sizes
