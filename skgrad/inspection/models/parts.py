"""Predictors made of predictors: their outputs side by side, mixed and averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from scipy.special import logsumexp

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.chain import Local, Response, Walk
from skgrad.inspection.chain.columns import dense, take_columns, take_rows, width

# What a block of rows holds on to stays in the outer caches.
BLOCK_BYTES, MIN_ROWS = 4 * 2**20, 64
# All blocks are kept for the way back up to here; beyond, they are passed again.
KEPT_BYTES = 64 * 2**20
# Turns the probability p of the second of two classes into (1 - p, p).
COMPLEMENT, COMPLEMENT_SHIFT = np.array([[-1.0], [1.0]]), np.array([1.0, 0.0])


def beside(locals_: Sequence[Local], n_in: int) -> Local:
    """Put the outputs of predictors that see the same input next to each other."""
    ends = np.cumsum([width(local.value) for local in locals_])

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((len(cotangent), n_in))
        for local, part in zip(locals_, np.split(cotangent, ends[:-1], axis=1), strict=True):
            total += local.pull(part)
        return total

    value = np.hstack([dense(local.value) for local in locals_])
    return Local(value, pull, affine=all(local.affine for local in locals_))


def mixed(local: Local, matrix: FloatArray, shift: FloatArray | float = 0.0) -> Local:
    """Apply an affine map to outputs: value matrix' + shift."""
    value = dense(local.value) @ matrix.T + shift
    return Local(value, lambda cotangent: local.pull(cotangent @ matrix), affine=local.affine)


def averaged(locals_: Sequence[Local], weights: Any = None) -> Local:
    """Average predictors that have the same outputs and see the same input."""
    share = np.full(len(locals_), 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    value = sum(part * local.value for part, local in zip(share, locals_, strict=True))

    def pull(cotangent: FloatArray) -> FloatArray:
        parts = [part * local.pull(cotangent) for part, local in zip(share, locals_, strict=True)]
        return np.asarray(sum(parts))

    return Local(value, pull, affine=all(local.affine for local in locals_))


def in_blocks(build: Callable[[Any], Local], X: Any, bytes_per_row: int) -> Local:
    """Answer for a few rows at a time, where a row needs much more memory than its answer.

    Parameters
    ----------
    build : callable
        Answers for a block of rows.
    X : array or sparse matrix of shape (n_samples, n_in)
        All rows.
    bytes_per_row : int
        What `build` holds on to for the way back.
    """
    n_rows, size = X.shape[0], max(MIN_ROWS, BLOCK_BYTES // bytes_per_row)
    if n_rows <= size:
        return build(X)
    starts, kept = range(0, n_rows, size), dict[int, Local]()

    def block(start: int) -> Local:
        if start in kept:
            return kept[start]
        local = build(take_rows(X, slice(start, start + size)))
        if n_rows * bytes_per_row <= KEPT_BYTES:
            kept[start] = local
        return local

    def pull(cotangent: FloatArray) -> FloatArray:
        pulled = np.empty((n_rows, width(X)))
        for start in starts:
            rows = slice(start, start + size)
            pulled[rows] = block(start).pull(cotangent[rows])
        return pulled

    return Local(np.concatenate([block(start).value for start in starts]), pull)


def log_averaged(locals_: Sequence[Local]) -> Local:
    """Average probabilities of which there are logarithms, without leaving those."""
    logs = np.stack([local.value for local in locals_])
    total = logsumexp(logs, axis=0)
    shares = np.exp(logs - np.where(np.isfinite(total), total, 0.0))

    def pull(cotangent: FloatArray) -> FloatArray:
        pairs = zip(shares, locals_, strict=True)
        return np.asarray(sum(local.pull(share * cotangent) for share, local in pairs))

    return Local(total - np.log(len(locals_)), pull)


def constant(value: FloatArray, n_in: int) -> Local:
    """Answer the same everywhere: a slope of zero is the truth."""
    return Local(value, lambda cotangent: np.zeros((len(cotangent), n_in)), affine=True)


def placed(local: Local, places: IntArray, n_outputs: int, missing: float = 0.0) -> Local:
    """Spread outputs over more columns; what is missing is constant."""
    if np.array_equal(places, np.arange(n_outputs)):
        return local
    value = np.full((len(local.value), n_outputs), missing)
    value[:, places] = local.value
    return Local(value, lambda cotangent: local.pull(cotangent[:, places]), affine=local.affine)


def on_columns(estimator: Any, X: Any, columns: IntArray, walk: Walk) -> Local:
    """Answer for a predictor that sees some of the columns; one may come twice."""
    n_in = width(X)
    if np.array_equal(columns, np.arange(n_in)):
        return walk.respond(estimator, X)
    few = walk.into("columns", walk.sources[columns])
    inner = few.respond(estimator, take_columns(X, columns))

    def pull(cotangent: FloatArray) -> FloatArray:
        total = np.zeros((n_in, len(cotangent)))
        np.add.at(total, columns, inner.pull(cotangent).T)
        return total.T

    return Local(inner.value, pull, affine=inner.affine)


def first_of(estimator: Any, *responses: Response) -> Response:
    """Choose the first response that an estimator has."""
    found = next((name for name in responses if hasattr(estimator, name)), "predict")
    return cast(Response, found)


def concrete(walk: Walk, estimator: Any) -> Walk:
    """Say what "raw" is for an estimator that has no link of its own."""
    if walk.response != "raw":
        return walk
    return walk.asking(first_of(estimator, "decision_function", "predict_proba", "predict"))
