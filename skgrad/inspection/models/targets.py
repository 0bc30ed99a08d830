"""Regressors of transformed targets: the derivative of the transformation's inverse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor

from skgrad._typing import FloatArray
from skgrad.inspection.chain import SEVERAL, Local, NonDifferentiableError, Walk, linked, rule
from skgrad.inspection.chain.affine import probed
from skgrad.inspection.chain.columns import dense, width
from skgrad.inspection.models.links import Elementwise
from skgrad.inspection.models.parts import mixed

# Relative distance from where a transformation leads what its inverse gave, beyond which the
# inverse counts as cut off there.
CUT_OFF = 1e-6


@rule(TransformedTargetRegressor)
def transformed_target(estimator: Any, X: Any, walk: Walk) -> Local:
    """Predict the transformed target ("raw" is that), and transform back."""
    raw = walk.asking("predict").into("regressor_").respond(estimator.regressor_, X)
    if walk.response == "raw":
        return raw
    transformer = estimator.transformer_
    inside = replace(walk.into("transformer_", np.full(width(raw.value), SEVERAL)), fallback=None)
    if inside.trail not in walk.memory:
        walk.memory[inside.trail] = probed(_Inverse(transformer), dense(raw.value))
    affine, value = walk.memory[inside.trail], _inverse(transformer, dense(raw.value))
    if affine is not None and affine.fits(dense(raw.value), value):
        return mixed(raw, affine.jacobian, affine.value - affine.jacobian @ affine.origin)
    try:
        inverse_slope(transformer, dense(raw.value), inside)
    except NonDifferentiableError:
        name = type(transformer).__name__
        reason = f"transforms targets by a {name} whose inverse has no derivative that is known"
        return walk.difference(estimator, X, reason)
    link = Elementwise(
        lambda z: _inverse(transformer, z), lambda z: inverse_slope(transformer, z, inside)
    )
    return linked(raw, link)


def inverse_slope(transformer: Any, z: FloatArray, walk: Walk) -> FloatArray:
    """Differentiate the inverse of a transformation of single columns: 1 / T'(T^-1(z))."""
    y = _inverse(transformer, z)
    local = replace(walk, memory={}).transform(transformer, y)
    alone = z.shape[1] == 1 or (
        local.sources is not None and np.array_equal(local.sources, np.arange(z.shape[1]))
    )
    if not alone:
        walk.refuse(transformer, "mixes targets, and its inverse has no rule")
    slope = local.pull(np.ones_like(z))
    cut = np.abs(dense(local.value) - z) > CUT_OFF * (1.0 + np.abs(z))
    if cut.any():
        reach = CUT_OFF * (1.0 + np.abs(z))
        beside = _inverse(transformer, z + reach) - _inverse(transformer, z - reach)
        if (beside[cut] != 0.0).any():
            walk.refuse(transformer, "is not the inverse of its own inverse")
    with np.errstate(divide="ignore"):
        return np.where(cut, 0.0, 1.0 / slope)


class _Inverse:
    """A transformation backwards, to be tried whether it is affine."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def transform(self, z: FloatArray) -> FloatArray:
        return _inverse(self.transformer, z)


def _inverse(transformer: Any, z: FloatArray) -> FloatArray:
    y = np.asarray(transformer.inverse_transform(z), dtype=np.float64)
    return y.reshape(len(y), -1)
