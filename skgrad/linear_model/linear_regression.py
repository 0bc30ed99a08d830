"""Linear regression with any convex loss."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._tags import Tags

from skgrad._typing import FloatArray
from skgrad.linear_model._regressor import LossRegressor, StreamingRegressor
from skgrad.losses import LOSSES, Loss, Poisson, get_loss
from skgrad.penalties import Penalty
from skgrad.penalties.mixed import elastic_net
from skgrad.solvers import Solver

REGRESSION_LOSSES = {
    name for name, loss in LOSSES.items() if loss.target == "continuous" and not loss.repeats_target
}


class LinearRegression(MultiOutputMixin, StreamingRegressor, LossRegressor):
    r"""Linear regression with a choice of loss, elastic-net penalty and solver.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \, loss(y_i, x_i' w + b)
              + \alpha \left(\rho |w|_1 + \frac{1 - \rho}{2} |w|_2^2\right)

    with weights :math:`s` and :math:`\rho` = `l1_ratio`. The squared error is
    :math:`(y - x'w - b)^2 / 2`, so the defaults are ordinary least squares, and the penalty is
    that of `sklearn.linear_model.ElasticNet`. (`sklearn.linear_model.Ridge` sums instead of
    averaging: its alpha is n_samples times this one.)

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        "squared_error", "absolute_error", "huber", "quantile", "epsilon_insensitive",
        "squared_epsilon_insensitive", "poisson" (log link; `predict` returns the mean), or an
        object such as ``skgrad.losses.Huber(delta=2.0)``.
    alpha : float, default=0.0
        Strength of the penalty.
    l1_ratio : float in [0, 1], default=0.0
        0 is the L2 penalty, 1 the L1 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    positive : bool, default=False
        Whether to force coefficients to be non-negative.
    solver : "auto", str or Solver, default="auto"
        A name, an object of `skgrad.solvers`, or "auto". Every solver minimises the same objective.
    max_iter : int, default=1000
        Most iterations (for stochastic solvers: passes over the data).
    tol : float, default=1e-7
        Stop when the objective is estimated to be within this relative distance of its minimum.
    warm_start : bool, default=False
        Whether `fit` starts at the coefficients of the last fit.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their loss no longer improves, and keep the best
        coefficients.
    validation_fraction : float, default=0.1
        Share of rows to hold out.
    n_iter_no_change : int, default=5
        Iterations without improvement that stop a stochastic solver or trigger early stopping.
    random_state : int, RandomState instance or None, default=None
        Source of the order of rows in stochastic solvers and of the validation rows.

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
    converged_ : bool
        Whether the answer is good.
    optimality_gap_ : float
        Bound or estimate of the objective's relative distance to its minimum; NaN if there is none.
    gap_is_certified_ : bool
        Whether ``optimality_gap_`` is a bound that is proved, by a duality gap.
    history_ : dict of ndarrays
        loss, gradient_norm, step_size, gap, seconds and passes over the data of each iteration;
        ``pd.DataFrame(reg.history_)`` works.
    solver_ : Solver
        The solver that ran.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X is a DataFrame.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad import LinearRegression
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([3.0, 5.0, 7.0, 9.0, 100.0])
    >>> LinearRegression(loss="absolute_error").fit(X, y).coef_.round(6)
    array([2.])

    References
    ----------
    P. Huber and E. Ronchetti (2009). Robust Statistics, 2nd edition, chapter 7.

    R. Koenker (2005). Quantile Regression. Cambridge University Press.
    """

    _multi_output: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **StreamingRegressor._parameter_constraints,
        "loss": [StrOptions(REGRESSION_LOSSES), Loss],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "positive": ["boolean"],
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        positive: bool = False,
        solver: str | Solver = "auto",
        max_iter: int = 1000,
        tol: float = 1e-7,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        """Declare what targets the loss takes."""
        tags = super().__sklearn_tags__()
        # Tags are asked for before parameters are validated.
        tags.target_tags.positive_only = self.loss == "poisson" or isinstance(self.loss, Poisson)
        return tags

    def _loss(self) -> Loss:
        loss = get_loss(self.loss)
        if loss.target != "continuous":
            raise ValueError(
                f"loss={self.loss!r} is a loss for classification. LinearRegression takes "
                f"{', '.join(sorted(REGRESSION_LOSSES))}, or another loss for real targets."
            )
        if loss.repeats_target:
            raise ValueError(
                f"loss={self.loss!r} takes several predictions for each target, and "
                "LinearRegression makes one. Fit one model for each."
            )
        return loss

    def _penalty(self, n_outputs: int, total_weight: float) -> Penalty:
        return elastic_net(float(self.alpha), float(self.l1_ratio), positive=self.positive)

    def _coef_attributes(self, coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
        if not self._flat:
            return {"coef_": coef, "intercept_": intercept if self.fit_intercept else 0.0}
        return {"coef_": coef[0], "intercept_": intercept[0] if self.fit_intercept else 0.0}
