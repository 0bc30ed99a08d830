"""Effects at some rows, and the derivative of their sum in the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from skgrad._typing import FloatArray
from skgrad.inspection._question import CHUNK_BYTES, Question
from skgrad.inspection.chain.columns import width
from skgrad.inspection.effects.fits import LinearFit
from skgrad.inspection.effects.points import Point
from skgrad.inspection.effects.slopes import numbers, slopes, slopes_in_parameters
from skgrad.inspection.effects.terms import Contrast, Terms, with_value

# Effects (n_samples, n_terms, n_targets), and derivatives of their weighted sum in the parameters,
# (n_terms, n_targets, n_outputs, n_parameters of an output), if there are weights.
Evaluated: TypeAlias = tuple[FloatArray, FloatArray | None]


@dataclass(frozen=True)
class RowEffects:
    """Effects of some terms on some responses.

    Parameters
    ----------
    question : Question
    terms : Terms
    fit : LinearFit or None
        The linear last step, where derivatives in its parameters are wanted.
    """

    question: Question
    terms: Terms
    fit: LinearFit | None

    def chunk_size(self, X: Any) -> int:
        """Choose the number of rows whose largest arrays take `CHUNK_BYTES`."""
        entries = width(X)
        if self.fit is not None:
            n_outputs, n_parameters = self.fit.shape
            entries = max(n_outputs * entries, n_parameters, n_outputs**2)
        return max(64, CHUNK_BYTES // (8 * entries))

    def at(self, X: Any, weight: FloatArray | None = None) -> Evaluated:
        """Compute the effects at each row; with weights, also the derivatives of their sum."""
        parts = [self._contrasts(X, one, weight) for one in self.terms.contrasts]
        if len(self.terms.slopes):
            parts.insert(0, self._slopes(X, weight))
        effects = np.concatenate([effects for effects, _ in parts], axis=1)
        jacobians = [jacobian for _, jacobian in parts if jacobian is not None]
        order = self.terms.order
        return effects[:, order], np.concatenate(jacobians)[order] if jacobians else None

    def _slopes(self, X: Any, weight: FloatArray | None) -> Evaluated:
        terms, point = self.terms, Point.at(self.question, X, self.fit)
        scale = np.ones((X.shape[0], 1))
        if terms.times_x:  # a missing entry moves nothing: its slope is 0
            scale = np.nan_to_num(np.column_stack([numbers(X, j) for j in terms.slopes]))
        effects = slopes(point, terms.slopes, log=terms.log) * scale[:, :, None]
        if np.isnan(effects).any():
            raise ValueError("Some derivatives are NaN: X must hold finite numbers there.")
        if weight is None:
            return effects, None
        weights = weight[:, None] * scale
        return effects, slopes_in_parameters(point, terms.slopes, weights, log=terms.log)

    def _contrasts(self, X: Any, contrast: Contrast, weight: FloatArray | None) -> Evaluated:
        values, sums = [], []
        for category in contrast.categories:
            here = with_value(X, contrast.column, category)
            point = Point.at(self.question, here, self.fit)
            values.append(self._response(point.value))
            if weight is not None:
                assert point.extended is not None
                slopes_of_targets = [
                    (weight[:, None] * point.slope(t, log=self.terms.log)).T @ point.extended
                    for t in range(point.value.shape[1])
                ]
                sums.append(np.stack(slopes_of_targets))
        effects = np.einsum("cl,lnt->nct", contrast.matrix, np.stack(values))
        return effects, np.tensordot(contrast.matrix, np.stack(sums), axes=1) if sums else None

    def _response(self, value: FloatArray) -> FloatArray:
        if not self.terms.log:
            return value
        if (value <= 0.0).any():
            raise ValueError(
                "eydx of a category is a difference of logarithms, but some responses are not"
                " positive. Use dydx."
            )
        logarithm: FloatArray = np.log(value)
        return logarithm
