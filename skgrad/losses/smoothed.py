"""Smoothing of losses with kinks."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss, Target

# Fraction of a unit slope by which two slopes must differ to tell a kink from a smooth piece.
KINK_TOLERANCE = 1e-6


class Smoothed(Loss):
    r"""Smooth approximation of a loss with kinks, from below.

    .. math:: value(y, z) = \min_u \; loss(y, u) + \frac{(u - z)^2}{2 \mu}
              = \max_\theta \; \theta z - loss^*(y, \theta) - \frac{\mu}{2} \theta^2

    The first form is Moreau's envelope, the second Nesterov's smoothing with a quadratic; they are
    the same function. It is below the loss by at most :math:`\mu / 2` times the largest squared
    slope (1 for the hinge, the absolute and the epsilon-insensitive error), has the same minimum,
    and curves by :math:`1 / \mu` at most. The absolute error becomes Huber's loss divided by
    :math:`\delta = \mu`, the hinge is rounded off between margins of :math:`1 - \mu` and 1.

    Every solver for smooth losses takes it. `Smoothing` is the solver that lets :math:`\mu` go to
    zero, for the minimum of the loss itself.

    Parameters
    ----------
    loss : Loss
        A loss with a proximal operator, such as `Hinge`, `AbsoluteError`, `Quantile` or
        `EpsilonInsensitive`.
    mu : float, default=0.1
        Width of the smoothing, in the unit of the raw prediction.

    References
    ----------
    Y. Nesterov (2005). Smooth minimization of non-smooth functions. Mathematical Programming 103,
    127-152, equation (2.5).

    J.-J. Moreau (1965). Proximite et dualite dans un espace hilbertien. Bulletin de la Societe
    Mathematique de France 93, 273-299.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import LinearRegression
    >>> from skgrad.losses import Quantile, Smoothed
    >>> X, y = load_diabetes(return_X_y=True)
    >>> smoothed = Smoothed(Quantile(0.9), mu=1.0)
    >>> upper = LinearRegression(smoothed, alpha=0.0, solver="lbfgs").fit(X, y)
    >>> bool(abs((y <= upper.predict(X)).mean() - 0.9) < 0.02)
    True
    """

    name: ClassVar[str] = "smoothed"
    smooth: ClassVar[bool] = True
    has_prox: ClassVar[bool] = True
    continuous_curvature: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [Loss],
        "mu": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, loss: Loss, mu: float = 0.1) -> None:
        self.loss = loss
        self.mu = mu

    def _check_values(self) -> None:
        """Refuse losses without a proximal operator."""
        if not self.loss.has_prox or self.loss.coupled or self.loss.repeats_target:
            raise ValueError(
                f"Smoothed needs a loss with a proximal operator, such as Hinge, AbsoluteError, "
                f"Quantile or EpsilonInsensitive; {type(self.loss).__name__} has none."
            )

    @property
    def target(self) -> Target:  # type: ignore[override]
        """What `y` holds: the same as for the loss."""
        return self.loss.target

    @property
    def max_curvature(self) -> float:
        """1 / mu."""
        return 1.0 / float(self.mu)

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        return self.value_and_gradient(y, raw)[0]

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        mu = float(self.mu)
        return self.loss.clip_dual(y, (raw - self.loss.prox(y, raw, mu)) / mu)

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        mu = float(self.mu)
        point = self.loss.prox(y, raw, mu)
        gradient = (raw - point) / mu
        value = self.loss.value(y, point)
        value += (0.5 * mu) * gradient * gradient
        return value, gradient

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        """Slope of the gradient: 1 / mu where the proximal point sits at a kink of the loss."""
        mu = float(self.mu)
        point = self.loss.prox(y, raw, mu)
        slope = (raw - point) / mu
        kink = np.abs(slope - self.loss.gradient(y, point)) > KINK_TOLERANCE
        inner = self.loss.curvature(y, point)
        return np.where(kink, 1.0 / mu, inner / (1.0 + mu * inner)).astype(raw.dtype)

    def inverse_link(self, raw: FloatArray) -> FloatArray:
        return self.loss.inverse_link(raw)

    def clip_dual(self, y: Array, dual: FloatArray) -> FloatArray:
        return self.loss.clip_dual(y, dual)

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        return self.loss.conjugate(y, dual) + (0.5 * float(self.mu)) * dual * dual

    def prox(self, y: Array, raw: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Move by a share of the loss's own proximal step of length mu + step_size."""
        mu = float(self.mu)
        far = self.loss.prox(y, raw, mu + step_size)
        return raw + (step_size / (mu + step_size)) * (far - raw)

    def check_target(self, y: Array) -> None:
        self.loss.check_target(y)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        return np.asarray(self.loss.constant(y, weights, n_outputs=n_outputs), dtype=np.float64)
