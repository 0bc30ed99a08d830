"""B-splines of each column."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.preprocessing import SplineTransformer

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense, like


@transform_rule(SplineTransformer)
def spline_transformer(step: Any, X: Any, walk: Walk) -> Local:
    """Differentiate the splines, and what extrapolates them."""
    if step.degree == 0:
        return walk.difference(
            step, X, "with degree=0 is piecewise constant: its gradient is 0 almost everywhere"
        )
    n_in = step.n_features_in_

    @cache
    def slopes() -> FloatArray:
        if step.degree == 1 and step.extrapolation == "linear":
            return _secants(step, X)
        columns = zip(step.bsplines_, dense(X).T, strict=True)
        each = np.stack([_slopes(spline, x, step.extrapolation) for spline, x in columns], axis=1)
        return each if step.include_bias else each[:, :, :-1]

    def pull(cotangent: FloatArray) -> FloatArray:
        blocks = cotangent.reshape(len(cotangent), n_in, -1)
        return np.einsum("njk,njk->nj", blocks, slopes())

    value = step.transform(X)
    return Local(value, pull, np.repeat(np.arange(n_in), value.shape[1] // n_in))


def _slopes(spline: Any, x: FloatArray, extrapolation: str) -> FloatArray:
    """Differentiate all basis functions of one column, shape (n_samples, n_splines)."""
    first, last = spline.t[spline.k], spline.t[-spline.k - 1]
    missing = np.isnan(x)
    outside = (x < first) | (x > last)
    if extrapolation == "periodic":
        x = first + (x - first) % (last - first) if last > first else np.zeros_like(x)
    elif extrapolation in ("constant", "linear"):
        x = np.clip(x, first, last)
    slopes = spline(np.where(missing, first, x), nu=1)
    still = missing | outside if extrapolation == "constant" else missing
    return np.where(still[:, None], 0.0, slopes)


def _secants(step: Any, X: Any) -> FloatArray:
    """Take slopes of lines from two points on each, shape (n_samples, n_features, n_splines).

    The formula would not do: scikit-learn 1.9 extrapolates splines of degree 1 from the second knot
    of a column on, but from the first knot of the first column.
    """
    data = dense(X)
    quarters = []
    for spline, x in zip(step.bsplines_, data.T, strict=True):
        left = np.clip(np.searchsorted(spline.t, x, side="right") - 1, 0, len(spline.t) - 2)
        start, end = spline.t[left], spline.t[left + 1]
        quarters.append([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end])
    before, after = np.stack(quarters, axis=2)
    change = dense(step.transform(like(X, after))) - dense(step.transform(like(X, before)))
    run = after - before
    run[run == 0.0] = 1.0  # of a column that was constant
    secants: FloatArray = change.reshape(*data.shape, -1) / run[:, :, None]
    return np.where(np.isnan(data)[:, :, None], 0.0, secants)
