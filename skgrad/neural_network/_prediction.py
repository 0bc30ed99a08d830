"""Raw predictions of a fitted network."""

from __future__ import annotations

import numpy as np

from skgrad._typing import FloatArray, Matrix
from skgrad.models.network import ColumnScaler, Moments, Network, Parameters

# Rows that are predicted at a time: activations stay in cache.
PREDICTED_ROWS = 4096


def predict_raw(
    network: Network, parameters: Parameters, X: Matrix, moments: list[Moments] | None,
    scaler: ColumnScaler | None,
) -> FloatArray:  # fmt: skip
    """Compute raw predictions, some rows at a time, shape (n_rows, n_outputs)."""
    dtype = parameters.layers[0].weights.dtype
    n_rows = X.shape[0]
    raw = np.empty((n_rows, network.n_outputs), dtype)
    ws = network.workspace(min(n_rows, PREDICTED_ROWS), dtype)
    for start in range(0, n_rows, PREDICTED_ROWS):
        rows = X[start : start + PREDICTED_ROWS]
        rows = (rows if scaler is None else scaler(rows)).astype(dtype, copy=False)
        if rows.shape[0] != ws.raw.shape[1]:
            ws = network.workspace(rows.shape[0], dtype)
        raw[start : start + PREDICTED_ROWS] = network.forward(
            parameters, rows, ws, moments=moments
        ).T
    return raw
