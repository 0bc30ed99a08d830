"""The inverse of a Hessian's few heavy rank-one terms plus a simple remainder."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack, solve_triangular

from skgrad._typing import FloatArray, IntArray


class Remainder:
    r"""The matrix :math:`D = L L'`, one for all outputs, that the heavy terms are added to.

    Parameters
    ----------
    curvature : array of shape (n_features, n_features) or (n_features,)
        Of the coefficients, the latter if it is diagonal.
    intercept : array of shape (fit_intercept,)
        Of the intercept, if there is one.
    """

    def __init__(self, curvature: FloatArray, intercept: FloatArray) -> None:
        self.lower: FloatArray | None = None
        if curvature.ndim == 2:
            self.lower = np.linalg.cholesky(curvature)
            curvature = np.ones(len(curvature))
        self.scale = 1.0 / np.sqrt(np.append(curvature, intercept))

    def whiten(self, rows: FloatArray, *, transposed: bool = False) -> FloatArray:
        r"""Multiply rows by :math:`L^{-1}`, or by its transpose; always a new array."""
        rows = rows * self.scale
        if self.lower is not None:
            p = len(self.lower)
            rows[:, :p] = solve_triangular(
                self.lower, rows[:, :p].T, lower=True, trans=int(transposed), check_finite=False
            ).T
        return rows


class LowRankInverse:
    r"""The inverse of :math:`I \otimes D + \sum_t (x_t \otimes v_t)(x_t \otimes v_t)'`.

    With the terms whitened by :math:`D^{-1/2}`, their Gram matrix is
    :math:`G_{st} = (x_s' x_t)(v_s' v_t)`, and by the Woodbury formula the inverse takes one
    Cholesky factor of :math:`I + G`, whose order is the number of terms. In float64 throughout.

    Parameters
    ----------
    remainder : Remainder
        D.
    rows : array of shape (n_rows, row_length)
        The different x.
    row : array of shape (n_terms,)
        Which of them is a term's, in ascending order; each occurs.
    directions : array of shape (n_terms, n_outputs)
        v, including the square root of the terms' strengths.
    """

    def __init__(
        self, remainder: Remainder, rows: FloatArray, row: IntArray, directions: FloatArray
    ) -> None:
        self.remainder, self.rows = remainder, remainder.whiten(rows.astype(np.float64))
        self.row, self.directions = row, directions.astype(np.float64)
        self.first_terms = np.flatnonzero(np.diff(row, prepend=-1))
        gram = (self.rows @ self.rows.T)[row[:, None], row]
        gram *= self.directions @ self.directions.T
        gram.flat[:: len(gram) + 1] += 1.0
        # The smallest eigenvalue is one: this cannot fail.
        self.factor = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)[0]

    def __call__(self, gradient: FloatArray) -> FloatArray:
        """Multiply a vector of parameters by the inverse."""
        z = self.remainder.whiten(gradient.reshape(self.directions.shape[1], -1).astype(float))
        products = np.einsum("tk,tk->t", (self.rows @ z.T)[self.row], self.directions)
        solution = lapack.dpotrs(self.factor, products, lower=1)[0]
        by_row = np.add.reduceat(solution[:, None] * self.directions, self.first_terms, axis=0)
        z -= by_row.T @ self.rows
        result = self.remainder.whiten(z, transposed=True)
        return result.ravel().astype(gradient.dtype, copy=False)
