"""Adam: momentum divided by a running root mean square of the gradients."""

from __future__ import annotations

import numpy as np

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad._typing import FloatArray
from skgrad.solvers._adam_family import AdamFamily
from skgrad.solvers._stochastic import Moments


class Adam(AdamFamily):
    r"""Adaptive moment estimation of Kingma and Ba.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              V_t = \beta_2 V_{t-1} + (1 - \beta_2) g_t^2, \qquad
              w_{t+1} = w_t - \eta_t
              \frac{m_t / (1 - \beta_1^t)}{\sqrt{V_t / (1 - \beta_2^t)} + \epsilon}

    A non-smooth penalty enters by a proximal step with each coordinate's own step size, so that
    Adam settles at the minimum of the same objective as every other solver.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`, in units of the (standardised) coefficients. "auto" is a tenth of the
        largest one-dimensional Newton step at the start, raised while the loss falls, then halved.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    beta_1 : float in [0, 1), default=0.9
        Memory of the mean gradient.
    beta_2 : float in [0, 1), default=0.999
        Memory of the mean square.
    epsilon : float, default=1e-8
        Keeps the division safe.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.solvers import Adam
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=Adam(learning_rate="cosine"), max_iter=200, random_state=0)
    >>> bool(clf.fit(X, y).score(X, y) > 0.95)
    True

    References
    ----------
    D. Kingma and J. Ba (2015). Adam: a method for stochastic optimization. ICLR 2015 (arXiv
    1412.6980v9), algorithm 1.
    """

    name = "adam"

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Divide the mean by the root mean square."""
        mean = self.beta_1 * moments[0] + (1.0 - self.beta_1) * gradient
        mean_square = self.beta_2 * moments[1] + (1.0 - self.beta_2) * gradient * gradient
        root = np.sqrt(mean_square / (1.0 - self.beta_2**t)) + self.epsilon
        step_size = learning_rate / root
        return -step_size / (1.0 - self.beta_1**t) * mean, step_size, (mean, mean_square)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.ADAM, (self.beta_1, self.beta_2, self.epsilon))
