"""The multinomial logistic loss."""

from math import log
from typing import ClassVar

import numpy as np

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Target
from skgrad.losses._softmax import (
    Softmax,
    centred_scores,
    negative_entropy,
    probabilities,
    shifted_scores,
)


class Multinomial(Softmax):
    """Multinomial logistic loss: the negative log-likelihood of one class out of K.

    ::

        value(y, z) = log(sum_k exp(z_k)) - z_y

    `y` holds class codes from 0 to K - 1, of shape (n_samples,); the value has shape
    (n_samples, 1). Adding a number to all scores of a sample changes nothing, and `constant` is
    the minimiser whose entries sum to 0. Arrays of raw's shape come in Fortran order.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Multinomial
    >>> loss, raw = Multinomial(), np.log([[1.0, 2.0, 1.0]])
    >>> loss.inverse_link(raw).round(2).tolist()
    [[0.25, 0.5, 0.25]]
    >>> loss.gradient(np.array([1]), raw).round(2).tolist()
    [[0.25, -0.5, 0.25]]
    """

    name: ClassVar[str] = "multinomial"
    target: ClassVar[Target] = "class_index"
    separated_below: ClassVar[float] = log(2.0)

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.MULTINOMIAL)

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        scores = shifted_scores(raw)
        own = scores[y, np.arange(len(y))]
        np.exp(scores, out=scores)
        value = np.log(scores.sum(axis=0))
        value -= own
        return value[:, None]

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = probabilities(raw)
        gradient[y, np.arange(len(y))] -= 1.0
        return gradient.T

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores, own = shifted_scores(raw), (y, np.arange(len(y)))
        own_score = scores[own]
        np.exp(scores, out=scores)
        total = scores.sum(axis=0)
        scores /= total
        scores[own] -= 1.0
        value = np.log(total, out=total)
        value -= own_score
        return value[:, None], scores.T

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        shares = dual.copy()
        shares[np.arange(len(y)), y] += 1.0
        return negative_entropy(shares)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        counts = np.bincount(y, weights=weights, minlength=n_outputs or 0)
        return centred_scores(counts / weights.sum())
