"""The linear model raw = X coef' + intercept, and the standardised coordinates that solvers walk in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skgrad._typing import FloatArray, Matrix
from skgrad.linalg import gram, matmul, rmatmul


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Affine map from features to raw predictions, raw = X coef' + intercept.

    The flat parameter vector holds one row of length ``n_features + fit_intercept`` per output: the
    coefficients, then the intercept. Parameters of one output are neighbours, so that the Hessian of
    a loss that treats outputs separately is block diagonal.

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
    >>> model.forward(np.array([1.0, -1.0, 0.5]), np.array([[3.0, 2.0]]))
    array([[1.5]])
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

    def coef(self, w: FloatArray) -> FloatArray:
        """View the coefficients in w, shape (n_outputs, n_features)."""
        return w.reshape(self.n_outputs, self.row_length)[:, : self.n_features]

    def intercept(self, w: FloatArray) -> FloatArray:
        """View the intercepts in w, shape (n_outputs,), or (0,) without intercept."""
        return w.reshape(self.n_outputs, self.row_length)[:, self.n_features :].ravel()

    def pack(self, coef: FloatArray, intercept: FloatArray) -> FloatArray:
        """Build a parameter vector from coefficients and intercepts."""
        w = np.empty((self.n_outputs, self.row_length), dtype=coef.dtype)
        w[:, : self.n_features] = coef
        if self.fit_intercept:
            w[:, self.n_features] = intercept
        return w.ravel()

    def forward(self, w: FloatArray, X: Matrix) -> FloatArray:
        """Compute raw predictions, shape (n_samples, n_outputs)."""
        rows = w.reshape(self.n_outputs, self.row_length)
        raw = matmul(X, rows[:, : self.n_features])
        if self.fit_intercept:
            raw += rows[:, self.n_features]
        return raw

    def backward(self, X: Matrix, gradient_raw: FloatArray) -> FloatArray:
        """Pull a gradient with respect to raw, (n_samples, n_outputs), back to the parameters."""
        if not self.fit_intercept:
            return rmatmul(X, gradient_raw).ravel()
        return self.pack(rmatmul(X, gradient_raw), gradient_raw.sum(axis=0))

    def hessian(self, X: Matrix, curvature: FloatArray | None, center: FloatArray) -> FloatArray:
        """Compute the blocks of X~' diag(curvature) X~ for centred columns X~.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            A block of rows.
        curvature : array or None
            Shape (n_samples, n_outputs) where outputs are separate, (n_samples, n_outputs, n_outputs)
            where they are coupled, None for a constant curvature of one.
        center : array of shape (n_features,)
            Subtracted from each row of X.

        Returns
        -------
        array of shape (n_blocks, block_size, block_size)
            One block per output, or one block shared by all outputs (curvature None), or one block
            that holds all parameters (coupled outputs).
        """
        if curvature is None:
            return self._block(X, None, center)[None]
        if curvature.ndim == 2:
            return np.stack([self._block(X, column, center) for column in curvature.T])
        size = self.row_length
        whole = np.empty((self.n_params, self.n_params), dtype=X.dtype)
        for k in range(self.n_outputs):
            for j in range(k + 1):
                block = self._block(X, np.ascontiguousarray(curvature[:, k, j]), center)
                whole[k * size : (k + 1) * size, j * size : (j + 1) * size] = block
                whole[j * size : (j + 1) * size, k * size : (k + 1) * size] = block
        return whole[None]

    def _block(self, X: Matrix, weights: FloatArray | None, center: FloatArray) -> FloatArray:
        block = np.empty((self.row_length, self.row_length), dtype=X.dtype)
        p = self.n_features
        block[:p, :p] = gram(X, weights, center)
        if self.fit_intercept:
            weights = np.ones(X.shape[0], dtype=X.dtype) if weights is None else weights
            total = weights.sum()
            block[p, :p] = block[:p, p] = weights @ X - total * center
            block[p, p] = total
        return block


@dataclass(frozen=True, slots=True)
class Standardization:
    r"""Change of variables that centres and scales columns without touching X.

    Solvers see parameters :math:`v`; the model and the penalty see the user's parameters

    .. math:: coef = s \odot v, \qquad intercept = v_0 - c' coef,

    so that the raw prediction is :math:`((X - c) \odot s) v + v_0`: the objective is the user's,
    in better conditioned coordinates.

    Parameters
    ----------
    model : LinearModel
        Layout of the parameters.
    center : array of shape (n_features,)
        Column means, zeros for a model without intercept.
    scale : array of shape (n_features,)
        Factor of each column. Zero pins a coefficient to zero (constant columns).
    """

    model: LinearModel
    center: FloatArray
    scale: FloatArray

    def to_user(self, v: FloatArray) -> FloatArray:
        """Map a solver's parameters to the user's."""
        p = self.model.n_features
        rows = v.reshape(self.model.n_outputs, self.model.row_length).copy()
        rows[:, :p] *= self.scale
        if self.model.fit_intercept:
            rows[:, p] -= rows[:, :p] @ self.center
        return rows.ravel()

    def from_user(self, w: FloatArray) -> FloatArray:
        """Map the user's parameters to a solver's (coefficients of pinned columns are dropped)."""
        p = self.model.n_features
        rows = w.reshape(self.model.n_outputs, self.model.row_length).copy()
        if self.model.fit_intercept:
            rows[:, p] += rows[:, :p] @ self.center
        rows[:, :p] /= np.where(self.scale > 0, self.scale, 1.0)
        rows[:, :p] *= self.scale > 0
        return rows.ravel()

    def gradient(self, gradient: FloatArray) -> FloatArray:
        """Pull a gradient in the user's parameters back to the solver's: the transpose of `to_user`."""
        p = self.model.n_features
        rows = gradient.reshape(self.model.n_outputs, self.model.row_length).copy()
        if self.model.fit_intercept:
            rows[:, :p] -= rows[:, p:] * self.center
        rows[:, :p] *= self.scale
        return rows.ravel()

    @property
    def scale_per_output(self) -> FloatArray:
        """Scale of every parameter of one output, shape (row_length,): ones for intercepts."""
        return np.append(self.scale, np.ones(int(self.model.fit_intercept), self.scale.dtype))
