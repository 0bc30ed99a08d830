"""Rates that stay or fall as time goes on, whenever training is to end."""

from math import floor
from typing import ClassVar

from skgrad.schedules._base import POSITIVE, POSITIVE_FRACTION, Constraints, Rate, Schedule


class Constant(Schedule):
    """The same rate throughout.

    .. math:: multiplier(t) = 1

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.

    Examples
    --------
    >>> from skgrad.schedules import Constant
    >>> schedule = Constant(warmup=2)
    >>> [round(schedule.rate(0.1, epoch, 10), 3) for epoch in (0, 1, 2, 9)]
    [0.01, 0.055, 0.1, 0.1]
    """

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return 1.0


class InverseScaling(Schedule):
    """A power of time.

    .. math:: multiplier(t) = (1 + t / offset)^{-power}

    With a power in (1/2, 1] stochastic gradient descent converges without averaging.

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.
    power : float, default=0.5
        Exponent of the decay, positive.
    offset : float, default=1.0
        Epochs after which the rate has fallen by 2^power.

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", The Annals of Mathematical
    Statistics 22(3), 1951.

    Examples
    --------
    >>> from skgrad.schedules import InverseScaling
    >>> [InverseScaling(power=1.0).multiplier(epoch, 10) for epoch in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """

    _parameter_constraints: ClassVar[Constraints] = {"power": POSITIVE, "offset": POSITIVE}

    def __init__(
        self, initial: Rate = "auto", *, power: float = 0.5, offset: float = 1.0, warmup: float = 0
    ) -> None:
        super().__init__(initial, warmup=warmup)
        self.power = power
        self.offset = offset

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return float((1.0 + epoch / self.offset) ** -self.power)


class StepDecay(Schedule):
    r"""A fall at regular times.

    .. math:: multiplier(t) = factor^{\lfloor t / every \rfloor}

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.
    factor : float, default=0.5
        What the rate is multiplied by at each fall, in (0, 1].
    every : float, default=10
        Epochs between falls.

    Examples
    --------
    >>> from skgrad.schedules import StepDecay
    >>> [StepDecay(factor=0.5, every=10).multiplier(epoch, 30) for epoch in (0, 9.9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "factor": POSITIVE_FRACTION,
        "every": POSITIVE,
    }

    def __init__(
        self, initial: Rate = "auto", *, factor: float = 0.5, every: float = 10, warmup: float = 0
    ) -> None:
        super().__init__(initial, warmup=warmup)
        self.factor = factor
        self.every = every

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return float(self.factor ** floor(epoch / self.every))


class Exponential(Schedule):
    """Exponential decay.

    .. math:: multiplier(t) = decay^t

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.
    decay : float, default=0.95
        What the rate is multiplied by per epoch, in (0, 1].

    Examples
    --------
    >>> from skgrad.schedules import Exponential
    >>> [Exponential(decay=0.25).multiplier(epoch, 10) for epoch in (0, 0.5, 2)]
    [1.0, 0.5, 0.0625]
    """

    _parameter_constraints: ClassVar[Constraints] = {"decay": POSITIVE_FRACTION}

    def __init__(self, initial: Rate = "auto", *, decay: float = 0.95, warmup: float = 0) -> None:
        super().__init__(initial, warmup=warmup)
        self.decay = decay

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return float(self.decay**epoch)
