"""The linear model: how a flat parameter vector holds coefficients and intercepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.models.standardized import StandardizedMatrix


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Affine map from features to raw predictions.

    The flat parameter vector holds one row of length ``n_features + fit_intercept`` per output: the
    coefficients, then the intercept. Parameters of one output are neighbours, so that the Hessian
    of a loss that treats outputs separately is block diagonal.

    Parameters
    ----------
    n_features, n_outputs : int
        Shape of ``coef``.
    fit_intercept : bool
        Whether each output has an intercept.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.models import LinearModel
    >>> model = LinearModel(n_features=2, n_outputs=1, fit_intercept=True)
    >>> w = np.array([1.0, -1.0, 0.5])
    >>> model.coef(w), model.intercept(w)
    (array([[ 1., -1.]]), array([0.5]))
    """

    n_features: int
    n_outputs: int
    fit_intercept: bool

    @property
    def row_length(self) -> int:
        """Number of parameters of one output."""
        return self.n_features + self.fit_intercept

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return self.n_outputs * self.row_length

    def select(self, columns: IntArray) -> LinearModel:
        """Restrict to some columns."""
        return LinearModel(len(columns), self.n_outputs, self.fit_intercept)

    def positions(self, columns: IntArray) -> IntArray:
        """Find the coefficients of columns, and all intercepts, in a parameter vector."""
        row = np.append(columns, self.n_features) if self.fit_intercept else columns
        starts = self.row_length * np.arange(self.n_outputs)[:, None]
        return np.asarray((starts + row).ravel())

    def rows(self, w: FloatArray) -> FloatArray:
        """View w as one row per output."""
        return w.reshape(self.n_outputs, self.row_length)

    def coef(self, w: FloatArray) -> FloatArray:
        """View the coefficients in w, shape (n_outputs, n_features)."""
        return self.rows(w)[:, : self.n_features]

    def intercept(self, w: FloatArray) -> FloatArray:
        """Copy the intercepts out of w, shape (n_outputs,), or (0,) without intercept."""
        return self.rows(w)[:, self.n_features :].ravel()

    def pack(self, coef: FloatArray, intercept: FloatArray) -> FloatArray:
        """Build a parameter vector from coefficients and intercepts."""
        w = np.empty(self.n_params, dtype=coef.dtype)
        self.coef(w)[...] = coef
        if self.fit_intercept:
            self.rows(w)[:, self.n_features] = intercept
        return w

    def forward(self, w: FloatArray, A: StandardizedMatrix) -> FloatArray:
        """Compute raw predictions, shape (n_samples, n_outputs)."""
        return A.matmul(self.rows(w))

    def backward(self, A: StandardizedMatrix, gradient_raw: FloatArray) -> FloatArray:
        """Pull a gradient with respect to raw, (n_samples, n_outputs), back to the parameters."""
        return A.rmatmul(gradient_raw).ravel()

    def hessian(self, A: StandardizedMatrix, curvature: FloatArray | None) -> FloatArray:
        """Compute the diagonal blocks of the Hessian of a sum of losses.

        Parameters
        ----------
        A : StandardizedMatrix
            Rows of the data.
        curvature : array or None
            Of the losses: shape (n_samples, n_outputs) where outputs are separate,
            (n_samples, n_outputs, n_outputs) where they are coupled, None for a constant of one.

        Returns
        -------
        array of shape (n_blocks, block_size, block_size)
            One block per output, or one block shared by all outputs (curvature None), or one block
            that holds all parameters (coupled outputs).
        """
        if curvature is None:
            return A.gram(None)[None]
        if curvature.ndim == 2:
            return A.grams(curvature)
        K, m = self.n_outputs, self.row_length
        lower = np.tril_indices(K)
        blocks = A.grams(curvature[:, lower[0], lower[1]])
        whole = np.empty((K, m, K, m), dtype=blocks.dtype)
        whole[lower[0], :, lower[1], :] = blocks
        whole[lower[1], :, lower[0], :] = blocks
        return whole.reshape(1, K * m, K * m)
