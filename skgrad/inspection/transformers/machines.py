"""Boltzmann machines."""

from __future__ import annotations

from typing import Any

from sklearn.neural_network import BernoulliRBM

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense


@transform_rule(BernoulliRBM)
def hidden_units(step: Any, X: Any, walk: Walk) -> Local:
    """Differentiate the probabilities of the hidden units."""
    value = step.transform(X)

    def pull(cotangent: FloatArray) -> FloatArray:
        p = dense(value)
        pulled: FloatArray = (cotangent * p * (1.0 - p)) @ step.components_
        return pulled

    return Local(value, pull)
