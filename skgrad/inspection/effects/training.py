"""The data of a fit, and its scores, in the parameters that matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.inspection._question import CHUNK_BYTES, Question
from skgrad.inspection.chain.columns import take_rows, width
from skgrad.inspection.effects.fits import LinearFit
from skgrad.inspection.effects.points import Point


@dataclass(frozen=True)
class Training:
    """The data of the fit.

    Parameters
    ----------
    question : Question
    fit : LinearFit
    X : DataFrame, array or sparse matrix
        What the whole pipeline was fitted on.
    target : ndarray or None
        y as the loss wants it.
    weight : ndarray of shape (n_samples,)
        A weight of k is the row k times.
    factor : ndarray of shape (n_samples,) or None
        Class weights, which multiply losses, but are no rows.
    clusters : ndarray of int of shape (n_samples,) or None
        Numbers of the clusters, from 0.
    """

    question: Question
    fit: LinearFit
    X: Any
    target: Array | None
    weight: FloatArray
    factor: FloatArray | None
    clusters: Array | None

    @property
    def total(self) -> float:
        """Sum of the weights of the losses."""
        return float((self.weight if self.factor is None else self.weight * self.factor).sum())

    def basis(self) -> FloatArray:
        """Directions of the raw predictions that matter, shape (n_outputs, n_free).

        Classes that share a shift have the same probabilities, so that a multinomial fit has a
        direction less than classes. The penalty of an orthonormal basis is that of the classes.
        """
        n_outputs = self.fit.n_outputs
        if not self.fit.loss.coupled:
            return np.eye(n_outputs)
        mean = np.full((n_outputs, 1), n_outputs**-0.5)
        full: FloatArray = np.linalg.qr(np.hstack([mean, np.eye(n_outputs)[:, 1:]]))[0]
        return full[:, 1:]

    def points(self) -> Iterator[tuple[slice, Point, FloatArray]]:
        """Walk through chunks of rows, with the weights of their losses."""
        n_outputs, n_parameters = self.fit.shape
        entries = max(width(self.X), n_outputs * n_parameters, n_outputs**2)
        size, n = max(64, CHUNK_BYTES // (8 * entries)), self.X.shape[0]
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))
            weight = self.weight[rows]
            if self.factor is not None:
                weight = weight * self.factor[rows]
            yield rows, self.point(rows), weight

    def point(self, rows: slice) -> Point:
        """Evaluate at some rows."""
        return Point.at(self.question, take_rows(self.X, rows), self.fit)

    def deltas(self, rows: slice, point: Point) -> FloatArray:
        """Differentiate each row's loss in the free raw predictions, shape (n_rows, n_free)."""
        assert self.target is not None
        raw = np.ascontiguousarray(point.raw.value)
        deltas: FloatArray = self.fit.loss.gradient(self.target[rows], raw) @ self.basis()
        return deltas if self.factor is None else deltas * self.factor[rows, None]

    def scores(self, rows: slice, point: Point) -> FloatArray:
        """Differentiate each row's loss in the free parameters, shape (n_rows, n_free params)."""
        assert point.extended is not None
        scores = self.deltas(rows, point)[:, :, None] * point.extended[:, None, :]
        return scores.reshape(len(scores), -1)
