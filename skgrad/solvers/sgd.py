"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledUpdate, UpdateFormula
from skgrad._typing import FloatArray
from skgrad.objective import Objective
from skgrad.schedules import Schedule
from skgrad.solvers._stochastic import Moments, StochasticSolver, batch_smoothness


class SGD(StochasticSolver):
    r"""Mini-batch stochastic gradient descent.

    .. math:: v_t = \beta v_{t-1} - \eta_t g_t, \qquad w_{t+1} = w_t + v_t

    with :math:`g_t` the gradient of a mini-batch; Nesterov's form moves by
    :math:`\beta v_t - \eta_t g_t`. One iteration is one pass over the data.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step size :math:`\eta`. "auto" is :math:`(1 - \beta) / L` with the curvature L that batches
        of this size see, raised while the loss falls and then halved whenever it stops falling.
    batch_size : int or "auto", default="auto"
        Rows per update: 1 is stochastic, n_samples is batch gradient descent; "auto" makes about
        100 updates an epoch with 32 to 1024 rows each.
    momentum : float in [0, 1), default=0.0
        Momentum factor :math:`\beta`.
    nesterov : bool, default=False
        Whether to look ahead along the momentum.
    shuffle : bool, default=True
        Whether to visit the rows in a new random order every epoch.
    clip : float, ("norm", float), ("value", float), ("adaptive", float) or None, default=None
        Largest norm (a float means norm) or largest absolute entry of a batch's gradient; for
        networks also the largest norm of a unit's gradient relative to that of its weights.
    average : bool, default=False
        Whether to return the average of the iterates, recent ones weighing more, which removes most
        of the noise of a large step.
    weight_decay : float, default=0.0
        For networks: every update also shrinks the weights by the share
        :math:`\eta_t \cdot` `weight_decay`, whatever their gradient is (decoupled decay).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgrad import LogisticRegression
    >>> from skgrad.solvers import SGD
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=SGD(momentum=0.9), random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.95)
    True

    References
    ----------
    R. Gower, N. Loizou, X. Qian, A. Sailanbayev, E. Shulgin and P. Richtarik (2019). SGD: general
    analysis and improved rates. ICML 2019, proposition 3.8.

    I. Loshchilov and F. Hutter (2019). Decoupled weight decay regularization. ICLR 2019.

    A. Brock, S. De, S. Smith and K. Simonyan (2021). High-performance large-scale image recognition
    without normalization. ICML 2021, equation 3 (adaptive clipping).

    O. Shamir and T. Zhang (2013). Stochastic gradient descent for non-smooth optimization. ICML
    2013, section 4 (polynomial-decay averaging).
    """

    name = "sgd"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterov": ["boolean"],
    }

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        batch_size: int | str = "auto",
        momentum: float = 0.0,
        nesterov: bool = False,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.momentum = momentum
        self.nesterov = nesterov
        self.shuffle = shuffle
        self.clip = clip
        self.average = average
        self.weight_decay = weight_decay

    def init_moments(self, w: FloatArray) -> Moments:
        """Build the velocity."""
        return (np.zeros_like(w),) if self.momentum else ()

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, float, Moments]:
        """Move by the velocity."""
        plain = -learning_rate * gradient
        if not self.momentum:
            return plain, learning_rate, moments
        velocity = self.momentum * moments[0] + plain
        displacement = self.momentum * velocity + plain if self.nesterov else velocity
        return displacement, learning_rate, (velocity,)

    def compiled_update(self) -> CompiledUpdate:
        """Name the formula and its parameters."""
        return CompiledUpdate(UpdateFormula.SGD, (self.momentum, float(self.nesterov)))

    def automatic_rate(self, objective: Objective, w: FloatArray, batch_size: int) -> float:
        """Divide by the curvature that batches see; momentum multiplies steps by 1 / (1 - beta)."""
        return (1.0 - self.momentum) / batch_smoothness(objective, w, batch_size)
