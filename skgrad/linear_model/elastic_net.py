"""Lasso and elastic net, with scikit-learn's names, parameters and objectives."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar

from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad.linear_model._familiar import FamiliarRegressor
from skgrad.linear_model._regressor import LossRegressor
from skgrad.losses import Loss, SquaredError
from skgrad.penalties import Penalty
from skgrad.penalties.mixed import elastic_net
from skgrad.solvers import Solver


class SparseRegressor(MultiOutputMixin, FamiliarRegressor, LossRegressor):
    """Base of `Lasso` and `ElasticNet`."""

    _multi_output: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FamiliarRegressor._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "precompute": ["boolean", "array-like"],
        "copy_X": ["boolean"],
        "positive": ["boolean"],
        "selection": [StrOptions({"cyclic", "random"})],
    }

    @property
    @abstractmethod
    def _l1_share(self) -> float:
        """Share of the L1 penalty."""

    @property
    def dual_gap_(self) -> float:
        """Last estimate of how far the objective is above its minimum, summed over outputs."""
        return float(self.history_["gap"][-1])

    @property
    def sparse_coef_(self) -> Any:
        """Coefficients as a CSR matrix."""
        return sparse.csr_matrix(self.coef_)

    def _loss(self) -> Loss:
        return SquaredError()

    def _penalty(self, n_outputs: int, total_weight: float) -> Penalty:
        return elastic_net(float(self.alpha), self._l1_share, positive=self.positive)


class Lasso(SparseRegressor):
    r"""Least squares with an L1 penalty, as `sklearn.linear_model.Lasso`.

    .. math:: \min_{w, b} \; \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - x_i' w - b)^2
              + \alpha |w|_1

    with weights :math:`s`. Parameters and results are scikit-learn's, so that an import can be
    swapped; the solvers are skgrad's. It is ``LinearRegression(alpha=alpha, l1_ratio=1.0)``, which
    also learns from streams.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    precompute, copy_X, selection : default=False, True, "cyclic"
        Without effect, here so that an import can be swapped: they choose between ways to the same
        answer in scikit-learn's solver. X is never modified.
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data).
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
        (scikit-learn's tolerance refers to another scale.)
    warm_start : bool, default=False
        Whether `fit` starts at the coefficients of the last fit.
    positive : bool, default=False
        Whether to force coefficients to be non-negative.
    random_state : int, RandomState instance or None, default=None
        Source of the order of rows in stochastic solvers.
    solver : "auto", str or Solver, default="auto"
        A name, an object of `skgrad.solvers`, or "auto". Every solver minimises the same objective.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Coefficients.
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_outputs, n_features)
        The same, sparse.
    intercept_ : float or ndarray of shape (n_outputs,)
        Intercept; 0.0 without.
    feature_importances_ : ndarray of shape (n_features,)
        Sensitivity of the raw prediction to a standard deviation of each feature, in sum one.
    dual_gap_ : float
        Last estimate of how far the objective is above its minimum, summed over outputs.
    n_iter_ : int
        Iterations made.
    converged_, optimality_gap_, gap_is_certified_, history_, solver_, n_features_in_,
    feature_names_in_
        As in `LinearRegression`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> Lasso(alpha=1.0).fit(X, y).coef_.round()
    array([  0.,   0., 368.,   6.,   0.,   0.,   0.,   0., 308.,   0.])

    References
    ----------
    R. Tibshirani (1996). Regression shrinkage and selection via the lasso. Journal of the Royal
    Statistical Society B 58(1), 267-288.
    """

    _l1_share: ClassVar[float] = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-7,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        solver: str | Solver = "auto",
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.solver = solver


class ElasticNet(SparseRegressor):
    r"""Least squares with L1 and L2 penalties, as `sklearn.linear_model.ElasticNet`.

    .. math:: \min_{w, b} \; \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - x_i' w - b)^2
              + \alpha \left(\rho |w|_1 + \frac{1 - \rho}{2} |w|_2^2\right)

    with weights :math:`s` and :math:`\rho` = `l1_ratio`. Parameters and results are scikit-learn's,
    so that an import can be swapped; the solvers are skgrad's. It is
    ``LinearRegression(alpha=alpha, l1_ratio=l1_ratio)``, which also learns from streams.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.
    l1_ratio : float in [0, 1], default=0.5
        0 is the L2 penalty, 1 the L1 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    precompute, copy_X, selection : default=False, True, "cyclic"
        Without effect, as in `Lasso`.
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data).
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
    warm_start, positive, random_state, solver
        As in `Lasso`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, feature_importances_, dual_gap_
        As in `Lasso`.
    n_iter_, converged_, optimality_gap_
        As in `Lasso`.
    history_, solver_, n_features_in_, feature_names_in_
        As in `LinearRegression`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import ElasticNet
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ElasticNet(alpha=0.01, l1_ratio=0.9).fit(X, y).coef_.round()[:4]
    array([  16., -135.,  394.,  249.])

    References
    ----------
    H. Zou and T. Hastie (2005). Regularization and variable selection via the elastic net. Journal
    of the Royal Statistical Society B 67(2), 301-320.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SparseRegressor._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-7,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        solver: str | Solver = "auto",
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.solver = solver

    @property
    def _l1_share(self) -> float:
        return float(self.l1_ratio)
