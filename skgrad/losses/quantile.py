"""The quantile (pinball) loss."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array
from skgrad.losses._pinball import Pinball


class Quantile(Pinball):
    """Quantile loss, also called pinball or check loss.

    ::

        value(y, z) = quantile max(y - z, 0) + (1 - quantile) max(z - y, 0)

    It estimates the conditional quantile.

    Parameters
    ----------
    quantile : float, default=0.5
        Probability, in (0, 1), that the target lies below the prediction.

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Quantile
    >>> Quantile(0.75).value(np.zeros((2, 1)), np.array([[-1.0], [1.0]])).tolist()
    [[0.75], [0.25]]
    """

    name: ClassVar[str] = "quantile"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "quantile": [Interval(Real, 0, 1, closed="neither")]
    }

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.QUANTILE, self.quantile)

    def _quantile(self, like: Array) -> float:
        return float(self.quantile)
