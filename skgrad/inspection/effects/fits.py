"""What fitted linear models minimised: loss, penalty, parameters, and the code of targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NoReturn

import numpy as np
import sklearn.linear_model as peers
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.utils.class_weight import compute_class_weight

from skgrad._typing import Array, FloatArray
from skgrad.inspection.models.linear import coefficients
from skgrad.linear_model import LogisticRegression
from skgrad.linear_model._regressor import LossRegressor
from skgrad.losses import Logistic, Loss, Multinomial, Poisson, SquaredError
from skgrad.neural_network import MLPClassifier, MLPRegressor
from skgrad.penalties import Penalty
from skgrad.penalties.mixed import elastic_net

WAYS_OUT = (
    'Use vcov="bootstrap", which refits the whole pipeline, or vcov=None for the sampling error of'
    " the rows alone."
)


@dataclass(frozen=True)
class LinearFit:
    r"""The minimiser of :math:`\sum_i s_i loss(y_i, W x_i + b) + S \, penalty(W)`.

    Parameters
    ----------
    estimator : estimator
        The fitted model.
    loss : Loss
        Of one row.
    penalty : callable
        Builds the penalty of the mean loss, given the sum S of the weights.
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    has_intercept : bool
        Whether the intercept was fitted.
    classes : ndarray or None
        Labels of a classifier.
    class_weight : dict, "balanced" or None
        Of a classifier.
    intercept_strength : float
        S times the L2 strength of the penalty of the intercept, which liblinear has.
    """

    estimator: Any
    loss: Loss
    penalty: Callable[[float], Penalty]
    coef: FloatArray
    intercept: FloatArray
    has_intercept: bool
    classes: Array | None = None
    class_weight: Any = None
    intercept_strength: float = 0.0

    @property
    def n_outputs(self) -> int:
        """Number of raw predictions."""
        return len(self.coef)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the parameters: for each output its coefficients, and the intercept."""
        return self.n_outputs, self.coef.shape[1] + self.has_intercept

    @property
    def params(self) -> FloatArray:
        """Parameters, of that shape."""
        if not self.has_intercept:
            return self.coef
        return np.column_stack([self.coef, self.intercept])

    def raw(self, design: FloatArray) -> FloatArray:
        """Compute raw predictions from the last step's input."""
        raw: FloatArray = design @ self.coef.T + self.intercept
        return raw

    def extended(self, design: FloatArray) -> FloatArray:
        """Append the column that the intercept multiplies, if there is one."""
        if not self.has_intercept:
            return design
        return np.column_stack([design, np.ones(len(design))])

    def code(self, y: Any) -> Array:
        """Code targets as the loss wants them."""
        y = np.asarray(y)
        if self.classes is None:
            target = y.astype(np.float64).reshape(len(y), -1)
            if target.shape[1] != self.n_outputs:
                raise ValueError(
                    f"y has {target.shape[1]} columns, but {self.name} was fitted on"
                    f" {self.n_outputs}."
                )
            self.loss.check_target(target)
            return target
        codes = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
        strange = self.classes[codes] != y
        if strange.any():
            raise ValueError(
                f"y holds {y[strange][0]!r}, which is none of the classes"
                f" {self.classes.tolist()} that {self.name} was fitted on."
            )
        return codes if self.loss.coupled else codes.astype(np.float64)[:, None]

    def class_factors(self, y: Any, sample_weight: FloatArray) -> FloatArray | None:
        """Look up the class weight of each row; None if all are 1."""
        if self.class_weight is None:
            return None
        assert self.classes is not None
        factors = compute_class_weight(
            self.class_weight, classes=self.classes, y=np.asarray(y), sample_weight=sample_weight
        )
        found: FloatArray = factors[np.searchsorted(self.classes, np.asarray(y))]
        return found

    @property
    def name(self) -> str:
        """Name of the model's class."""
        return type(self.estimator).__name__


@singledispatch
def linear_fit(estimator: Any) -> LinearFit:
    """Look up what a fitted linear model minimised."""
    raise ValueError(
        f"What {type(estimator).__name__} minimised is not known: linear regression (also ridge,"
        " lasso and elastic net), logistic and Poisson regression, of skgrad and of scikit-learn,"
        " are supported."
    )


@linear_fit.register(MLPClassifier)
@linear_fit.register(MLPRegressor)
@linear_fit.register(SklearnMLPClassifier)
@linear_fit.register(SklearnMLPRegressor)
def _(estimator: Any) -> LinearFit:
    raise ValueError(
        f"The parameters of {type(estimator).__name__} are not identified (its units may be"
        " exchanged, and many networks fit equally well), so that its Hessian has no inverse and"
        " there is no delta method."
    )


def _fit(estimator: Any, loss: Loss, penalty: Callable[[float], Penalty], **more: Any) -> LinearFit:
    coef = coefficients(estimator)
    intercept = np.asarray(estimator.intercept_, dtype=np.float64)
    intercept = np.broadcast_to(np.atleast_1d(intercept), (len(coef),))
    return LinearFit(
        estimator, loss, penalty, coef, intercept, bool(estimator.fit_intercept), **more
    )


def _of_classes(
    estimator: Any, C: float, l1_ratio: float, intercept_strength: float = 0.0
) -> LinearFit:
    """Describe a logistic regression, binary or multinomial."""
    return _fit(
        estimator,
        Logistic() if len(estimator.classes_) == 2 else Multinomial(),
        lambda total: elastic_net(1.0 / (C * total), l1_ratio),
        classes=estimator.classes_,
        class_weight=estimator.class_weight,
        intercept_strength=intercept_strength,
    )


@linear_fit.register
def _(estimator: LogisticRegression) -> LinearFit:
    return _of_classes(estimator, float(estimator.C), float(estimator.l1_ratio))


@linear_fit.register
def _(estimator: peers.LogisticRegression) -> LinearFit:
    C, l1_ratio = float(estimator.C), float(estimator.l1_ratio or 0.0)
    if estimator.penalty is None:
        C = np.inf
    l1_ratio = {"l1": 1.0, "l2": 0.0}.get(str(estimator.penalty), l1_ratio)
    strength = 0.0
    if estimator.solver == "liblinear" and estimator.fit_intercept:
        strength = 1.0 / (C * float(estimator.intercept_scaling) ** 2)
    return _of_classes(estimator, C, l1_ratio, strength)


@linear_fit.register
def _(estimator: peers.LogisticRegressionCV) -> LinearFit:
    chosen = np.unique(estimator.C_), np.unique(np.asarray(estimator.l1_ratio_, dtype=object))
    if len(chosen[0]) > 1 or estimator.solver == "liblinear" or not estimator.refit:
        raise ValueError(
            "LogisticRegressionCV did not minimise one objective with one C: fit a"
            " LogisticRegression with the C of your choice."
        )
    return _of_classes(estimator, float(chosen[0][0]), float(chosen[1][0] or 0.0))


@linear_fit.register
def _(estimator: LossRegressor) -> LinearFit:
    n_outputs = len(np.atleast_2d(estimator.coef_))
    return _fit(estimator, estimator._loss(), lambda total: estimator._penalty(n_outputs, total))


@linear_fit.register
def _(estimator: peers.LinearRegression) -> LinearFit:
    positive = bool(estimator.positive)
    return _fit(estimator, SquaredError(), lambda total: elastic_net(0.0, 0.0, positive=positive))


def _ridge(estimator: Any, alpha: Any, *, positive: bool) -> LinearFit:
    strengths = np.unique(np.asarray(alpha, dtype=np.float64))
    if len(strengths) > 1:
        raise ValueError(
            f"{type(estimator).__name__} has another alpha for each output: fit one model for each."
        )
    alpha = float(strengths[0])
    return _fit(
        estimator, SquaredError(),
        lambda total: elastic_net(alpha / total, 0.0, positive=positive),
    )  # fmt: skip


@linear_fit.register
def _(estimator: peers.Ridge) -> LinearFit:
    return _ridge(estimator, estimator.alpha, positive=bool(estimator.positive))


@linear_fit.register
def _(estimator: peers.RidgeCV) -> LinearFit:
    return _ridge(estimator, estimator.alpha_, positive=False)


@linear_fit.register
def _(estimator: peers.PoissonRegressor) -> LinearFit:
    return _fit(estimator, Poisson(), lambda total: elastic_net(float(estimator.alpha), 0.0))


@linear_fit.register(peers.Lasso)
@linear_fit.register(peers.ElasticNet)
@linear_fit.register(peers.LassoCV)
@linear_fit.register(peers.ElasticNetCV)
def _(estimator: Any) -> LinearFit:
    l1_ratio = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 1.0))
    alpha = float(getattr(estimator, "alpha_", None) or estimator.alpha)
    return _fit(
        estimator, SquaredError(),
        lambda total: elastic_net(alpha, float(l1_ratio), positive=estimator.positive),
    )  # fmt: skip


def fit_with_covariance(estimator: Any) -> LinearFit:
    """Look up what a model minimised, or say which standard errors it has all the same."""
    try:
        return linear_fit(estimator)
    except ValueError as error:
        raise ValueError(f"{error} {WAYS_OUT}") from error


def require_smooth(fit: LinearFit, total: float) -> FloatArray:
    """Return S times the curvature of the penalty at each parameter, or say why there is none."""
    penalty = fit.penalty(total)
    if penalty.nonnegative:
        _refuse(fit, "coefficients at the bound of positive=True have no normal distribution")
    if not penalty.smooth:
        _refuse(fit, "an L1 penalty selects coefficients, which then have no normal distribution")
    if not isinstance(fit.loss, SquaredError | Logistic | Multinomial | Poisson):
        _refuse(fit, f"of the loss {fit.loss.name} the covariance is not known")
    strength = np.zeros(fit.shape)
    strength[:, : fit.coef.shape[1]] = total * np.asarray(penalty.curvature(fit.coef))
    if fit.has_intercept:
        strength[:, -1] = fit.intercept_strength
    return strength


def _refuse(fit: LinearFit, reason: str) -> NoReturn:
    raise ValueError(f"There is no covariance for {fit.name}: {reason}. {WAYS_OUT}")
