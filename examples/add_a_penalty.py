"""Add a penalty: one class, checked, and then minimised with any solver that takes it."""

import numpy as np

from skgrad.penalties import Penalty
from skgrad.solvers import minimize
from skgrad.testing import check_penalty


class LargestEntry(Penalty):
    """alpha times the largest size of a coefficient: it makes large ones equal."""

    separable = False
    smooth = False
    strong_convexity = 0.0

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def value(self, coef):
        """Compute alpha max_j |coef_j|."""
        return self.alpha * float(np.abs(coef).max(initial=0.0))

    def gradient(self, coef):
        """Refuse: there is none."""
        self._require_smooth("gradient")

    def curvature(self, coef):
        """Refuse: there is none."""
        self._require_smooth("curvature")

    def prox(self, coef, step_size):
        """Subtract the projection onto the ball of the dual norm (Moreau's decomposition)."""
        return coef - self._into_ball(coef, np.max(step_size) * self.alpha)

    def conjugate(self, dual):
        """Be zero inside that ball."""
        return 0.0 if np.abs(dual).sum() <= self.alpha * (1 + 1e-12) else np.inf

    def dual_scaling(self, dual):
        """Scale a dual point into the ball."""
        return min(1.0, self.alpha / max(np.abs(dual).sum(), np.finfo(float).tiny))

    def minimum_norm_subgradient(self, coef, gradient):
        """Project -gradient onto the subdifferential: weights on the largest entries."""
        largest = np.isclose(np.abs(coef), np.abs(coef).max(initial=0.0), rtol=1e-9)
        if not coef.any():
            return gradient + self._into_ball(-gradient, self.alpha)
        pull = np.where(largest, -gradient * np.sign(coef), -np.inf)
        shares = np.maximum(pull - self._threshold(pull[largest], self.alpha), 0.0)
        return gradient + shares * np.sign(coef)

    def _into_ball(self, coef, radius):
        sizes = np.abs(coef)
        if sizes.sum() <= radius:
            return coef.copy()
        shrunk = np.maximum(sizes - self._threshold(sizes.ravel(), radius), 0.0)
        return (shrunk * np.sign(coef)).astype(coef.dtype)

    @staticmethod
    def _threshold(sizes, total):
        """Find t such that the parts of sizes above t sum up to total."""
        ordered = np.sort(sizes)[::-1]
        means = (np.cumsum(ordered) - total) / np.arange(1, len(ordered) + 1)
        return means[np.flatnonzero(ordered > means)[-1]]


if __name__ == "__main__":
    check_penalty(LargestEntry(0.7))
    target = np.array([3.0, -2.0, 0.5])
    for alpha in (0.1, 1.0, 2.0):
        result = minimize(
            lambda w: (0.5 * np.sum((w - target) ** 2), w - target),
            np.zeros(3), "proximal_gradient", penalty=LargestEntry(alpha),
        )  # fmt: skip
        print(alpha, result.x.round(3))
