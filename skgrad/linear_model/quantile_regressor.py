"""Quantile regression, with scikit-learn's name, parameters and objective."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad.linear_model._familiar import FamiliarRegressor
from skgrad.linear_model._regressor import LossRegressor
from skgrad.losses import Loss, Quantile
from skgrad.penalties import Penalty
from skgrad.penalties.mixed import elastic_net
from skgrad.solvers import Solver


class QuantileRegressor(FamiliarRegressor, LossRegressor):
    r"""Linear regression of a quantile, as `sklearn.linear_model.QuantileRegressor`.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \, PB_q(y_i - x_i' w - b)
              + \alpha |w|_1, \qquad PB_q(r) = \max(q r, (q - 1) r)

    with weights :math:`s`. Parameters and results are scikit-learn's, so that an import can be
    swapped; the solvers are skgrad's. It is
    ``LinearRegression(loss=Quantile(quantile), alpha=alpha, l1_ratio=1.0)``.

    Parameters
    ----------
    quantile : float, default=0.5
        Quantile to predict, strictly between 0 and 1.
    alpha : float, default=1.0
        Strength of the L1 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    solver : "auto", str or Solver, default="auto"
        A name, an object of `skgrad.solvers`, or "auto". Every solver minimises the same objective.
        (scikit-learn's names, all of HiGHS, are refused; so there are no `solver_options`.)
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data).
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
    warm_start : bool, default=False
        Whether `fit` starts at the coefficients of the last fit.
    random_state : int, RandomState instance or None, default=None
        Source of the order of rows in stochastic solvers.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients.
    intercept_ : float
        Intercept; 0.0 without.
    feature_importances_ : ndarray of shape (n_features,)
        Sensitivity of the raw prediction to a standard deviation of each feature, in sum one.
    n_iter_ : int
        Iterations made.
    converged_, optimality_gap_, gap_is_certified_, history_, solver_, n_features_in_,
    feature_names_in_
        As in `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad import QuantileRegressor
    >>> X, y = np.arange(10.0)[:, None], np.arange(10.0)
    >>> y[7] = 1000.0
    >>> QuantileRegressor(quantile=0.5, alpha=0.0).fit(X, y).predict([[7.0]]).round(3)
    array([7.])

    References
    ----------
    R. Koenker (2005). Quantile Regression. Cambridge University Press, section 1.3.
    """

    _multi_output: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FamiliarRegressor._parameter_constraints,
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str | Solver = "auto",
        max_iter: int = 1000,
        tol: float = 1e-7,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state

    def _loss(self) -> Loss:
        return Quantile(self.quantile)

    def _penalty(self, n_outputs: int, total_weight: float) -> Penalty:
        return elastic_net(float(self.alpha), 1.0)
