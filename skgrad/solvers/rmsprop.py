"""RMSProp: steps divided by a running root mean square of the gradients."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.schedules import Schedule
from skgrad.solvers._stochastic import Moments, StochasticSolver, displacement_scale


class RMSProp(StochasticSolver):
    r"""Gradient descent with a running root mean square of each coordinate's gradient.

    .. math:: V_t = \rho V_{t-1} + (1 - \rho) g_t^2, \qquad
              v_t = \beta v_{t-1} - \frac{\eta_t}{\sqrt{\hat V_t} + \epsilon} g_t, \qquad
              w_{t+1} = w_t + v_t

    with :math:`\hat V_t = V_t / (1 - \rho^t)`, so that the first steps are not too long.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`, in units of the (standardised) coefficients. "auto" is a tenth of the
        largest one-dimensional Newton step at the start, raised while the loss falls, then halved.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    rho : float in [0, 1), default=0.9
        Memory of the mean square.
    momentum : float in [0, 1), default=0.0
        Momentum factor :math:`\beta`.
    epsilon : float, default=1e-8
        Keeps the division safe.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="rmsprop", random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    T. Tieleman and G. Hinton (2012). Lecture 6.5, RMSProp. Coursera: Neural Networks for Machine
    Learning.
    """

    name = "rmsprop"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.COORDINATE_STEPS})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "rho": [Interval(Real, 0, 1, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        batch_size: int | str = "auto",
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-8,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.shuffle = shuffle
        self.clip = clip
        self.average = average
        self.weight_decay = weight_decay

    def init_moments(self, w: FloatArray) -> Moments:
        """Build the mean square and the velocity."""
        return np.zeros_like(w), np.zeros_like(w)

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Divide by the root mean square."""
        mean_square = self.rho * moments[0] + (1.0 - self.rho) * gradient * gradient
        root = np.sqrt(mean_square / (1.0 - self.rho**t)) + self.epsilon
        step_size = learning_rate / root
        velocity = self.momentum * moments[1] - step_size * gradient
        return velocity, step_size, (mean_square, velocity)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.RMSPROP, (self.rho, self.momentum, self.epsilon))

    def automatic_rate(self, objective: Objective, w: FloatArray, batch_size: int) -> float:
        """Start with a tenth of the longest way that a coordinate seems to have to go."""
        return 0.1 * (1.0 - self.momentum) * displacement_scale(objective, w)
