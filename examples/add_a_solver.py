"""Add a solver: one class, checked, and then used in any estimator and in grid search."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV

from skgrad import LogisticRegression
from skgrad.solvers import SGD, StochasticSolver
from skgrad.testing import check_solver


class Lion(StochasticSolver):
    """Move by the sign of a mean gradient (Chen et al. 2023, arXiv:2302.06675, algorithm 2)."""

    name = "lion"

    def __init__(
        self,
        learning_rate=0.01,
        *,
        beta_1=0.9,
        beta_2=0.99,
        batch_size="auto",
        shuffle=True,
        clip=None,
        average=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.clip = clip
        self.average = average

    def init_moments(self, w):
        """Start with a mean gradient of zero."""
        return (np.zeros_like(w),)

    def update(self, gradient, moments, t, learning_rate):
        """Return the displacement, the step size for the penalty, and the moments."""
        mean = self.beta_1 * moments[0] + (1 - self.beta_1) * gradient
        moments = (self.beta_2 * moments[0] + (1 - self.beta_2) * gradient,)
        step_sizes = learning_rate / np.maximum(np.abs(mean), learning_rate)
        return -learning_rate * np.sign(mean), step_sizes, moments

    def automatic_rate(self, objective, w, batch_size):
        """Move each coordinate by a hundredth."""
        return 0.01


if __name__ == "__main__":
    check_solver(Lion("cosine", batch_size=16), max_iter=500)
    X, y = load_breast_cancer(return_X_y=True)
    classifier = LogisticRegression(random_state=0, max_iter=300, tol=1e-2)
    grid = {"solver": [SGD(), Lion("cosine")], "C": [0.1, 1.0]}
    search = GridSearchCV(classifier, grid, cv=3, error_score="raise").fit(X, y)
    print(search.best_params_, f"{search.best_score_:.3f}")
