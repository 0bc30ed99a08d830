"""The coordinates that solvers walk in."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import lapack

from skgrad._typing import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Standardization:
    r"""Change of variables that improves the conditioning and leaves the objective as it is.

    A solver's coefficients :math:`v` (a row) and the user's are related by

    .. math:: coef = s \odot (T v), \qquad intercept = v_0 - c' coef,

    so that the raw prediction is :math:`((X - c) \odot s)\, T v + v_0`: columns are centred and
    scaled and, with a rotation T, also decorrelated.

    Parameters
    ----------
    center : array of shape (n_features,)
        Column means; zeros for a model without intercept.
    scale : array of shape (n_features,)
        Factor of each column. Zero pins a coefficient to zero (constant columns).
    rotation : array of shape (n_features, n_features), optional
        T, upper triangular; the identity by default.
    deviation : array of shape (n_features,), optional
        Standard deviations of the columns in float64, where centre and scale came from them; zero
        for constant columns.
    """

    center: FloatArray
    scale: FloatArray
    rotation: FloatArray | None = None
    deviation: FloatArray | None = None
    inverse_scale: FloatArray = field(init=False)  # zero for pinned columns
    inverse_rotation: FloatArray | None = field(init=False)

    def __post_init__(self) -> None:
        """Invert once: solvers ask for it in every iteration."""
        pinned = self.scale == 0
        inverse = 1.0 / np.where(pinned, 1.0, self.scale)
        inverse[pinned] = 0.0
        object.__setattr__(self, "inverse_scale", inverse.astype(self.scale.dtype, copy=False))
        undo: FloatArray | None = None
        if self.rotation is not None:
            undo = lapack.dtrtri(self.rotation.astype(np.float64), lower=0)[0]
            undo = np.triu(undo).astype(self.scale.dtype, copy=False)
        object.__setattr__(self, "inverse_rotation", undo)

    def select(self, columns: IntArray) -> Standardization:
        """Restrict to some columns; there must be no rotation."""
        assert self.rotation is None
        return Standardization(self.center[columns], self.scale[columns])

    @property
    def is_uniform(self) -> bool:
        """Whether all columns are scaled alike and nothing else is done to them."""
        return (
            self.rotation is None
            and not self.center.any()
            and bool((self.scale == self.scale[0]).all())
        )

    def coef_to_user(self, coef: FloatArray) -> FloatArray:
        """Map rows of coefficients to the user's."""
        coef = coef if self.rotation is None else coef @ self.rotation.T
        return coef * self.scale

    def pull(self, gradient: FloatArray) -> FloatArray:
        """Map gradients in the user's coefficients to gradients in a solver's."""
        gradient = gradient * self.scale
        return gradient if self.rotation is None else gradient @ self.rotation

    def push(self, gradient: FloatArray) -> FloatArray:
        """Map gradients in a solver's coefficients to gradients in the user's: undo `pull`."""
        if self.inverse_rotation is not None:
            gradient = gradient @ self.inverse_rotation
        return gradient * self.inverse_scale

    def smallest_gain(self) -> float:
        """Compute the least factor by which `coef_to_user` may shorten; 0 if no column counts."""
        used = self.scale > 0.0
        if self.rotation is None or not used.any():
            return float(self.scale[used].min()) if used.any() else 0.0
        linear = self.scale[used, None].astype(np.float64) * self.rotation[np.ix_(used, used)]
        return float(np.linalg.svd(linear, compute_uv=False)[-1])

    def largest_gain(self) -> float:
        """Bound the factor by which coefficients grow from a solver's coordinates to the user's."""
        largest = float(self.scale.max(initial=0.0))
        if self.rotation is None:
            return largest
        return float(np.linalg.norm(self.scale[:, None] * self.rotation, 2))

    def pull_curvature(self, curvature: float | FloatArray) -> FloatArray:
        """Map a diagonal Hessian in one row of the user's coefficients to a solver's, full."""
        diagonal = np.diag(np.broadcast_to(curvature * self.scale, self.scale.shape))
        return (
            self.pull(diagonal) if self.rotation is None else self.rotation.T @ self.pull(diagonal)
        )

    def to_user(self, rows: FloatArray) -> FloatArray:
        """Map a solver's parameters, one row per output, to the user's."""
        p = len(self.scale)
        rows = rows.copy()
        rows[:, :p] = self.coef_to_user(rows[:, :p])
        rows[:, p:] -= rows[:, :p] @ self.center[:, None]
        return rows

    def from_user(self, rows: FloatArray) -> FloatArray:
        """Map the user's parameters to a solver's; coefficients of pinned columns are dropped."""
        p = len(self.scale)
        rows = rows.copy()
        rows[:, p:] += rows[:, :p] @ self.center[:, None]
        rows[:, :p] *= self.inverse_scale
        if self.inverse_rotation is not None:
            rows[:, :p] = rows[:, :p] @ self.inverse_rotation.T
        return rows
