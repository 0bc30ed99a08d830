"""Rates that rise and fall along cosine waves, planned from the start to the end of training."""

from math import cos, floor, log, log1p, log2, pi
from numbers import Integral, Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval

from skgrad.schedules._base import (
    FRACTION,
    POSITIVE,
    POSITIVE_FRACTION,
    Constraints,
    Rate,
    Schedule,
)


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

    _parameter_constraints: ClassVar[Constraints] = {"final": FRACTION}

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
        "start": POSITIVE_FRACTION,
        "final": FRACTION,
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


class WarmRestarts(Schedule):
    r"""Half cosine waves one after the other, each beginning at the initial rate again.

    .. math:: multiplier(t) = final + (1 - final) (1 + \cos(\pi \, s / T_i)) / 2,
              \qquad T_i = period \cdot growth^i

    with s the epochs since the last restart.

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.
    period : float, default=10
        Epochs of the first wave.
    growth : float, default=2.0
        Factor from the length of a wave to that of the next, at least 1.
    final : float, default=0.0
        Fraction of the initial rate at the end of a wave, in [0, 1].

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
    arXiv:1608.03983v5, ICLR 2017, equation (5).

    Examples
    --------
    >>> from skgrad.schedules import WarmRestarts
    >>> schedule = WarmRestarts(period=4, growth=2)
    >>> [round(schedule.multiplier(epoch, 100), 3) for epoch in (0, 2, 4, 8, 12)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "period": POSITIVE,
        "growth": [Interval(Real, 1, None, closed="left")],
        "final": FRACTION,
    }

    def __init__(
        self, initial: Rate = "auto", *, period: float = 10, growth: float = 2.0,
        final: float = 0.0, warmup: float = 0,
    ) -> None:  # fmt: skip
        super().__init__(initial, warmup=warmup)
        self.period = period
        self.growth = growth
        self.final = final

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        if self.growth == 1.0:
            length, since = self.period, epoch % self.period
        else:
            # Wave i starts at period (growth^i - 1) / (growth - 1).
            wave = floor(log1p(epoch * (self.growth - 1.0) / self.period) / log(self.growth))
            length = self.period * self.growth**wave
            since = epoch - self.period * (self.growth**wave - 1.0) / (self.growth - 1.0)
        return _half_cosine(1.0, self.final, since / length)


class CosLog(Schedule):
    r"""Cosine waves that get longer, from a rate of zero to a rate of zero.

    .. math:: multiplier(t) = (1 - \cos(2 \pi \log_2(1 + (2^k - 1) \min(t / N, 1)))) / 2

    for k waves: each is twice as long as the one before. Tabular networks gain from it: late, long
    waves explore, and training may end at the end of any wave.

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`; the initial rate is the one at the peaks.
    n_cycles : int, default=4
        Number of waves k.

    References
    ----------
    D. Holzmueller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data", NeurIPS 2024, section 3 ("coslog4").

    Examples
    --------
    >>> from skgrad.schedules import CosLog
    >>> [round(CosLog(n_cycles=2).multiplier(epoch, 6), 3) for epoch in (0, 2, 6)]
    [0.0, 0.0, 0.0]
    >>> round(CosLog(n_cycles=4).multiplier(30, 100), 3)
    0.984
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "n_cycles": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, initial: Rate = "auto", *, n_cycles: int = 4, warmup: float = 0) -> None:
        super().__init__(initial, warmup=warmup)
        self.n_cycles = n_cycles

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        waves = log2(1.0 + (2.0**self.n_cycles - 1.0) * _progress(epoch, n_epochs))
        return 0.5 * (1.0 - cos(2.0 * pi * waves))


def _progress(epoch: float, n_epochs: float) -> float:
    """Share of the planned epochs that is done, at most 1."""
    return epoch / n_epochs if epoch < n_epochs else 1.0


def _half_cosine(first: float, last: float, progress: float) -> float:
    """Way from first to last along half a cosine wave."""
    return float(last + (first - last) * 0.5 * (1.0 + cos(pi * progress)))
