"""Power transforms of each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import boxcox
from scipy.stats import yeojohnson
from sklearn.preprocessing import PowerTransformer

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import like
from skgrad.inspection.transformers.columnwise import columnwise

# Where a transform is compared with its formula, to find out how it is scaled after that.
TRIALS = 1.0 + np.array([0.0, 1.0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e8, 1e12])


@transform_rule(PowerTransformer)
def power_transformer(step: Any, X: Any, walk: Walk) -> Local:
    r"""Differentiate Box and Cox's :math:`(x^\lambda - 1)/\lambda`, or Yeo and Johnson's.

    The latter's slope is :math:`(1 + |x|)^{\lambda - 1}` from 0 on and
    :math:`(1 + |x|)^{1 - \lambda}` below.
    """
    lambdas = np.asarray(step.lambdas_, dtype=np.float64)
    factor = scale_after(step, X) if step.standardize else 1.0

    def slope(x: FloatArray) -> FloatArray:
        if step.method == "box-cox":
            return factor * x ** (lambdas - 1.0)
        return factor * (1.0 + np.abs(x)) ** np.where(x >= 0.0, lambdas - 1.0, 1.0 - lambdas)

    return columnwise(step.transform(X), X, slope)


def scale_after(step: Any, X: Any) -> FloatArray:
    """Find the factor that standardises each transformed column; scikit-learn keeps it private.

    It is the ratio of differences, from the pair of points that loses the fewest digits.
    """
    points = np.tile(TRIALS[:, None], (1, step.n_features_in_))
    function = boxcox if step.method == "box-cox" else yeojohnson
    with np.errstate(over="ignore", invalid="ignore"):
        before = np.stack(
            [function(TRIALS, power) for power in step.lambdas_.astype(np.float64)], axis=1
        )
        after = np.asarray(step.transform(like(X, points)), dtype=np.float64)
        change = after - after[0]
        digits = np.abs(change) / np.maximum(np.abs(after), np.abs(after[0]))
    digits[~np.isfinite(before) | ~np.isfinite(digits)] = -1.0
    best, every = digits.argmax(axis=0), np.arange(len(step.lambdas_))
    factor: FloatArray = change[best, every] / (before[best, every] - before[0])
    return factor
