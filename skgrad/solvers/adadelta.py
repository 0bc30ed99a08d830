"""Adadelta: steps in proportion to earlier steps."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad._typing import FloatArray
from skgrad.objective import Objective
from skgrad.schedules import Schedule
from skgrad.solvers._stochastic import Moments, StochasticSolver, displacement_scale


class Adadelta(StochasticSolver):
    r"""Gradients divided by their root mean square and multiplied by that of earlier steps.

    .. math:: V_t = \rho V_{t-1} + (1 - \rho) g_t^2, \qquad
              d_t = \sqrt{\frac{U_{t-1} + \epsilon}{V_t + \epsilon}} \, g_t, \qquad
              U_t = \rho U_{t-1} + (1 - \rho) d_t^2, \qquad
              w_{t+1} = w_t - \eta_t d_t

    The steps find their own size, beginning with some :math:`\sqrt{\epsilon}`. A non-smooth penalty
    enters by a proximal step with each coordinate's own step size.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Factor :math:`\eta` of all steps: 1 in the paper. "auto" makes the first step a tenth of the
        largest one-dimensional Newton step; it is raised while the loss falls, then halved.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    rho : float in [0, 1), default=0.9
        Memory of both mean squares.
    epsilon : float, default=1e-6
        Keeps the division safe, and starts the steps.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="adadelta", random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    M. Zeiler (2012). ADADELTA: an adaptive learning rate method. arXiv 1212.5701v1, algorithm 1.
    """

    name = "adadelta"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "rho": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        batch_size: int | str = "auto",
        rho: float = 0.9,
        epsilon: float = 1e-6,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.rho = rho
        self.epsilon = epsilon
        self.shuffle = shuffle
        self.clip = clip
        self.average = average
        self.weight_decay = weight_decay

    def init_moments(self, w: FloatArray) -> Moments:
        """Build the mean squares of gradients and of steps."""
        return np.zeros_like(w), np.zeros_like(w)

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Scale the gradient to the size of earlier steps."""
        mean_square = self.rho * moments[0] + (1.0 - self.rho) * gradient * gradient
        ratio = np.sqrt((moments[1] + self.epsilon) / (mean_square + self.epsilon))
        step = ratio * gradient
        steps = self.rho * moments[1] + (1.0 - self.rho) * step * step
        return -learning_rate * step, learning_rate * ratio, (mean_square, steps)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.ADADELTA, (self.rho, self.epsilon))

    def automatic_rate(self, objective: Objective, w: FloatArray, batch_size: int) -> float:
        """Divide a tenth of the longest way by the length of the first steps."""
        first = math.sqrt(self.epsilon / (1.0 - self.rho))
        return 0.1 * displacement_scale(objective, w) / first
