"""Add a loss: one class, checked, and then used in any regressor with any solver."""

from math import log

import numpy as np

from skgrad import LinearRegression
from skgrad.losses import Loss
from skgrad.testing import check_loss


class LogCosh(Loss):
    """log cosh(raw - y): squared error near the target, absolute error far from it."""

    name = "log_cosh"
    smooth = True
    target = "continuous"

    @property
    def max_curvature(self):
        """Second derivatives are at most one."""
        return 1.0

    def value(self, y, raw):
        """Compute log cosh r = r + log(1 + exp(-2 r)) - log 2, which does not overflow."""
        r = np.abs(raw - y)
        return r + np.log1p(np.exp(-2 * r)) - log(2)

    def gradient(self, y, raw):
        """Differentiate."""
        return np.tanh(raw - y)

    def curvature(self, y, raw):
        """Differentiate again."""
        return 1 - np.tanh(raw - y) ** 2

    def conjugate(self, y, dual):
        """Compute sup_z dual z - value(y, z): the duality gap needs it."""
        with np.errstate(divide="ignore", invalid="ignore"):
            up, down = (1 + dual) * np.log1p(dual), (1 - dual) * np.log1p(-dual)
        value = (np.where(dual > -1, up, 0) + np.where(dual < 1, down, 0)) / 2 + y * dual
        return np.where(np.abs(dual) <= 1, value, np.inf)

    def _constant(self, y, weights, n_outputs):
        """Start from a good constant prediction."""
        return np.average(y, axis=0, weights=weights)


if __name__ == "__main__":
    check_loss(LogCosh())
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.standard_t(df=2, size=500)  # heavy tails
    for solver in ("auto", "lbfgs", "adam"):
        model = LinearRegression(loss=LogCosh(), solver=solver, random_state=0, tol=1e-6)
        print(f"{solver:6}", model.fit(X, y).coef_.round(2))
