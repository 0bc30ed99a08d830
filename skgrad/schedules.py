"""Schedules: how the learning rate changes as training goes on."""

from abc import ABC, abstractmethod
from math import cos, floor, pi
from numbers import Real
from typing import Any, ClassVar, TypeAlias, final

from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._parameters import Parameterized, unknown_name

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "Schedule",
    "StepDecay",
    "get_schedule",
]

# Share of the rate at which warm-up starts. From 0, the first update would not move, and a
# stop rule that looks at progress could take that for convergence.
_WARMUP_START = 0.1

Rate: TypeAlias = float | str  # a number or "auto"
Constraints: TypeAlias = dict[str, list[Any]]

_POSITIVE = [Interval(Real, 0, None, closed="neither")]
_FRACTION = [Interval(Real, 0, 1, closed="both")]
_POSITIVE_FRACTION = [Interval(Real, 0, 1, closed="right")]


class Schedule(Parameterized, ABC):
    """Learning rate as a function of training time.

    Time is counted in epochs, fractions included (updates made / updates per epoch), so that a
    schedule means the same for every batch size. With warm-up, of W epochs::

        rate(t) = initial multiplier(0, N - W) (0.1 + 0.9 t / W)    for t < W
                  initial multiplier(t - W, N - W)                  from then on

    Parameters
    ----------
    initial : float or "auto", default="auto"
        Learning rate that `multiplier` multiplies. With "auto" the solver derives it from the
        smoothness of the objective.
    warmup : float, default=0
        Epochs during which the rate rises linearly; the schedule proper starts after them.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour",
    arXiv:1706.02677v2, 2018, section 2.2 (warm-up).
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "initial": [*_POSITIVE, StrOptions({"auto"})],
        "warmup": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, initial: Rate = "auto", *, warmup: float = 0) -> None:
        self.initial = initial
        self.warmup = warmup

    @abstractmethod
    def multiplier(self, epoch: float, n_epochs: float) -> float:
        """Fraction of the initial rate at a time, without warm-up.

        Parameters
        ----------
        epoch : float
            Epochs done, fractions included. It may exceed `n_epochs`.
        n_epochs : float
            Epochs planned.
        """

    @final
    def rate(self, initial: float, epoch: float, n_epochs: float) -> float:
        """Learning rate at a time, with warm-up.

        Parameters
        ----------
        initial : float
            Value of the parameter `initial`, or what the solver found for "auto".
        epoch, n_epochs : float
            As for `multiplier`.
        """
        if epoch < self.warmup:
            ramp = _WARMUP_START + (1.0 - _WARMUP_START) * epoch / self.warmup
            epoch = self.warmup
        else:
            ramp = 1.0
        return float(initial * ramp * self.multiplier(epoch - self.warmup, n_epochs - self.warmup))


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

    _parameter_constraints: ClassVar[Constraints] = {"power": _POSITIVE, "offset": _POSITIVE}

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
        "factor": _POSITIVE_FRACTION,
        "every": _POSITIVE,
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

    _parameter_constraints: ClassVar[Constraints] = {"decay": _POSITIVE_FRACTION}

    def __init__(self, initial: Rate = "auto", *, decay: float = 0.95, warmup: float = 0) -> None:
        super().__init__(initial, warmup=warmup)
        self.decay = decay

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return float(self.decay**epoch)


class Cosine(Schedule):
    r"""Half a cosine wave down to the end of training.

    .. math:: multiplier(t) = final + (1 - final) (1 + \cos(\pi \min(t / N, 1))) / 2

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.
    final : float, default=0.0
        Fraction of the initial rate at the end, in [0, 1].

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
    arXiv:1608.03983v5, ICLR 2017, equation (5), without restarts.

    Examples
    --------
    >>> from skgrad.schedules import Cosine
    >>> [round(Cosine().multiplier(epoch, 10), 3) for epoch in (0, 5, 10)]
    [1.0, 0.5, 0.0]
    """

    _parameter_constraints: ClassVar[Constraints] = {"final": _FRACTION}

    def __init__(self, initial: Rate = "auto", *, final: float = 0.0, warmup: float = 0) -> None:
        super().__init__(initial, warmup=warmup)
        self.final = final

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return _half_cosine(1.0, self.final, _progress(epoch, n_epochs))


class OneCycle(Schedule):
    """One rise to a large rate and one long fall, each half a cosine wave.

    ::

        multiplier(t) = start + (1 - start) (1 - cos(pi p / peak_at)) / 2    for p < peak_at
                        final + (1 - final) (1 + cos(pi (p - peak_at) / (1 - peak_at))) / 2

    with p = min(t / N, 1).

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`; the initial rate is the one at the peak.
    peak_at : float, default=0.3
        Fraction of training done at the peak, in (0, 1).
    start : float, default=0.04
        Fraction of the peak rate at the start, in (0, 1].
    final : float, default=1e-4
        Fraction of the peak rate at the end, in [0, 1].

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using
    large learning rates", arXiv:1708.07120v3, 2018.

    Examples
    --------
    >>> from skgrad.schedules import OneCycle
    >>> [round(OneCycle().multiplier(epoch, 10), 4) for epoch in (0, 3, 10)]
    [0.04, 1.0, 0.0001]
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "peak_at": [Interval(Real, 0, 1, closed="neither")],
        "start": _POSITIVE_FRACTION,
        "final": _FRACTION,
    }

    def __init__(
        self,
        initial: Rate = "auto",
        *,
        peak_at: float = 0.3,
        start: float = 0.04,
        final: float = 1e-4,
        warmup: float = 0,
    ) -> None:
        super().__init__(initial, warmup=warmup)
        self.peak_at = peak_at
        self.start = start
        self.final = final

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        progress = _progress(epoch, n_epochs)
        if progress < self.peak_at:
            return _half_cosine(self.start, 1.0, progress / self.peak_at)
        return _half_cosine(1.0, self.final, (progress - self.peak_at) / (1.0 - self.peak_at))


def _progress(epoch: float, n_epochs: float) -> float:
    """Share of the planned epochs that is done, at most 1."""
    return epoch / n_epochs if epoch < n_epochs else 1.0


def _half_cosine(first: float, last: float, progress: float) -> float:
    """Way from first to last along half a cosine wave."""
    return float(last + (first - last) * 0.5 * (1.0 + cos(pi * progress)))


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "inverse_scaling": InverseScaling,
    "step_decay": StepDecay,
    "exponential": Exponential,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}


def get_schedule(schedule: Rate | Schedule) -> Schedule:
    """Turn a number or a name into a schedule; a schedule object is checked and kept.

    Parameters
    ----------
    schedule : float, str or Schedule
        A constant rate; "auto", for a constant rate that the solver finds; a key of
        `SCHEDULES`, with its default parameters; or an object.

    Returns
    -------
    Schedule

    Raises
    ------
    ValueError
        If the name is unknown, with the known ones and the closest match, or a parameter is
        out of range.

    Examples
    --------
    >>> from skgrad.schedules import get_schedule
    >>> get_schedule(0.1)
    Constant(initial=0.1)
    >>> get_schedule("cosine")
    Cosine()
    """
    result: Schedule
    if isinstance(schedule, Schedule):
        result = schedule
    elif isinstance(schedule, str) and schedule in SCHEDULES:
        result = SCHEDULES[schedule]()
    elif schedule == "auto" or (isinstance(schedule, Real) and not isinstance(schedule, bool)):
        result = Constant(schedule)
    else:
        alternatives = "a number, 'auto', a Schedule object"
        raise unknown_name("learning rate schedule", schedule, SCHEDULES, alternatives)
    result.validate()
    return result
