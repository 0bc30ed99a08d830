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
