"""Adamax: momentum divided by a decaying maximum of the gradients."""

from __future__ import annotations

import numpy as np

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad._typing import FloatArray
from skgrad.solvers._adam_family import AdamFamily
from skgrad.solvers._stochastic import Moments


class Adamax(AdamFamily):
    r"""Adam with the infinity norm of past gradients in place of their root mean square.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon), \qquad
              w_{t+1} = w_t - \eta_t \frac{m_t / (1 - \beta_1^t)}{u_t}

    No step is much longer than the learning rate. A gradient that is large once shortens the steps
    for some :math:`1 / (1 - \beta_2)` updates. A non-smooth penalty enters by a proximal step with
    each coordinate's own step size.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`, as in `Adam`.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    beta_1 : float in [0, 1), default=0.9
        Memory of the mean gradient.
    beta_2 : float in [0, 1), default=0.999
        Decay of the maximum.
    epsilon : float, default=1e-8
        Keeps the division safe.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="adamax", random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    D. Kingma and J. Ba (2015). Adam: a method for stochastic optimization. ICLR 2015 (arXiv
    1412.6980v9), algorithm 2.
    """

    name = "adamax"

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Divide the mean by the maximum."""
        mean = self.beta_1 * moments[0] + (1.0 - self.beta_1) * gradient
        largest = np.maximum(self.beta_2 * moments[1], np.abs(gradient) + self.epsilon)
        step_size = learning_rate / largest
        return -step_size / (1.0 - self.beta_1**t) * mean, step_size, (mean, largest)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.ADAMAX, (self.beta_1, self.beta_2, self.epsilon))
