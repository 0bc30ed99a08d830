"""Robust regression, with scikit-learn's name, parameters and objective."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skgrad._estimators import weighted_rows
from skgrad._typing import Array, FloatArray, Matrix
from skgrad.linear_model._familiar import FamiliarRegressor
from skgrad.linear_model._problem import Problem, Run, as_column, check_magnitude
from skgrad.linear_model._scale import ConcomitantScale
from skgrad.losses import Huber
from skgrad.objective import Objective
from skgrad.penalties import NoPenalty
from skgrad.solvers import Result, Solver


class HuberRegressor(FamiliarRegressor):
    r"""Regression that is robust to outliers, as `sklearn.linear_model.HuberRegressor`.

    .. math:: \min_{w, b, \sigma} \; \sum_i s_i \left(\sigma
              + \sigma H_\epsilon\!\left(\frac{y_i - x_i' w - b}{\sigma}\right)\right)
              + \alpha |w|_2^2, \qquad
              H_\epsilon(z) = \min(|z|, \epsilon) \, (2 |z| - \min(|z|, \epsilon))

    with weights :math:`s`. The scale :math:`\sigma` of the residuals is estimated too, so that the
    answer follows the unit of y. Parameters and results are scikit-learn's, so that an import can
    be swapped; the solvers are skgrad's, run for a short sequence of scales. For a scale that you
    know, it is ``LinearRegression(loss=Huber(epsilon * scale), alpha=alpha * scale / sum(s))``.

    Parameters
    ----------
    epsilon : float, default=1.35
        Residual, in units of the scale, from which the loss grows linearly; at least 1.
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data), of all runs together.
    alpha : float, default=0.0001
        Strength of the L2 penalty.
    warm_start : bool, default=False
        Whether `fit` starts at the coefficients and the scale of the last fit.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
        (scikit-learn's is a bound for the gradient.)
    solver : "auto", str or Solver, default="auto"
        A name, an object of `skgrad.solvers`, or "auto". Every solver minimises the same objective.
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
    scale_ : float
        Scale of the residuals.
    outliers_ : ndarray of shape (n_samples,)
        Whether a row's residual is larger than ``epsilon * scale_``.
    n_iter_ : int
        Iterations made.
    converged_, optimality_gap_, gap_is_certified_, history_, solver_, n_features_in_,
    feature_names_in_
        As in `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad import HuberRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = X @ [1.0, -2.0] + 0.1 * rng.normal(size=100)
    >>> y[:10] += 1000.0
    >>> huber = HuberRegressor().fit(X, y)
    >>> huber.coef_.round(1), int(huber.outliers_[:10].sum())
    (array([ 1., -2.]), 10)

    References
    ----------
    P. Huber and E. Ronchetti (2009). Robust Statistics, 2nd edition, section 7.7.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FamiliarRegressor._parameter_constraints,
        "epsilon": [Interval(Real, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 1000,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-7,
        solver: str | Solver = "auto",
        random_state: Any = None,
    ) -> None:
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.solver = solver
        self.random_state = random_state

    def predict(self, X: Any) -> FloatArray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._raw(X)

    def _problem(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Problem:
        drops_rows = sample_weight is not None
        X, y, _ = self._validate(X, y, None, first=first, drops_rows=drops_rows, y_numeric=True)
        y = y.astype(X.dtype, copy=False)
        check_magnitude(y)
        self._flat = True
        rows, target, weight = weighted_rows(X, y, sample_weight, type(self).__name__)
        scale = ConcomitantScale(
            float(self.epsilon),
            float(self.alpha),
            self._first_scale(target, weight),
            float(len(target) if weight is None else weight.sum()),
            float(self.tol),
            self.max_iter,
        )
        weight = as_column(weight, X.dtype)
        return scale.problem(
            Problem(
                Huber(), NoPenalty(), rows, target[:, None], weight, 1,
                estimate=partial(self._estimate_scale, scale, X, y),
            )
        )  # fmt: skip

    def _first_scale(self, y: FloatArray, weight: FloatArray | None) -> float:
        """Start at the last fit's scale, or at the standard deviation of y."""
        if self.warm_start and self.__sklearn_is_fitted__():
            return float(self.scale_)
        y = y.astype(np.float64)
        deviation = y - np.average(y, weights=weight)
        return float(np.sqrt(np.average(deviation**2, weights=weight))) or 1.0

    def _estimate_scale(
        self, scale: ConcomitantScale, X: Matrix, y: Array,
        problem: Problem, run: Run, objective: Objective, start: FloatArray,
    ) -> tuple[Objective, Result]:  # fmt: skip
        """Minimise over coefficients and scale; mark outliers, also among rows of weight zero."""
        objective, result = scale.minimise(problem, run, objective, start)
        fitted = self._attributes(objective, result.w)
        self.scale_ = scale.sigma
        residual = y - (X @ fitted["coef_"] + fitted["intercept_"])
        self.outliers_ = np.abs(residual) > self.epsilon * self.scale_
        return objective, result
