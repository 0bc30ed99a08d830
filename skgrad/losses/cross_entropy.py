"""Cross-entropy with probabilities as targets."""

from typing import ClassVar

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Target
from skgrad.losses._softmax import (
    Softmax,
    centred_scores,
    negative_entropy,
    probabilities,
    shifted_scores,
)
from skgrad.losses._statistics import weighted_mean

# By how much, in units of rounding per class, a row of probabilities may miss the sum 1.
SUM_ROUNDING = 16.0


class CrossEntropy(Softmax):
    """Cross-entropy of the predicted class probabilities relative to given ones.

    ::

        value(y, z) = log(sum_k exp(z_k)) - sum_k y_k z_k

    `y` has shape (n_samples, K), with rows that are not negative and sum to 1: smoothed labels,
    mixed rows, votes of several annotators. Where a row is 0 but for a 1, the value is that of
    `Multinomial`; elsewhere its infimum is the entropy of the row. The value has shape
    (n_samples, 1); arrays of raw's shape come in Fortran order.

    References
    ----------
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna (2016). Rethinking the Inception
    architecture for computer vision. CVPR, arXiv:1512.00567v3, section 7 (smoothed labels).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import CrossEntropy
    >>> loss, raw = CrossEntropy(), np.log([[1.0, 2.0, 1.0]])
    >>> loss.gradient(np.array([[0.5, 0.5, 0.0]]), raw).round(2).tolist()
    [[-0.25, 0.0, 0.25]]
    """

    name: ClassVar[str] = "cross_entropy"
    target: ClassVar[Target] = "probabilities"

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        scores = shifted_scores(raw)
        expected = _expectation(y, scores)
        np.exp(scores, out=scores)
        value = np.log(scores.sum(axis=0))
        value -= expected
        return value[:, None]

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = probabilities(raw)
        gradient -= y.T
        return gradient.T

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores = shifted_scores(raw)
        expected = _expectation(y, scores)
        np.exp(scores, out=scores)
        total = scores.sum(axis=0)
        scores /= total
        scores -= y.T
        value = np.log(total, out=total)
        value -= expected
        return value[:, None], scores.T

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        return negative_entropy(dual + y)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return centred_scores(weighted_mean(y, weights))

    def check_target(self, y: Array) -> None:
        if y.min() < 0.0:
            raise ValueError(
                f"The {self.name} loss needs probabilities, but y contains {y.min():g}."
            )
        total = y.sum(axis=1, dtype=np.float64)
        worst = int(np.abs(total - 1.0).argmax())
        tolerance = SUM_ROUNDING * y.shape[1] * float(np.finfo(y.dtype).eps)
        if abs(total[worst] - 1.0) > tolerance:
            raise ValueError(
                f"The {self.name} loss needs rows of probabilities, but row {worst} of y sums to "
                f"{total[worst]:g}."
            )


def _expectation(y: Array, scores: FloatArray) -> FloatArray:
    """Mean score of each sample under its target; `scores` has one row per class."""
    expected: FloatArray = np.einsum("ik,ki->i", y, scores)
    return expected
