"""Nadam: Adam with Nesterov's momentum."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula, nesterov_shares
from skgrad._typing import FloatArray
from skgrad.schedules import Schedule
from skgrad.solvers._adam_family import AdamFamily
from skgrad.solvers._stochastic import Moments


class Nadam(AdamFamily):
    r"""Adam that looks ahead along its momentum, which grows in the first updates.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              V_t = \beta_2 V_{t-1} + (1 - \beta_2) g_t^2, \qquad
              \mu_t = \beta_1 (1 - 0.96^{\psi t} / 2)

    .. math:: w_{t+1} = w_t - \frac{\eta_t}{\sqrt{V_t / (1 - \beta_2^t)} + \epsilon}
              \left(\frac{1 - \mu_t}{1 - \mu_1 \cdots \mu_t} g_t
              + \frac{\mu_{t+1}}{1 - \mu_1 \cdots \mu_{t+1}} m_t\right)

    A non-smooth penalty enters by a proximal step with each coordinate's own step size.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`, as in `Adam`.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    beta_1 : float in [0, 1), default=0.9
        Memory of the mean gradient, and limit of the momentum :math:`\mu_t`.
    beta_2 : float in [0, 1), default=0.999
        Memory of the mean square.
    epsilon : float, default=1e-8
        Keeps the division safe.
    momentum_decay : float, default=0.004
        :math:`\psi`: the momentum rises from half of its limit within some
        :math:`25 / \psi` updates.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.solvers import Nadam
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=Nadam(beta_1=0.8), random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    T. Dozat (2016). Incorporating Nesterov momentum into Adam. ICLR 2016 workshop, algorithm 2 and
    the momentum schedule of its experiments.
    """

    name = "nadam"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "momentum_decay": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        batch_size: int | str = "auto",
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 0.004,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            learning_rate, batch_size=batch_size, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            shuffle=shuffle, clip=clip, average=average, weight_decay=weight_decay,
        )  # fmt: skip
        self.momentum_decay = momentum_decay

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Divide the gradient and the mean ahead of it by the root mean square."""
        mean = self.beta_1 * moments[0] + (1.0 - self.beta_1) * gradient
        mean_square = self.beta_2 * moments[1] + (1.0 - self.beta_2) * gradient * gradient
        root = np.sqrt(mean_square / (1.0 - self.beta_2**t)) + self.epsilon
        step_size = learning_rate / root
        own, ahead = nesterov_shares(self.beta_1, self.momentum_decay, t)
        return -step_size * (own * gradient + ahead * mean), step_size, (mean, mean_square)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        parameters = (self.beta_1, self.beta_2, self.epsilon, self.momentum_decay)
        return CompiledUpdate(UpdateFormula.NADAM, parameters)
