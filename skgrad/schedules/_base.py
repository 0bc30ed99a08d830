"""The contract of a schedule."""

from abc import ABC, abstractmethod
from numbers import Real
from typing import Any, ClassVar, TypeAlias, final

from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._parameters import Parameterized

# Share of the rate at which warm-up starts. From 0, the first update would not move, and a
# stop rule that looks at progress could take that for convergence.
_WARMUP_START = 0.1

Rate: TypeAlias = float | str  # a number or "auto"
Constraints: TypeAlias = dict[str, list[Any]]

POSITIVE = [Interval(Real, 0, None, closed="neither")]
FRACTION = [Interval(Real, 0, 1, closed="both")]
POSITIVE_FRACTION = [Interval(Real, 0, 1, closed="right")]


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
        "initial": [*POSITIVE, StrOptions({"auto"})],
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

    def reaction(self, n_bad_epochs: int) -> float:
        """Factor of the rate after an epoch, given the epochs without progress; by default 1.

        A schedule that reacts is not a function of time alone: the solver keeps the product of the
        factors, and counts anew after each that is not 1.
        """
        return 1.0

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
