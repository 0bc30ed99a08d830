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


def _sigmoid_slope(z: FloatArray) -> FloatArray:
    slope: FloatArray = expit(z) * expit(-z)
    return slope


EXP = Elementwise(np.exp, np.exp)
SIGMOID = Elementwise(expit, _sigmoid_slope)
LOG_SIGMOID = Elementwise(log_expit, lambda z: expit(-z))
# What the probabilities of classifiers are, and their logarithms, for one and for several raw
# predictions.
CLASS_LINKS: dict[tuple[str, bool], Link] = {
    ("predict_proba", True): TwoClasses(SIGMOID),
    ("predict_proba", False): Softmax(),
    ("predict_log_proba", True): TwoClasses(LOG_SIGMOID),
    ("predict_log_proba", False): LogSoftmax(),
}
