"""Links: responses as functions of raw predictions, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Link

# A softmax has poles at a distance of pi from the real axis of differences between its inputs: over
# panels of 5 the error of 16 Gauss-Legendre nodes is about 2.9^-32 = 2e-15.
PANEL, N_NODES, MAX_PANELS = 5.0, 16, 128
# Below this length the secant loses more digits to cancellation than the slope in the middle to
# curvature: both errors are near 1e-10.
SHORT = 1e-5


class Quadrature(Link):
    """A link whose average slope along a line is found by quadrature."""

    def mean_pull(self, start: FloatArray, end: FloatArray, cotangent: FloatArray) -> FloatArray:
        """Integrate `pull` over panels short enough for the rule."""
        length = float(np.ptp(end - start, axis=1).max(initial=0.0))
        n_panels = min(MAX_PANELS, 1 + int(length / PANEL))
        nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
        total = np.zeros_like(start)
        for panel in range(n_panels):
            for node, weight in zip(nodes, weights, strict=True):
                t = (panel + 0.5 * (1.0 + node)) / n_panels
                total += 0.5 * weight / n_panels * self.pull(start + t * (end - start), cotangent)
        return total


class Softmax(Quadrature):
    """Class probabilities of K raw predictions: exp(z_k) / sum_j exp(z_j)."""

    def value(self, raw: FloatArray) -> FloatArray:
        probabilities: FloatArray = softmax(raw, axis=1)
        return probabilities

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        p = softmax(raw, axis=1)
        pulled: FloatArray = p * (cotangent - (p * cotangent).sum(axis=1, keepdims=True))
        return pulled


class LogSoftmax(Quadrature):
    """Logarithms of class probabilities."""

    def value(self, raw: FloatArray) -> FloatArray:
        logarithms: FloatArray = log_softmax(raw, axis=1)
        return logarithms

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        pulled: FloatArray = cotangent - softmax(raw, axis=1) * cotangent.sum(axis=1, keepdims=True)
        return pulled


class Elementwise(Link):
    """A function of each raw prediction alone: identity, exp, a sigmoid for each label.

    Parameters
    ----------
    function, slope : callable
        The function and its derivative.
    """

    def __init__(
        self,
        function: Callable[[FloatArray], FloatArray],
        slope: Callable[[FloatArray], FloatArray],
    ) -> None:
        self.function, self.slope = function, slope

    def value(self, raw: FloatArray) -> FloatArray:
        return self.function(raw)

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        return self.slope(raw) * cotangent

    def mean_pull(self, start: FloatArray, end: FloatArray, cotangent: FloatArray) -> FloatArray:
        """Compute the slope of the secant, (f(end) - f(start)) / (end - start)."""
        change = end - start
        near = np.abs(change) < SHORT
        secant = (self.function(end) - self.function(start)) / np.where(near, 1.0, change)
        mean: FloatArray = np.where(near, self.slope(0.5 * (start + end)), secant) * cotangent
        return mean


class TwoClasses(Link):
    """Responses of the classes 0 and 1 to one raw prediction z: f(-z) and f(z).

    Parameters
    ----------
    link : Elementwise
        The function f.
    """

    def __init__(self, link: Elementwise) -> None:
        self.link = link

    def value(self, raw: FloatArray) -> FloatArray:
        return np.hstack([self.link.value(-raw), self.link.value(raw)])

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        negative, positive = cotangent[:, :1], cotangent[:, 1:]
        return self.link.pull(raw, positive) - self.link.pull(-raw, negative)

    def mean_pull(self, start: FloatArray, end: FloatArray, cotangent: FloatArray) -> FloatArray:
        negative, positive = cotangent[:, :1], cotangent[:, 1:]
        return self.link.mean_pull(start, end, positive) - self.link.mean_pull(
            -start, -end, negative
        )


class Shares(Quadrature):
    """A function of each raw prediction, divided by the sum over all; uniform where that is 0.

    Parameters
    ----------
    link : Elementwise
        The function, not negative.
    """

    def __init__(self, link: Elementwise) -> None:
        self.link = link

    def value(self, raw: FloatArray) -> FloatArray:
        parts = self.link.value(raw)
        total = parts.sum(axis=1, keepdims=True)
        uniform = np.full_like(parts, 1.0 / parts.shape[1])
        return np.divide(parts, total, out=uniform, where=total != 0.0)

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        total = self.link.value(raw).sum(axis=1, keepdims=True)
        centred = cotangent - (self.value(raw) * cotangent).sum(axis=1, keepdims=True)
        slope = np.divide(centred, total, out=np.zeros_like(raw), where=total != 0.0)
        return self.link.pull(raw, slope)


class Logarithm(Quadrature):
    """The logarithms of another link's responses.

    Parameters
    ----------
    link : Link
        Gives positive responses.
    """

    def __init__(self, link: Link) -> None:
        self.link = link

    def value(self, raw: FloatArray) -> FloatArray:
        logarithms: FloatArray = np.log(self.link.value(raw))
        return logarithms

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        return self.link.pull(raw, cotangent / self.link.value(raw))


class Votes(Quadrature):
    r"""Scores of K classes made of the margins of all pairs of them.

    .. math:: f_k = v_k + \frac{s_k}{3 (|s_k| + 1)}

    with :math:`v_k` the pairs that class k wins, which are constant almost everywhere, and
    :math:`s_k` the sum of its margins, so that the derivative is that of the second term.

    Parameters
    ----------
    n_classes : int
        Number of classes. The pairs are (0, 1), (0, 2), ..., (1, 2), ...; a positive margin speaks
        for the second class.
    """

    def __init__(self, n_classes: int) -> None:
        first, second = np.triu_indices(n_classes, 1)
        pairs = np.arange(len(first))
        self.signs = np.zeros((len(first), n_classes))
        self.signs[pairs, first], self.signs[pairs, second] = -1.0, 1.0

    def value(self, raw: FloatArray) -> FloatArray:
        second_wins = (raw > 0.0).astype(np.float64)
        votes = second_wins @ (self.signs > 0.0) + (1.0 - second_wins) @ (self.signs < 0.0)
        total = raw @ self.signs
        scores: FloatArray = votes + total / (3.0 * (np.abs(total) + 1.0))
        return scores

    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        slope = 1.0 / (3.0 * np.square(np.abs(raw @ self.signs) + 1.0))
        pulled: FloatArray = (slope * cotangent) @ self.signs.T
        return pulled


def _sigmoid_slope(z: FloatArray) -> FloatArray:
    slope: FloatArray = expit(z) * expit(-z)
    return slope


IDENTITY = Elementwise(lambda z: z, np.ones_like)
EXP = Elementwise(np.exp, np.exp)
SIGMOID = Elementwise(expit, _sigmoid_slope)
LOG_SIGMOID = Elementwise(log_expit, lambda z: expit(-z))
LOG = Elementwise(np.log, lambda z: 1.0 / z)
# Probabilities of the modified Huber loss: (z + 1) / 2 between -1 and 1.
RAMP = Elementwise(
    lambda z: 0.5 * (np.clip(z, -1.0, 1.0) + 1.0), lambda z: np.where(np.abs(z) < 1.0, 0.5, 0.0)
)
# What the probabilities of classifiers are, and their logarithms, for one and for several raw
# predictions.
CLASS_LINKS: dict[tuple[str, bool], Link] = {
    ("predict_proba", True): TwoClasses(SIGMOID),
    ("predict_proba", False): Softmax(),
    ("predict_log_proba", True): TwoClasses(LOG_SIGMOID),
    ("predict_log_proba", False): LogSoftmax(),
}
