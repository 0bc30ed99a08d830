"""Names of the formulas that compiled loops know; importing this imports no compiler."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class LossFormula(IntEnum):
    """A loss per row, as `skgrad._kernels.losses` computes it."""

    LOGISTIC = 0
    MULTINOMIAL = 1
    HINGE = 2
    SQUARED_HINGE = 3
    HUBER = 4
    QUANTILE = 5
    EPSILON_INSENSITIVE = 6
    SQUARED_EPSILON_INSENSITIVE = 7
    POISSON = 8


class UpdateFormula(IntEnum):
    """An update by a mini-batch's gradient, as `skgrad._kernels.updates` computes it."""

    SGD = 0
    ADAGRAD = 1
    RMSPROP = 2
    ADAM = 3
    ADADELTA = 4
    ADAMAX = 5
    AMSGRAD = 6
    NADAM = 7


class CompiledLoss(NamedTuple):
    """A loss's formula and its hyper-parameter, if it has one."""

    formula: LossFormula
    parameter: float = 0.0


class CompiledUpdate(NamedTuple):
    """A solver's formula and its hyper-parameters, in the order in which the loop reads them."""

    formula: UpdateFormula
    parameters: tuple[float, ...]

    @property
    def is_plain(self) -> bool:
        """Whether a coordinate moves only if its gradient is not zero."""
        return self.formula == UpdateFormula.SGD and self.parameters[0] == 0.0


def nesterov_shares(beta: float, decay: float, t: int) -> tuple[float, float]:
    """Compute the factors of gradient and mean in Nadam's t-th update; compiled loops use it, too.

    The product of the momenta, each at most beta, no longer counts after some forty updates for
    beta = 0.9, so that this costs no more in late updates than in early ones.
    """
    product, k = 1.0, 0
    while k < t and product > 1e-17:
        k += 1
        product *= beta * (1.0 - 0.5 * 0.96 ** (decay * k))
    now = beta * (1.0 - 0.5 * 0.96 ** (decay * t))
    ahead = beta * (1.0 - 0.5 * 0.96 ** (decay * (t + 1)))
    return (1.0 - now) / (1.0 - product), ahead / (1.0 - product * ahead)
