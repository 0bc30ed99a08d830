"""Poisson regression, with scikit-learn's name, parameters and objective."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils._tags import Tags
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
)

from skgrad.linear_model._familiar import FamiliarRegressor
from skgrad.linear_model._regressor import LossRegressor
from skgrad.losses import Loss, Poisson
from skgrad.penalties import Penalty
from skgrad.penalties.mixed import elastic_net
from skgrad.solvers import Solver


class PoissonRegressor(FamiliarRegressor, LossRegressor):
    r"""Generalised linear model of counts, as `sklearn.linear_model.PoissonRegressor`.

    .. math:: \min_{w, b} \; \frac{1}{2 \sum_i s_i} \sum_i s_i \, d(y_i, \exp(x_i' w + b))
              + \frac{\alpha}{2} |w|_2^2, \qquad d(y, m) = 2 (y \log(y / m) - y + m)

    with weights :math:`s`. Parameters and results are scikit-learn's, so that an import can be
    swapped; the solvers are skgrad's. It is ``LinearRegression(loss="poisson", alpha=alpha)``,
    whose `score` is R2 instead of D2.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the L2 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    solver : "auto", str or Solver, default="auto"
        A name, an object of `skgrad.solvers`, or "auto". Every solver minimises the same objective.
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data).
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
        (scikit-learn's is a bound for the gradient.)
    warm_start : bool, default=False
        Whether `fit` starts at the coefficients of the last fit.
    verbose : int, default=0
        Without effect, here so that an import can be swapped; see `history_`, or
        ``set_callbacks(sklearn.callback.ProgressBar())``.
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
    >>> from skgrad import PoissonRegressor
    >>> X = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> y = np.array([1.0, 3.0, 5.0, 7.0])
    >>> PoissonRegressor(alpha=0.0).fit(X, y).predict([[0.0], [1.0]]).round(2)
    array([2., 6.])

    References
    ----------
    P. McCullagh and J. Nelder (1989). Generalized Linear Models, 2nd edition, chapter 6.
    """

    _multi_output: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FamiliarRegressor._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str | Solver = "auto",
        max_iter: int = 1000,
        tol: float = 1e-7,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute D2, the share of the deviance that the model explains.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            1 at best, 0 for the mean of y. If y is constant, 1 if it is met exactly, else 0.
        """
        raw, loss = self._raw(X)[:, None], self._loss()
        y = check_array(y, dtype=raw.dtype, ensure_2d=False).reshape(-1, 1)
        check_consistent_length(X, y)
        loss.check_target(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        mean = np.tile(loss.constant(y, sample_weight), (len(y), 1))
        unexplained, total = (
            np.average(loss.value(y, z)[:, 0], weights=sample_weight) for z in (raw, mean)
        )
        if total == 0.0:  # as r2_score has it
            return float(unexplained == 0.0)
        return float(1.0 - unexplained / total)

    def __sklearn_tags__(self) -> Tags:
        """Declare that targets are not negative."""
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags

    def _loss(self) -> Loss:
        return Poisson()

    def _penalty(self, n_outputs: int, total_weight: float) -> Penalty:
        return elastic_net(float(self.alpha), 0.0)
