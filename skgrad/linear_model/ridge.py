"""Ridge regression, with scikit-learn's name, parameters and objective."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval

from skgrad.linear_model._familiar import FamiliarRegressor
from skgrad.linear_model._regressor import LossRegressor
from skgrad.losses import Loss, SquaredError
from skgrad.penalties import L2, NonNegative, NoPenalty, Penalty
from skgrad.solvers import Solver


class Ridge(MultiOutputMixin, FamiliarRegressor, LossRegressor):
    r"""Least squares with an L2 penalty, as `sklearn.linear_model.Ridge`.

    .. math:: \min_{w, b} \; \sum_i s_i (y_i - x_i' w - b)^2 + \alpha |w|_2^2

    with weights :math:`s`. Parameters and results are scikit-learn's, so that an import can be
    swapped; the solvers are skgrad's. It is ``LinearRegression(alpha=alpha / sum(s))``, which also
    learns from streams.

    Parameters
    ----------
    alpha : float or array-like of shape (n_outputs,), default=1.0
        Strength of the penalty; an array has one for each output.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    copy_X : bool, default=True
        Without effect, here so that an import can be swapped: X is never modified.
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data).
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
        (scikit-learn's tolerances refer to other quantities.)
    solver : "auto", str or Solver, default="auto"
        A name, an object of `skgrad.solvers`, or "auto". Every solver minimises the same objective.
    positive : bool, default=False
        Whether to force coefficients to be non-negative.
    random_state : int, RandomState instance or None, default=None
        Source of the order of rows in stochastic solvers.
    warm_start : bool, default=False
        Whether `fit` starts at the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients.
    intercept_ : float or ndarray of shape (n_outputs,)
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
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> Ridge(alpha=0.1).fit(X, y).coef_.round()[:4]
    array([   1., -207.,  490.,  302.])

    References
    ----------
    A. E. Hoerl and R. W. Kennard (1970). Ridge regression: biased estimation for nonorthogonal
    problems. Technometrics 12(1), 55-67.
    """

    _multi_output: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FamiliarRegressor._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "copy_X": ["boolean"],
        "positive": ["boolean"],
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-7,
        solver: str | Solver = "auto",
        positive: bool = False,
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.warm_start = warm_start

    def _loss(self) -> Loss:
        return SquaredError()

    def _penalty(self, n_outputs: int, total_weight: float) -> Penalty:
        alphas = np.asarray(self.alpha, dtype=np.float64).ravel() / total_weight
        if len(alphas) not in (1, n_outputs):
            raise ValueError(
                f"alpha has {len(alphas)} strengths, but there are {n_outputs} outputs: give one "
                "number, or one for each output."
            )
        if not (np.isfinite(alphas) & (alphas >= 0)).all():
            raise ValueError(f"alpha={self.alpha!r} must be finite and not negative.")
        penalty: Penalty = L2(alphas[:, None])
        if (alphas == alphas[0]).all():
            penalty = L2(float(alphas[0])) if alphas[0] else NoPenalty()
        return NonNegative(penalty) if self.positive else penalty
