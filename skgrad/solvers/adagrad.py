"""AdaGrad: steps that shrink with the gradients met so far."""

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


class AdaGrad(StochasticSolver):
    r"""Adaptive subgradient method of Duchi, Hazan and Singer.

    .. math:: G_t = G_{t-1} + g_t^2, \qquad w_{t+1} = w_t - \frac{\eta_t}{\sqrt{G_t} + \epsilon} g_t

    coordinate by coordinate. Suits sparse data: rare features keep large steps.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step :math:`\eta`, in units of the (standardised) coefficients. "auto" is half the largest
        one-dimensional Newton step at the start, raised while the loss falls, then halved.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`.
    epsilon : float, default=1e-10
        Keeps the division safe.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="adagrad", random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer (2011). Adaptive subgradient methods for online learning and
    stochastic optimization. Journal of Machine Learning Research 12, 2121-2159, figure 1.
    """

    name = "adagrad"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.COORDINATE_STEPS})
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        batch_size: int | str = "auto",
        epsilon: float = 1e-10,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epsilon = epsilon
        self.shuffle = shuffle
        self.clip = clip
        self.average = average
        self.weight_decay = weight_decay

    def init_moments(self, w: FloatArray) -> Moments:
        """Build the sum of squared gradients."""
        return (np.zeros_like(w),)

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, FloatArray, Moments]:
        """Divide by the root of the sum of squares."""
        squares = moments[0] + gradient * gradient
        step_size = learning_rate / (np.sqrt(squares) + self.epsilon)
        return -step_size * gradient, step_size, (squares,)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.ADAGRAD, (self.epsilon,))

    def automatic_rate(self, objective: Objective, w: FloatArray, batch_size: int) -> float:
        """Start with half of the longest way that a coordinate seems to have to go."""
        return 0.5 * displacement_scale(objective, w)
