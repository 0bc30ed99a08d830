"""Several quantiles of each target at once."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skgrad._typing import Array, FloatArray
from skgrad.losses._pinball import Pinball


class MultiQuantile(Pinball):
    """Quantile losses of several quantiles, each predicted by a column of its own.

    ::

        value(y, z)_j = q_j max(y_j - z_j, 0) + (1 - q_j) max(z_j - y_j, 0)

    For T targets and Q quantiles `raw` and `y` have T Q columns, target by target: target 0 with
    all quantiles, then target 1. So y holds each target Q times; `repeat_target` builds it. Nothing
    keeps the predicted quantiles of a row in order; to sort them brings each distribution nearer
    to the true one, or leaves it as near [2]_.

    Parameters
    ----------
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        Probabilities in (0, 1), increasing.

    References
    ----------
    .. [1] R. Koenker and G. Bassett (1978). Regression quantiles. Econometrica 46(1).
    .. [2] V. Chernozhukov, I. Fernández-Val and A. Galichon (2010). Quantile and probability
       curves without crossing. Econometrica 78(3).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import MultiQuantile
    >>> loss = MultiQuantile((0.25, 0.75))
    >>> y = loss.repeat_target(np.array([[1.0], [2.0]]))
    >>> y.tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    >>> loss.value(y, np.zeros((2, 2))).tolist()
    [[0.25, 0.75], [0.5, 1.5]]
    """

    name: ClassVar[str] = "multi_quantile"
    repeats_target: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"quantiles": ["array-like"]}

    def __init__(self, quantiles: Sequence[float] = (0.1, 0.5, 0.9)) -> None:
        self.quantiles = quantiles

    def _check_values(self) -> None:
        quantiles = np.asarray(self.quantiles)
        increasing = quantiles.ndim == 1 and quantiles.size > 0 and quantiles.dtype.kind == "f"
        if not (increasing and np.all(np.diff(quantiles, prepend=0.0, append=1.0) > 0.0)):
            raise InvalidParameterError(
                "The 'quantiles' parameter of MultiQuantile must be increasing numbers in "
                f"(0.0, 1.0), at least one. Got {self.quantiles!r} instead."
            )

    def repeat_target(self, y: Array) -> Array:
        return np.repeat(y, len(self.quantiles), axis=1)

    def _quantile(self, like: Array) -> FloatArray:
        n_columns, n_quantiles = like.shape[1], len(self.quantiles)
        if n_columns % n_quantiles:
            raise ValueError(
                f"The {self.name} loss has {n_quantiles} quantiles, so that it needs a multiple of "
                f"{n_quantiles} columns, not {n_columns}."
            )
        return np.tile(np.asarray(self.quantiles, dtype=like.dtype), n_columns // n_quantiles)
