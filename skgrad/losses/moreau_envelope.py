"""The Moreau envelope of a loss: its smoothing, and the building block of augmented Lagrangians."""

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.losses._base import Loss
from skgrad.losses.smoothed import Smoothed


class MoreauEnvelope(Loss):
    r"""Smooth lower bound of a loss, at a shifted raw prediction.

    .. math:: value(y, z) = \min_u \; loss(y, u) + \frac{(u - z - shift)^2}{2\,width}

    Its gradient is :math:`(z + shift - u) / width` with the minimiser u, the proximal point. A
    row's shift is stored beside its target; `shifted_target` builds that array.

    Parameters
    ----------
    loss : Loss
        A loss with a proximal operator.
    width : float, default=1.0
        Width of the smoothing: the gradient's Lipschitz constant is 1 / width.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import AbsoluteError, MoreauEnvelope
    >>> huber = MoreauEnvelope(AbsoluteError(), width=1.0)  # the Huber loss
    >>> target = huber.shifted_target(np.zeros((2, 1)), np.zeros((2, 1)))
    >>> huber.value(target, np.array([[0.5], [3.0]])).tolist()
    [[0.125], [2.5]]

    References
    ----------
    N. Parikh and S. Boyd (2014). Proximal algorithms. Foundations and Trends in Optimization 1(3),
    section 3.1.
    """

    name = "moreau_envelope"
    smooth = True
    target = "continuous"
    continuous_curvature = False

    def __init__(self, loss: Loss, width: float = 1.0) -> None:
        self.loss = loss
        self.width = width

    @property
    def max_curvature(self) -> float:
        """1 / width."""
        return 1.0 / self.width

    def shifted_target(self, y: Array, shift: FloatArray) -> FloatArray:
        """Put targets and shifts side by side, shape (n_samples, 2 * n_outputs)."""
        return np.hstack([y, shift])

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        return self.value_and_gradient(y, raw)[0]

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        target, shifted = self._split(y, raw)
        return self._smoothed.gradient(target, shifted)

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        target, shifted = self._split(y, raw)
        return self._smoothed.value_and_gradient(target, shifted)

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        """Slope of the gradient: 1 / width where the proximal point sits at a kink of the loss."""
        target, shifted = self._split(y, raw)
        return self._smoothed.curvature(target, shifted)

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        target, shift = np.hsplit(y, 2)
        return self.loss.conjugate(target, dual) + dual * (0.5 * self.width * dual - shift)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        target, shift = np.hsplit(y, 2)
        return np.asarray(self.loss.constant(target, weights) - weights @ shift / weights.sum())

    @property
    def _smoothed(self) -> Smoothed:
        return Smoothed(self.loss, self.width)

    def _split(self, y: Array, raw: FloatArray) -> tuple[Array, FloatArray]:
        n_outputs = raw.shape[1]
        return y[:, :n_outputs], raw + y[:, n_outputs:]
