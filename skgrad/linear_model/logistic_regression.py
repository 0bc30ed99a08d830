"""Logistic regression, binary and multinomial."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.utils._param_validation import Interval

from skgrad._typing import FloatArray
from skgrad.linear_model._classifier import LinearClassifier
from skgrad.linear_model._problem import Problem, as_column
from skgrad.linear_model._separation import Separation
from skgrad.losses import Logistic, Multinomial
from skgrad.penalties.mixed import elastic_net
from skgrad.solvers import Solver


class LogisticRegression(LinearClassifier):
    r"""Logistic regression with elastic-net penalty and a choice of solver.

    .. math:: \min_{W, b} \; C \sum_i s_i \, loss(y_i, W x_i + b)
              + \rho |W|_1 + \frac{1 - \rho}{2} |W|_2^2

    with the binary log loss for two classes, the multinomial (softmax) log loss for more, weights
    :math:`s` (sample weight times class weight), and :math:`\rho` = `l1_ratio`. This is the
    objective of `sklearn.linear_model.LogisticRegression`, for every solver.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty; ``float("inf")`` for none. Without penalty, classes that
        can be separated have no optimum: the fit then ends with a warning that says by what.
    l1_ratio : float in [0, 1], default=0.0
        0 is the L2 penalty, 1 the L1 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is never penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes them inversely proportional to their frequencies.
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
        Intercepts; zeros without.
    feature_importances_ : ndarray of shape (n_features,)
        Sensitivity of the raw prediction to a standard deviation of each feature, in sum one.
    n_iter_ : ndarray of shape (1,)
        Iterations made, as an array as in scikit-learn.
    converged_ : bool
        Whether the answer is good.
    optimality_gap_ : float
        Bound or estimate of the objective's relative distance to its minimum; NaN if there is none.
    gap_is_certified_ : bool
        Whether ``optimality_gap_`` is a bound that is proved, by a duality gap.
    history_ : dict of ndarrays
        loss, gradient_norm, step_size, gap, seconds and passes over the data of each iteration;
        ``pd.DataFrame(clf.history_)`` works.
    solver_ : Solver
        The solver that ran.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X is a DataFrame.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = LogisticRegression().fit(X, y)  # no scaling, no warning
    >>> clf.converged_, clf.solver_
    (True, Newton())

    References
    ----------
    T. Hastie, R. Tibshirani and J. Friedman (2009). The Elements of Statistical Learning, 2nd
    edition, section 4.4.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearClassifier._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 0.0,
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
        self.l1_ratio = l1_ratio
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

    def predict_proba(self, X: Any) -> FloatArray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return np.asarray(softmax(self._class_scores(X), axis=1))

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Predict the logarithm of the probability of each class, finite for far-away samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return np.asarray(log_softmax(self._class_scores(X), axis=1))

    def _class_scores(self, X: Any) -> FloatArray:
        """Raw prediction of each class; two classes are a softmax with scores 0 and z."""
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return np.asarray(scores)
        return np.column_stack([np.zeros_like(scores), scores])

    def _problem(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, classes: Any = None
    ) -> Problem:
        X, codes, weight, class_weight = self._labels(X, y, sample_weight, classes, first=first)
        if class_weight is not None:
            weight = class_weight[codes] if weight is None else weight * class_weight[codes]
        total = float(len(codes) if weight is None else weight.sum())
        penalty = elastic_net(1.0 / (self.C * total), float(self.l1_ratio))
        weight = as_column(weight, X.dtype)
        if len(self.classes_) == 2:
            target = codes.astype(X.dtype)[:, None]
            problem = Problem(Logistic(), penalty, X, target, weight, 1, total)
        else:
            problem = Problem(Multinomial(), penalty, X, codes, weight, len(self.classes_), total)
        if not np.isinf(self.C):
            return problem
        names = getattr(self, "feature_names_in_", None)
        return replace(problem, separation=Separation(self.classes_, names, self.fit_intercept))

    def _coef_attributes(self, coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
        if len(coef) > 1:
            # A shift common to all classes changes no probability: fix it, as scikit-learn does.
            intercept = intercept - intercept.mean()
            if np.isinf(self.C):
                coef = coef - coef.mean(axis=0)
        return {"coef_": coef, "intercept_": intercept}

    def _store_n_iter(self, n_iter: int) -> None:
        self.n_iter_ = np.array([n_iter], dtype=np.int32)
