"""Covariances of the parameters of fitted linear models, and of effects that depend on them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skgrad._typing import Array, FloatArray
from skgrad.inspection.effects.fits import LinearFit, require_smooth
from skgrad.inspection.effects.points import Point
from skgrad.inspection.effects.training import Training
from skgrad.losses import SquaredError

# The Hessian and its like are square matrices of this order at most: 800 MB.
MAX_PARAMETERS = 10_000
# Smallest eigenvalue of the Hessian, scaled to a diagonal of ones, in units of n_parameters x eps
# x its largest one. Rounding leaves about 1 where columns are linearly dependent.
SINGULAR = 10.0
# Distance of the parameters from the optimum, in standard errors, that is worth a warning.
FAR_FROM_OPTIMUM = 0.05


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


@dataclass
class Sums:
    """What a pass over the data of the fit adds up; see `Moments`."""

    hessian: FloatArray
    gradient: FloatArray
    residuals: FloatArray
    outer: FloatArray | None
    of_clusters: FloatArray | None

    @classmethod
    def empty(cls, training: Training, *, with_scores: bool) -> Sums:
        """Begin."""
        n_free, n_parameters = training.basis().shape[1], training.fit.shape[1]
        order, clusters = n_free * n_parameters, training.clusters
        return cls(
            np.zeros((n_free, n_parameters, n_free, n_parameters)),
            np.zeros((n_free, n_parameters)),
            np.zeros((training.fit.n_outputs, training.fit.n_outputs)),
            np.zeros((order, order)) if with_scores and clusters is None else None,
            np.zeros((int(clusters.max()) + 1, order))
            if with_scores and clusters is not None
            else None,
        )

    def add(self, training: Training, rows: slice, point: Point, weight: FloatArray) -> None:
        """Add some rows."""
        assert point.extended is not None
        raw = np.ascontiguousarray(point.raw.value)
        add_curvature(self.hessian, training, rows, raw, point.extended, weight)
        if training.target is None:
            return
        own = training.weight[rows, None]
        self.gradient += (own * training.deltas(rows, point)).T @ point.extended
        if self.outer is not None:
            scores = training.scores(rows, point)
            self.outer += (own * scores).T @ scores
        if self.of_clusters is not None:
            assert training.clusters is not None
            np.add.at(self.of_clusters, training.clusters[rows], own * training.scores(rows, point))
        if isinstance(training.fit.loss, SquaredError):
            error = raw - training.target[rows]
            self.residuals += (own * error).T @ error


def collect(training: Training, *, with_scores: bool) -> Moments:
    """Make a pass over the data of the fit, and audit the fit if the targets are known."""
    fit, basis = training.fit, training.basis()
    order = basis.shape[1] * fit.shape[1]
    if order > MAX_PARAMETERS:
        raise ValueError(
            f"{fit.name} has {order} parameters, whose covariance is a matrix too large to form."
            ' Use vcov="bootstrap", or vcov=None for the sampling error of the rows alone.'
        )
    strength = require_smooth(fit, training.total)
    sums = Sums.empty(training, with_scores=with_scores)
    for rows, point, weight in training.points():
        sums.add(training, rows, point, weight)
    hessian, outer = sums.hessian.reshape(order, order), sums.outer
    bread = inverse(hessian + np.diag((basis.T**2 @ strength).ravel()), fit)
    if sums.of_clusters is not None:
        correction = cluster_correction(training, order)
        outer = correction * (sums.of_clusters.T @ sums.of_clusters)
    known = training.target is not None and isinstance(fit.loss, SquaredError)
    moments = Moments(hessian, bread, outer, sums.residuals if known else None)
    if training.target is not None:
        gradient = sums.gradient + basis.T @ (strength * fit.params)
        audit(training, moments, gradient.ravel())
    return moments


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
