"""Linear support vector machines for classification and regression."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skgrad._typing import FloatArray
from skgrad.linear_model._classifier import LinearClassifier
from skgrad.linear_model._problem import Problem, as_column, check_magnitude
from skgrad.linear_model._regressor import StreamingRegressor
from skgrad.losses import EpsilonInsensitive, Loss, SquaredEpsilonInsensitive, get_loss
from skgrad.penalties import L2
from skgrad.solvers import Solver


class LinearSVC(LinearClassifier):
    r"""Linear support vector classification, one against the rest.

    .. math:: \min_{w, b} \; C \sum_i s_i \, loss(y_i, x_i' w + b) + \frac{1}{2} |w|_2^2,
              \qquad y_i \in \{-1, 1\}

    for each class against all others (once for two classes). The objective is that of
    `sklearn.svm.LinearSVC` except that the intercept is not penalised.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty.
    loss : {"squared_hinge", "hinge"} or Loss, default="squared_hinge"
        Loss, by name or as an object for labels of -1 and +1, such as
        ``skgrad.losses.Smoothed(Hinge(), mu=0.1)``.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes them inversely proportional to their frequencies.
        With more than two classes, each problem weighs its own class and leaves the rest at one,
        as in `sklearn.svm.LinearSVC`.
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
        Share of rows to hold out, stratified by class.
    n_iter_no_change : int, default=5
        Iterations without improvement that stop a stochastic solver or trigger early stopping.
    random_state : int, RandomState instance or None, default=None
        Source of the order of rows in stochastic solvers and of the validation rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0.0 without.
    feature_importances_ : ndarray of shape (n_features,)
        Sensitivity of the raw prediction to a standard deviation of each feature, in sum one.
    n_iter_ : int
        Iterations made.
    converged_, optimality_gap_, gap_is_certified_, history_, solver_, n_features_in_,
    feature_names_in_
        As in `LogisticRegression`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skgrad import LinearSVC
    >>> X, y = load_wine(return_X_y=True)
    >>> svm = LinearSVC(loss="hinge").fit(X, y)  # no scaling, no warning
    >>> svm.converged_, svm.coef_.shape
    (True, (3, 13))

    References
    ----------
    C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. Keerthi and S. Sundararajan (2008). A dual coordinate
    descent method for large-scale linear SVM. ICML 2008, eq. 1.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearClassifier._parameter_constraints,
        "loss": [StrOptions({"squared_hinge", "hinge"}), Loss],
    }

    def __init__(
        self,
        C: float = 1.0,
        *,
        loss: str | Loss = "squared_hinge",
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: str | Solver = "auto",
        max_iter: int = 1000,
        tol: float = 1e-7,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: Any = None,
    ) -> None:
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def _problem(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, classes: Any = None
    ) -> Problem:
        loss = get_loss(self.loss)
        if loss.target != "sign":
            raise ValueError(
                f"loss={self.loss!r} is not made for labels of -1 and +1. LinearSVC takes "
                "'squared_hinge', 'hinge', or a Loss object for such labels."
            )
        X, codes, weight, class_weight = self._labels(X, y, sample_weight, classes, first=first)
        n_classes = len(self.classes_)
        total = float(len(codes) if weight is None else weight.sum())
        if n_classes == 2:
            sign = (2 * codes - 1).astype(X.dtype)[:, None]
        else:
            sign = np.full((len(codes), n_classes), -1.0, dtype=X.dtype)
            sign[np.arange(len(codes)), codes] = 1.0
        weight = as_column(weight, X.dtype)
        if class_weight is not None:
            factor = class_weight[codes][:, None].astype(X.dtype)
            factor = factor if n_classes == 2 else np.where(sign > 0, factor, X.dtype.type(1.0))
            weight = factor if weight is None else weight * factor
        penalty = L2(1.0 / (self.C * total))
        return Problem(loss, penalty, X, sign, weight, sign.shape[1], total_weight=total)

    def _coef_attributes(self, coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
        return {"coef_": coef, "intercept_": intercept if self.fit_intercept else 0.0}


class LinearSVR(StreamingRegressor):
    r"""Linear support vector regression.

    .. math:: \min_{w, b} \; C \sum_i s_i \, \max(0, |y_i - x_i' w - b| - \epsilon)^q
              + \frac{1}{2} |w|_2^2, \qquad q \in \{1, 2\}

    The objective is that of `sklearn.svm.LinearSVR` except that the intercept is not penalised.

    Parameters
    ----------
    epsilon : float, default=0.0
        Residuals up to this size cost nothing.
    C : float, default=1.0
        Inverse strength of the penalty.
    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, default="epsilon_insensitive"
        Loss, with q = 1 or q = 2.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    solver, max_iter, tol, warm_start, early_stopping
        As in `LinearRegression`.
    validation_fraction, n_iter_no_change, random_state
        As in `LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients.
    intercept_ : ndarray of shape (1,)
        Intercept, as an array as in scikit-learn; 0.0 without.
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
    >>> from skgrad import LinearSVR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> LinearSVR(C=100.0).fit(X, y).converged_
    True

    References
    ----------
    C.-H. Ho and C.-J. Lin (2012). Large-scale linear support vector regression. Journal of Machine
    Learning Research 13, 3323-3348, eq. 2.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **StreamingRegressor._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "C": [Interval(Real, 0, None, closed="neither")],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
    }

    def __init__(
        self,
        *,
        epsilon: float = 0.0,
        C: float = 1.0,
        loss: str = "epsilon_insensitive",
        fit_intercept: bool = True,
        solver: str | Solver = "auto",
        max_iter: int = 1000,
        tol: float = 1e-7,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: Any = None,
    ) -> None:
        self.epsilon = epsilon
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
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
        X, y, weight = self._validate(X, y, sample_weight, first=first, y_numeric=True)
        y = y.astype(X.dtype, copy=False)[:, None]
        check_magnitude(y)
        squared = self.loss == "squared_epsilon_insensitive"
        loss = (SquaredEpsilonInsensitive if squared else EpsilonInsensitive)(self.epsilon)
        total = float(len(y) if weight is None else weight.sum())
        return Problem(loss, L2(1.0 / (self.C * total)), X, y, as_column(weight, X.dtype), 1, total)

    def _coef_attributes(self, coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
        return {"coef_": coef[0], "intercept_": intercept if self.fit_intercept else 0.0}
