"""Coefficients as combinations of the rows: fewer unknowns for data with more columns than rows."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from skgrad._typing import FloatArray, Matrix
from skgrad.linalg import to_array

# Centred rows always depend on each other. A factorisable Gram matrix has this much added, relative
# to its largest entry: several times the rounding error of a sum.
JITTER = 1e-13
# What is added stays invisible behind an L2 penalty that is stronger by this factor.
JITTER_MARGIN = 1e7
# Eigenvalues below this, relative to the largest, are rounding.
SMALLEST_EIGENVALUE = 1e-13


class RowSpace:
    r"""An orthonormal basis of the space that the centred rows of a wide matrix span.

    With an L2 penalty or none, the coefficients of the (smallest) minimiser lie in this space: a
    component orthogonal to all rows predicts nothing. With centred rows Z and
    :math:`Z Z' = F F'`,

    .. math:: coef = Z' F^{+\top} v, \qquad Z\, coef = F v, \qquad |coef| = |v|,

    so that the problem for v has the square matrix F in place of the data, and the same penalty.
    F is the Cholesky factor where a penalty settles what dependent rows leave open, else from the
    eigendecomposition, at four times the cost.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Small data with n_features > n_samples.
    centered : bool
        Whether the model has an intercept, which absorbs the means of the columns.
    ridge : float
        Strength of the L2 penalty relative to the sum of the losses.

    Attributes
    ----------
    rows : array of shape (n_samples, rank)
        F in the precision of X: the data of the smaller problem.
    n_features : int
        Of X.

    References
    ----------
    B. Schoelkopf, R. Herbrich and A. Smola (2001). A generalized representer theorem. COLT 2001,
    theorem 1.
    """

    def __init__(self, X: Matrix, *, centered: bool, ridge: float) -> None:
        Z = to_array(X).astype(np.float64, copy=False)
        self.n_features = Z.shape[1]
        self.center = Z.mean(axis=0) if centered else np.zeros(self.n_features)
        self.Z = Z - self.center
        factor, self.inverse = _factor(self.Z @ self.Z.T, ridge)
        self.rows = factor.astype(X.dtype, copy=False)

    def project(self, X: Matrix) -> FloatArray:
        """Write other rows in the basis: what they contribute to predictions."""
        products = (to_array(X) - self.center) @ self.Z.T
        projected: FloatArray = (products @ self.inverse.T).astype(X.dtype, copy=False)
        return projected

    def to_user(self, rows: FloatArray) -> FloatArray:
        """Map parameters, one row per output, to the user's coefficients and intercepts."""
        rank = len(self.inverse)
        coef = (rows[:, :rank] @ self.inverse) @ self.Z
        intercept = rows[:, rank:] - coef @ self.center[:, None]
        return np.hstack([coef, intercept[:, : rows.shape[1] - rank]]).astype(rows.dtype)

    def from_user(self, rows: FloatArray) -> FloatArray:
        """Map the user's parameters back; what is orthogonal to all rows is dropped."""
        p = self.n_features
        coef = rows[:, :p]
        v = (coef @ self.Z.T) @ self.inverse.T
        intercept = rows[:, p:] + coef @ self.center[:, None]
        return np.hstack([v, intercept[:, : rows.shape[1] - p]]).astype(rows.dtype)


def _factor(gram: FloatArray, ridge: float) -> tuple[FloatArray, FloatArray]:
    """Compute F with F F' = gram, and its pseudo-inverse."""
    diagonal = np.einsum("ii->i", gram)
    jitter = JITTER * float(diagonal.max(initial=0.0))
    if ridge > JITTER_MARGIN * jitter:
        diagonal += jitter
        lower, failed = lapack.dpotrf(gram, lower=1, clean=1)
        if not failed:
            return lower, lapack.dtrtri(lower, lower=1)[0]
    values, vectors = np.linalg.eigh(gram)
    kept = values > SMALLEST_EIGENVALUE * float(values.max(initial=0.0))
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    return vectors * roots, (vectors / roots).T
