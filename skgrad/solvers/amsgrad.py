"""AMSGrad: Adam whose steps never grow."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad._typing import FloatArray
from skgrad.solvers._adam_family import AdamFamily
from skgrad.solvers._stochastic import Moments


class AMSGrad(AdamFamily):
    r"""Adam with the largest mean square so far, so that it also converges where Adam cycles.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              V_t = \beta_2 V_{t-1} + (1 - \beta_2) g_t^2, \qquad
              \hat V_t = \max(\hat V_{t-1}, V_t)

    .. math:: w_{t+1} = w_t - \eta_t
              \frac{m_t / (1 - \beta_1^t)}{\sqrt{\hat V_t / (1 - \beta_2^t)} + \epsilon}

    Adam forgets a rare large gradient after some :math:`1 / (1 - \beta_2)` updates, and may then
    move the wrong way for longer than the right one (section 3 of the paper). The corrections of
    the first updates' bias are those of Adam. A solver of its own, not an option of `Adam`: it has
    a name for grid searches, and remembers one array more.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`, as in `Adam`.
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
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="amsgrad", random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    S. Reddi, S. Kale and S. Kumar (2018). On the convergence of Adam and beyond. ICLR 2018,
    algorithm 2.
    """

    name = "amsgrad"
    n_moments: ClassVar[int] = 3

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Divide the mean by the largest root mean square."""
        mean = self.beta_1 * moments[0] + (1.0 - self.beta_1) * gradient
        mean_square = self.beta_2 * moments[1] + (1.0 - self.beta_2) * gradient * gradient
        largest = np.maximum(moments[2], mean_square)
        step_size = learning_rate / (np.sqrt(largest / (1.0 - self.beta_2**t)) + self.epsilon)
        displacement = -step_size / (1.0 - self.beta_1**t) * mean
        return displacement, step_size, (mean, mean_square, largest)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.AMSGRAD, (self.beta_1, self.beta_2, self.epsilon))
