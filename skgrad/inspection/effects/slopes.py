"""Derivatives of a response in its columns, row by row, and their derivatives in the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.chain import SEVERAL, Local
from skgrad.inspection.chain.columns import dense
from skgrad.inspection.effects.points import Point
from skgrad.inspection.points import numbers_of


def slopes(point: Point, columns: IntArray, *, log: bool) -> FloatArray:
    """Differentiate the responses, or their logarithms: (n_samples, n_columns, n_targets)."""
    n_samples, n_targets = point.value.shape
    found = np.empty((n_samples, len(columns), n_targets))
    for t in range(n_targets):
        found[:, :, t] = point.local.pull(point.cotangent(t))[:, columns]
    return found / point.value[:, None, :] if log else found


def slopes_in_parameters(
    point: Point, columns: IntArray, weight: FloatArray, *, log: bool
) -> FloatArray:
    r"""Differentiate weighted sums of `slopes` in the parameters of a linear last step.

    With the input D of the last step, parameters :math:`w_k` and a response h(D w), the derivative
    of the slope :math:`\sum_k h_k \, \partial_j D \, w_k` is

    .. math:: \sum_l h_{kl} (\partial_j D \, w_l) \, D + h_k \, \partial_j D .

    Parameters
    ----------
    point : Point
        At n_samples rows.
    columns : ndarray of int
        The columns j.
    weight : ndarray of shape (n_samples, 1 or n_columns)
        Weights of the sums over rows.
    log : bool
        Whether the slopes are those of logarithms.

    Returns
    -------
    ndarray of shape (n_columns, n_targets, n_outputs, n_parameters of an output)
        Only these are kept of the rows: nothing has the size rows x columns x parameters.
    """
    assert point.design is not None
    assert point.extended is not None
    n_outputs, n_targets = point.raw.value.shape[1], point.value.shape[1]
    total = np.zeros((len(columns), n_targets, n_outputs, point.extended.shape[1]))
    directions = [_raw_slopes(point, k)[:, columns] for k in range(n_outputs)]
    for t in range(n_targets):
        curvature = point.curvature(t, log=log)
        if curvature is None:
            continue
        for k in range(n_outputs):
            for direction, curved in zip(directions, curvature[:, k].T, strict=True):
                total[:, t, k] += _summed(direction, curved[:, None] * weight, point.extended)
    _add_design_slopes(point, columns, weight, total, log=log)
    return total


def _summed(direction: FloatArray, weight: FloatArray, extended: FloatArray) -> FloatArray:
    """Sum weighted outer products of directions and parameters' factors over rows.

    A direction that all rows share, behind affine steps, comes out of the sum: a hundredth of the
    work for a hundred columns.
    """
    if len(direction) == weight.shape[1] == 1:
        shared: FloatArray = direction.T @ (weight.T @ extended)
        return shared
    summed: FloatArray = (direction * weight).T @ extended
    return summed


def _raw_slopes(point: Point, output: int) -> FloatArray:
    """Differentiate a raw prediction in the columns, in one row if it is the same in all."""
    assert point.design is not None
    n_samples, n_outputs = point.raw.value.shape
    cotangent = np.zeros((1 if point.design.affine else n_samples, n_outputs))
    cotangent[:, output] = 1.0
    return point.raw.pull(cotangent)


def _add_design_slopes(
    point: Point, columns: IntArray, weight: FloatArray, total: FloatArray, *, log: bool
) -> None:
    """Add the terms with the derivative of the design."""
    assert point.design is not None
    n_targets = total.shape[1]
    all_slopes = np.stack([point.slope(t, log=log) for t in range(n_targets)])
    spread = np.broadcast_to(weight, (len(weight), len(columns)))
    mean = np.einsum("nj,tnk->jtk", spread, all_slopes)
    positions = np.arange(len(columns))
    for outputs, change in _design_slopes(point.design, columns):
        known = outputs >= 0
        if len(change) == 1:
            total[positions[known], :, :, outputs[known]] += mean[known] * change.T[known, :, None]
            continue
        weighted = weight * change
        for t in range(n_targets):
            product = weighted.T @ all_slopes[t]
            total[positions[known], t, :, outputs[known]] += product[known]


def _design_slopes(design: Local, columns: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Differentiate outputs of the transformers, some in each pull.

    Yields, for each column j, the number of an output (-1 for none) and its derivative in column j,
    shape (n_samples, n_columns), or (1, n_columns) where it is the same for all rows. Outputs that
    depend on one column each share a pull with those of other columns (Curtis, Powell and Reid
    1974): a spline basis takes as many pulls as one column has knots, not as there are outputs.
    """
    n_samples, n_out = design.value.shape
    rows = 1 if design.affine else n_samples
    sources = np.full(n_out, SEVERAL) if design.sources is None else design.sources
    for output in np.flatnonzero(sources == SEVERAL):
        cotangent = np.zeros((rows, n_out))
        cotangent[:, output] = 1.0
        yield np.full(len(columns), output), design.pull(cotangent)[:, columns]
    own = [np.flatnonzero(sources == column) for column in columns]
    for turn in range(max(map(len, own), default=0)):
        numbered = [group[turn] if turn < len(group) else -1 for group in own]
        outputs = np.asarray(numbered, dtype=np.intp)
        cotangent = np.zeros((rows, n_out))
        cotangent[:, outputs[outputs >= 0]] = 1.0
        yield outputs, design.pull(cotangent)[:, columns]


def numbers(X: Any, column: int) -> FloatArray:
    """Return a numeric column as float64, NaN where it is missing."""
    return dense(numbers_of(X, np.array([column])))[:, 0]
