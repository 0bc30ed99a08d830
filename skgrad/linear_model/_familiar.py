"""What the regressors with scikit-learn's names share."""

from __future__ import annotations

from typing import Any, ClassVar

from skgrad._typing import FloatArray
from skgrad.linear_model._base import LinearEstimator
from skgrad.linear_model._regressor import LinearRegressor


class FamiliarRegressor(LinearRegressor):
    """Base of the regressors with scikit-learn's names, parameters and objectives.

    They leave out what `LinearRegression` has beyond scikit-learn: early stopping and streams.
    """

    early_stopping: ClassVar[bool] = False
    n_iter_no_change: ClassVar[int] = 5
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: LinearEstimator._parameter_constraints[name]
        for name in ("fit_intercept", "solver", "max_iter", "tol", "warm_start", "random_state")
    }

    def _coef_attributes(self, coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
        # A column of targets gives one row of coefficients but an array of one intercept.
        intercept = intercept[0] if self._flat else intercept
        return {
            "coef_": coef[0] if len(coef) == 1 else coef,
            "intercept_": intercept if self.fit_intercept else 0.0,
        }
