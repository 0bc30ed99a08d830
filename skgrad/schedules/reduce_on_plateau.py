"""A rate that falls when progress ends."""

from numbers import Integral
from typing import ClassVar

from sklearn.utils._param_validation import Interval

from skgrad.schedules._base import POSITIVE_FRACTION, Constraints, Rate, Schedule


class ReduceOnPlateau(Schedule):
    """A rate that is multiplied by a factor whenever the loss has stopped falling.

    ::

        rate <- factor rate    after `patience` epochs whose loss is not below the best one

    scikit-learn's ``learning_rate="adaptive"`` is ``ReduceOnPlateau(factor=0.2, patience=10)``.

    Parameters
    ----------
    initial, warmup : float
        As in `Schedule`.
    factor : float, default=0.5
        What the rate is multiplied by, in (0, 1].
    patience : int, default=5
        Epochs without progress that make a plateau.

    Examples
    --------
    >>> from skgrad.schedules import ReduceOnPlateau
    >>> schedule = ReduceOnPlateau(factor=0.1, patience=3)
    >>> [schedule.reaction(n_bad_epochs) for n_bad_epochs in (0, 2, 3)]
    [1.0, 1.0, 0.1]
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "factor": POSITIVE_FRACTION,
        "patience": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self, initial: Rate = "auto", *, factor: float = 0.5, patience: int = 5, warmup: float = 0
    ) -> None:
        super().__init__(initial, warmup=warmup)
        self.factor = factor
        self.patience = patience

    def multiplier(self, epoch: float, n_epochs: float) -> float:
        return 1.0

    def reaction(self, n_bad_epochs: int) -> float:
        return self.factor if n_bad_epochs >= self.patience else 1.0
