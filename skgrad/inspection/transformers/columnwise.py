"""Steps that work on each column alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local
from skgrad.inspection.chain.columns import dense


def columnwise(value: Any, X: Any, slope: Callable[[FloatArray], FloatArray]) -> Local:
    """Multiply cotangents by the slope of each entry; a missing entry does not move anything."""

    @cache
    def slopes() -> FloatArray:
        data = dense(X)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(np.isnan(data), 0.0, slope(data))

    return Local(value, lambda cotangent: cotangent * slopes(), np.arange(X.shape[1]))
