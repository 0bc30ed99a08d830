"""Power transforms of each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import boxcox
from scipy.stats import yeojohnson
from sklearn.preprocessing import PowerTransformer

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense, like
from skgrad.inspection.transformers.columnwise import columnwise

# Where a transform is compared with its formula, to find out how it is scaled after that.
POSITIVE = 10.0 ** np.arange(-12.0, 13.0, 2.0)
TRIALS = {
    "box-cox": np.concatenate([[1.0], POSITIVE]),
    "yeo-johnson": np.concatenate([[0.0], POSITIVE, -POSITIVE]),
}
LARGEST = 1e150  # scaled values of it are still far from overflow


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
    trials = TRIALS[step.method]
    function = boxcox if step.method == "box-cox" else yeojohnson
    lambdas = np.asarray(step.lambdas_, dtype=np.float64)
    with np.errstate(over="ignore"):
        before = np.stack([function(trials, power) for power in lambdas], axis=1)
    within = np.abs(before) < LARGEST
    points = np.where(within, trials[:, None], trials[0])
    before = np.where(within, before, before[0])
    after = dense(step.transform(like(X, points)))
    change, size = after - after[0], np.maximum(np.abs(after), np.abs(after[0]))
    best = np.divide(np.abs(change), size, out=np.zeros_like(size), where=size > 0.0).argmax(axis=0)
    every = np.arange(len(lambdas))
    factor: FloatArray = change[best, every] / (before[best, every] - before[0])
    return factor
