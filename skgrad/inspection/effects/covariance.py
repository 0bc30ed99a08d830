"""Covariances of the parameters of fitted linear models, and of effects that depend on them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skgrad._typing import Array, FloatArray
from skgrad.inspection._question import CHUNK_BYTES, Question
from skgrad.inspection.chain.columns import take_rows, width
from skgrad.inspection.effects.fits import LinearFit, require_smooth
from skgrad.inspection.effects.points import Point
from skgrad.losses import SquaredError

# The Hessian and its like are square matrices of this order at most: 800 MB.
MAX_PARAMETERS = 10_000
# Smallest eigenvalue of the Hessian, scaled to a diagonal of ones, in units of n_parameters x eps
# x its largest one. Rounding leaves about 1 where columns are linearly dependent.
SINGULAR = 10.0
# Distance of the parameters from the optimum, in standard errors, that is worth a warning.
FAR_FROM_OPTIMUM = 0.05


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

    def scores(self, rows: slice, point: Point) -> FloatArray:
        """Differentiate each row's loss in the free parameters, shape (n_rows, n_free params)."""
        assert self.target is not None
        assert point.extended is not None
        raw = np.ascontiguousarray(point.raw.value)
        gradient = self.fit.loss.gradient(self.target[rows], raw) @ self.basis()
        if self.factor is not None:
            gradient = gradient * self.factor[rows, None]
        scores: FloatArray = gradient[:, :, None] * point.extended[:, None, :]
        return scores.reshape(len(scores), -1)


@dataclass(frozen=True)
class Moments:
    """Sums over the rows of the fit, in the free parameters.

    Parameters
    ----------
    hessian : ndarray of shape (n_parameters, n_parameters)
        Of the losses, without the penalty.
    bread : ndarray of shape (n_parameters, n_parameters)
        Inverse Hessian of the losses and the penalty.
    outer : ndarray or None
        Sum of the outer products of the rows' scores, or of the clusters'.
    residuals : ndarray of shape (n_outputs, n_outputs) or None
        Sum of the products of residuals, for the squared error.
    """

    hessian: FloatArray
    bread: FloatArray
    outer: FloatArray | None
    residuals: FloatArray | None


def collect(training: Training, *, with_scores: bool) -> Moments:
    """Make a pass over the data of the fit."""
    fit, basis = training.fit, training.basis()
    n_free, n_parameters = basis.shape[1], fit.shape[1]
    order = n_free * n_parameters
    if order > MAX_PARAMETERS:
        raise ValueError(
            f"{fit.name} has {order} parameters, whose covariance is a matrix too large to form."
            ' Use vcov="bootstrap", or vcov=None for the sampling error of the rows alone.'
        )
    strength = require_smooth(fit, training.total)
    hessian = np.zeros((n_free, n_parameters, n_free, n_parameters))
    outer = np.zeros((order, order)) if with_scores and training.clusters is None else None
    of_clusters = _empty_sums(training, order) if with_scores else None
    gradient = np.zeros(order)
    residuals = np.zeros((fit.n_outputs, fit.n_outputs))
    for rows, point, weight in training.points():
        assert point.extended is not None
        raw = np.ascontiguousarray(point.raw.value)
        add_curvature(hessian, training, rows, raw, point.extended, weight)
        if training.target is None:
            continue
        scores, own = training.scores(rows, point), training.weight[rows]
        gradient += own @ scores
        if outer is not None:
            outer += (scores * own[:, None]).T @ scores
        if of_clusters is not None and training.clusters is not None:
            np.add.at(of_clusters, training.clusters[rows], scores * own[:, None])
        if isinstance(fit.loss, SquaredError):
            error = raw - training.target[rows]
            residuals += (error * own[:, None]).T @ error
    gradient += (basis.T @ (strength * fit.params)).ravel()
    flat = hessian.reshape(order, order)
    bread = inverse(flat + np.diag((basis.T**2 @ strength).ravel()), fit)
    if of_clusters is not None and training.clusters is not None:
        outer = cluster_correction(training, order) * (of_clusters.T @ of_clusters)
    known = training.target is not None
    moments = Moments(
        flat, bread, outer, residuals if known and isinstance(fit.loss, SquaredError) else None
    )
    if known:
        audit(training, moments, gradient)
    return moments


def _empty_sums(training: Training, order: int) -> FloatArray | None:
    if training.clusters is None:
        return None
    return np.zeros((int(training.clusters.max()) + 1, order))


def add_curvature(
    hessian: FloatArray, training: Training, rows: slice, raw: FloatArray, extended: FloatArray,
    weight: FloatArray,
) -> None:  # fmt: skip
    """Add the losses' second derivatives at some rows."""
    fit, basis = training.fit, training.basis()
    target = training.target[rows] if training.target is not None else _any_target(fit, raw)
    curvature = fit.loss.curvature(target, raw)
    if fit.loss.coupled:
        curvature = np.einsum("kf,nkl,lg->nfg", basis, curvature, basis)
    for k in range(basis.shape[1]):
        for m in range(k + 1 if fit.loss.coupled else 0):
            block = (extended * (weight * curvature[:, k, m])[:, None]).T @ extended
            hessian[k, :, m] += block
            if m < k:
                hessian[m, :, k] += block
        if not fit.loss.coupled:
            hessian[k, :, k] += (extended * (weight * curvature[:, k])[:, None]).T @ extended


def _any_target(fit: LinearFit, raw: FloatArray) -> Array:
    """Make up targets: the curvature of these losses does not depend on them."""
    return np.zeros(len(raw), dtype=np.intp) if fit.loss.coupled else np.zeros_like(raw)


def cluster_correction(training: Training, order: int) -> float:
    """Correct for few clusters as statsmodels and Stata's regress do."""
    assert training.clusters is not None
    n_clusters, n = int(training.clusters.max()) + 1, float(training.weight.sum())
    if n_clusters < 2:
        raise ValueError("groups must name two clusters at least.")
    return n_clusters / (n_clusters - 1) * (n - 1) / (n - order)


def inverse(matrix: FloatArray, fit: LinearFit) -> FloatArray:
    """Invert a Hessian, or say that it is singular."""
    diagonal = np.diag(matrix)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    eigenvalues, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    limit = SINGULAR * len(matrix) * np.finfo(np.float64).eps * eigenvalues[-1]
    if eigenvalues[0] <= limit or (diagonal <= 0.0).any():
        raise ValueError(
            f"The Hessian of {fit.name} is singular: columns of its input are linearly dependent"
            " (one-hot columns of all categories next to an intercept, say), or classes are"
            ' separated. Drop a column (OneHotEncoder(drop="first")), add an L2 penalty, or use'
            ' vcov="bootstrap" or vcov=None.'
        )
    half = vectors / np.sqrt(eigenvalues) * scale[:, None]
    inverted: FloatArray = half @ half.T
    return inverted


def audit(training: Training, moments: Moments, gradient: FloatArray) -> None:
    """Warn if the mean score, with the penalty's gradient, is not 0 at the parameters."""
    scale = 1.0
    if moments.residuals is not None:
        scale = max(float(np.trace(moments.residuals)) / training.total, np.finfo(float).tiny)
    squared = float(gradient @ moments.bread @ gradient) / scale
    distance = max(0.0, squared) ** 0.5
    if distance > FAR_FROM_OPTIMUM:
        warnings.warn(
            f"{training.fit.name} is {distance:.2g} standard errors away from the optimum on these"
            " data: either it has not converged (lower tol, raise max_iter), or X, y and"
            " sample_weight are not what it was fitted on. Standard errors hold at the optimum.",
            ConvergenceWarning,
            stacklevel=2,
        )


def model_based(training: Training, moments: Moments) -> FloatArray:
    r"""Compute the covariance :math:`A^{-1} F A^{-1}` for new y at the same X, if the model holds.

    A is the Hessian with the penalty and F the Fisher information, without: the Hessian of the
    losses, times the residuals' covariance for the squared error.
    """
    bread, meat = moments.bread, moments.hessian
    if moments.residuals is not None:
        n_outputs, n_parameters = training.fit.shape
        shape = (n_outputs, n_parameters, n_outputs, n_parameters)
        blocks = (bread @ meat).reshape(shape)
        used = np.array([np.trace(blocks[k, :, k]) for k in range(n_outputs)])
        free = np.sqrt(training.weight.sum() - used)
        sigma = moments.residuals / free / free[:, None]
        gram = moments.hessian.reshape(shape)[0, :, 0]
        meat = np.kron(sigma, gram)
    covariance: FloatArray = bread @ meat @ bread
    return covariance
