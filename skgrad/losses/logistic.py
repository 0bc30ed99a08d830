"""The logistic loss."""

from math import inf, log
from typing import ClassVar

import numpy as np
from scipy.special import expit, logit, xlogy

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target, border_tolerance
from skgrad.losses._statistics import FREQUENCY_MARGIN, weighted_mean


def _exp_minus_abs(raw: FloatArray) -> FloatArray:
    decay = np.abs(raw)
    np.negative(decay, out=decay)
    np.exp(decay, out=decay)
    return decay


class Logistic(Loss):
    """Logistic loss: the negative log-likelihood of a label of 0 or 1.

    ::

        value(y, z) = log(1 + exp(z)) - y z
                    = (max(z, 0) - y z) + log1p(exp(-|z|))

    The second form is the one computed: for y of 0 or 1 the bracket is exact, so that the loss
    of a sample far on its right side is tiny, not rounded to 0. Soft labels, between 0 and 1,
    are allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Logistic
    >>> y, raw = np.array([[0.0], [1.0], [1.0]]), np.array([[0.0], [40.0], [-1e4]])
    >>> [f"{value:.4g}" for value in Logistic().value(y, raw).ravel()]
    ['0.6931', '4.248e-18', '1e+04']
    """

    name: ClassVar[str] = "logistic"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "binary01"
    separated_below: ClassVar[float] = log(2.0)

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.LOGISTIC)

    @property
    def max_curvature(self) -> float:
        return 0.25

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        value = np.maximum(raw, 0.0)
        value -= y * raw
        log_term = _exp_minus_abs(raw)
        value += np.log1p(log_term, out=log_term)
        return value

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient: FloatArray = expit(raw)
        gradient -= y
        return gradient

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        decay, scratch = _exp_minus_abs(raw), y * raw
        value = np.maximum(raw, 0.0)
        value -= scratch
        value += np.log1p(decay, out=scratch)
        # expit(z) = exp(min(z, 0)) / (1 + exp(-|z|)): a second exponential is vectorised by
        # numpy, so that it costs a fraction of scipy's expit.
        gradient = np.minimum(raw, 0.0, out=scratch)
        np.exp(gradient, out=gradient)
        decay += 1.0
        gradient /= decay
        gradient -= y
        return value, gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        # p (1 - p) would round to 0 from z = 37 on, where p is 1.
        curvature = _exp_minus_abs(raw)
        total = 1.0 + curvature
        curvature /= total
        curvature /= total
        return curvature

    def inverse_link(self, raw: FloatArray) -> FloatArray:
        probability: FloatArray = expit(raw)
        return probability

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        shifted, tolerance = dual + y, border_tolerance(dual)
        inside = (shifted >= -tolerance) & (shifted <= 1.0 + tolerance)
        shifted = shifted.clip(0.0, 1.0)
        return np.where(inside, xlogy(shifted, shifted) + xlogy(1.0 - shifted, 1.0 - shifted), inf)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        frequency = weighted_mean(y, weights).clip(FREQUENCY_MARGIN, 1.0 - FREQUENCY_MARGIN)
        best: FloatArray = logit(frequency)
        return best
