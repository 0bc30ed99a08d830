"""Natural gradient descent."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.network_objective import NetworkObjective
from skgrad.objective import Objective
from skgrad.row_epochs import Plan, Walk
from skgrad.schedules import Schedule, get_schedule
from skgrad.solvers._base import Run
from skgrad.solvers._kronecker_updates import KroneckerSettings, KroneckerUpdates
from skgrad.solvers._stochastic import Moments, StochasticSolver


class NaturalGradient(StochasticSolver):
    r"""Stochastic gradient descent in the geometry of the predicted distribution.

    .. math:: d_t = -(\hat{F}_t + \lambda I)^{-1} g_t, \qquad
              w_{t+1} = w_t + \eta_t d_t + \beta_t (w_t - w_{t-1})

    The Fisher information F is approximated, for networks (``curvature="kfac"``), by a Kronecker
    product for each layer, of the second moments of its inputs and of the gradients with respect to
    its pre-activations; gains, shifts and scales of inputs get their diagonal. Second moments of
    gradients are exact for a single output; for more, the curvature of the loss is sampled with
    random signs. Both are averaged over batches, decomposed every few updates and damped by
    :math:`\lambda` in the basis of their eigenvectors, which is exact.

    Parameters
    ----------
    learning_rate : float, schedule, name of a schedule or "auto", default="auto"
        Step size :math:`\eta`. With "auto", :math:`\eta` and :math:`\beta` minimise the quadratic
        model of the batch, with its exact Gauss-Newton matrix; a step that raises the batch's loss
        is not made, and the damping adapts to how well the model predicts. A schedule whose initial
        rate is "auto" multiplies the step of the model.
    curvature : {"kfac"}, default="kfac"
        Approximation of the Fisher information.
    batch_size : int or "auto", default="auto"
        Rows per update; see `SGD`. Larger batches than for first-order solvers pay.
    momentum : float in [0, 1), default=0.9
        Momentum factor :math:`\beta`; with ``learning_rate="auto"`` 0 turns it off, and any other
        number leaves it to the model.
    damping : float, default=1e-3
        :math:`\lambda`, in units of the curvature of the mean loss; with ``learning_rate="auto"``
        where it starts.
    decay : float in [0, 1), default=0.95
        Memory of the factors.
    update_every : int, default=10
        Updates from one set of factors to the next.
    kl_clip : float, default=1e-3
        Where the learning rate is given: bound of :math:`\eta^2 g^T d`, twice the divergence that a
        step may cause between predicted distributions.
    shuffle, clip, average, weight_decay
        As in `SGD`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgrad.neural_network import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier((30,), "tanh", solver="natural_gradient", max_iter=40, tol=0.1)
    >>> bool(clf.fit(X / 16, y).score(X / 16, y) > 0.95)
    True

    References
    ----------
    S. Amari (1998). Natural gradient works efficiently in learning. Neural Computation 10(2).

    J. Martens and R. Grosse (2015). Optimizing neural networks with Kronecker-factored approximate
    curvature. ICML 2015, arXiv:1503.05671v7, sections 6.4, 6.5 and 7.

    J. Ba, R. Grosse and J. Martens (2017). Distributed second-order optimization using
    Kronecker-factored approximations. ICLR 2017, section 5 (clipping).
    """

    name = "natural_gradient"
    first_order: ClassVar[bool] = False
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LAYERS, Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "curvature": [StrOptions({"kfac"})],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "damping": [Interval(Real, 0, None, closed="neither")],
        "decay": [Interval(Real, 0, 1, closed="left")],
        "update_every": [Interval(Integral, 1, None, closed="left")],
        "kl_clip": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        learning_rate: float | str | Schedule = "auto",
        *,
        curvature: str = "kfac",
        batch_size: int | str = "auto",
        momentum: float = 0.9,
        damping: float = 1e-3,
        decay: float = 0.95,
        update_every: int = 10,
        kl_clip: float = 1e-3,
        shuffle: bool = True,
        clip: float | tuple[str, float] | None = None,
        average: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        self.curvature = curvature
        self.batch_size = batch_size
        self.momentum = momentum
        self.damping = damping
        self.decay = decay
        self.update_every = update_every
        self.kl_clip = kl_clip
        self.shuffle = shuffle
        self.clip = clip
        self.average = average
        self.weight_decay = weight_decay

    def init_moments(self, w: FloatArray) -> Moments:
        """Build what `KroneckerUpdates` starts from."""
        return np.zeros_like(w), np.array([self.damping, self.damping], float)

    def network_updates(
        self, objective: NetworkObjective, walk: Walk, plan: Plan, run: Run
    ) -> KroneckerUpdates:
        """Build the updates of an epoch."""
        assert run.rng is not None
        automatic = get_schedule(self.learning_rate).initial == "auto"
        settings = KroneckerSettings(
            float(self.damping), float(self.decay), int(self.update_every), float(self.kl_clip),
            plane=automatic, momentum=self.momentum > 0.0,
        )  # fmt: skip
        return KroneckerUpdates(self.update, settings, objective, walk, run.rng)

    def update(
        self, gradient: FloatArray, moments: Moments, t: int, learning_rate: float
    ) -> tuple[FloatArray, float, Moments]:
        """Move by the velocity; the gradient is the natural one."""
        velocity = self.momentum * moments[0] - learning_rate * gradient
        return velocity, learning_rate, (velocity, *moments[1:])

    def automatic_rate(self, objective: Objective, gradient: FloatArray, batch_size: int) -> float:
        """Take the step of the model as it is."""
        return 1.0
