"""Importances of the features of linear models: coefficients in units of standard deviations."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skgrad._typing import FloatArray
from skgrad.importances import ColumnMoments, normalized
from skgrad.linear_model._problem import Problem
from skgrad.objective import Objective


class LinearImportances:
    """What gives a linear estimator ``feature_importances_``."""

    coef_: Any
    _deviations: FloatArray

    @property
    def feature_importances_(self) -> FloatArray:
        r"""Sensitivity of the raw prediction to each feature, in sum one.

        .. math:: importance_j \propto
                  sd(x_j) \; \frac{1}{K} \sum_k \left| \frac{\partial raw_k}{\partial x_j} \right|

        over K outputs; for a linear model the derivative is :math:`coef_{kj}`. The standard
        deviations are those of the training rows with their weights, in a stream those of all
        chunks. Zeros if no feature matters.

        Returns
        -------
        ndarray of shape (n_features,)
        """
        check_is_fitted(self)
        slopes = abs(self.coef_)  # after `sparsify` a sparse matrix
        slopes = slopes.mean(axis=0) if slopes.ndim == 2 else slopes
        return normalized(np.asarray(slopes, dtype=np.float64).ravel() * self._deviations)


def column_deviations(problem: Problem, objective: Objective) -> FloatArray:
    """Find the standard deviations of the columns: known as a rule, else by a pass over X."""
    known = objective.standardization.deviation
    if known is not None and objective.row_space is None:
        return known
    return ColumnMoments.of(problem.X, problem.sample_weight).deviation
