"""A meta-estimator that gives any differentiable model ``feature_importances_``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skgrad._estimators import unchanged_on_error
from skgrad._typing import Array, FloatArray
from skgrad.importances import normalized
from skgrad.inspection.chain import Local, Walk, rule
from skgrad.inspection.importance import gradient_importance
from skgrad.inspection.methods import METHODS


def _delegated(name: str) -> Callable[[GradientImportance], bool]:
    """Make a method available where the estimator has it; an AttributeError says whose it is."""

    def check(self: GradientImportance) -> bool:
        getattr(vars(self).get("estimator_", self.estimator), name)
        return True

    return check


class GradientImportance(MetaEstimatorMixin, BaseEstimator):
    r"""Give a model ``feature_importances_`` by its gradients.

    .. math:: importance_j \propto
              \frac{1}{S} \sum_i s_i \left| \frac{\partial f(x_i)}{\partial x_{ij}} \right| sd(x_j)

    over the rows that the model is fitted on, by `skgrad.inspection.gradient_importance`: for any
    scikit-learn model with derivatives, also behind the transformers of a pipeline, and for columns
    of categories. Everything else is left to the model.

    Parameters
    ----------
    estimator : estimator
        To be cloned and fitted: a classifier or regressor, or a pipeline that ends in one.
    method : str, default="gradient"
        As in `gradient_importance`.
    aggregation : {"mean_abs", "rms", "max"}, default="mean_abs"
        As in `gradient_importance`.
    scale : {"std", "iqr", "input"} or None, default="std"
        As in `gradient_importance`.
    response_method : str, default="auto"
        As in `gradient_importance`.
    target : class label or int, default=None
        As in `gradient_importance`.
    baseline : str or rows like X, default="background"
        As in `gradient_importance`.
    n_steps : int or "auto", default="auto"
        As in `gradient_importance`.
    fallback : {"difference"}, default=None
        As in `gradient_importance`.
    random_state : int, RandomState instance or None, default=None
        As in `gradient_importance`.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    feature_importances_ : ndarray of shape (n_features,)
        Importances of the columns of X, in sum one; zeros if none matters.
    standard_errors_ : ndarray of shape (n_features,)
        Their standard errors as means over rows, this fitted model given; NaN for "max".
    classes_, n_features_in_, feature_names_in_
        Those of ``estimator_``, if it has them.

    Notes
    -----
    They rate what the model does on its training rows. Where columns go together, it may use one in
    the place of another.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.feature_selection import SelectFromModel
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import GradientImportance
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> selector = SelectFromModel(GradientImportance(LogisticRegression())).fit(X, y)
    >>> selector.get_feature_names_out().tolist()
    ['petal length (cm)']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit"])],
        "method": [StrOptions(set(METHODS))],
        "aggregation": [StrOptions({"mean_abs", "rms", "max"})],
    }
    feature_importances_: FloatArray
    standard_errors_: FloatArray

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "gradient",
        aggregation: str = "mean_abs",
        scale: str | None = "std",
        response_method: str = "auto",
        target: Any = None,
        baseline: Any = "background",
        n_steps: int | Literal["auto"] = "auto",
        fallback: Literal["difference"] | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.aggregation = aggregation
        self.scale = scale
        self.response_method = response_method
        self.target = target
        self.baseline = baseline
        self.n_steps = n_steps
        self.fallback = fallback
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Fit a clone of the estimator, and rate the columns of X.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Training data, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Targets.
        **fit_params : dict
            Further arguments of the estimator's `fit`. A ``sample_weight`` weighs the rows of the
            importances, too.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        with unchanged_on_error(self):
            routed = fit_params
            if get_config()["enable_metadata_routing"]:
                routed = process_routing(self, "fit", **fit_params)["estimator"]["fit"]
            self.estimator_ = clone(self.estimator).fit(X, y, **routed)
            self._adopt()
            targets = np.asarray(y) if self.method == "loss" else None  # others have no use for it
            rated = gradient_importance(
                self.estimator_, X, targets, method=self.method, aggregation=self.aggregation,
                scale=self.scale, response_method=self.response_method, target=self.target,
                baseline=self.baseline, n_steps=self.n_steps, fallback=self.fallback,
                random_state=self.random_state, sample_weight=routed.get("sample_weight"),
            )  # fmt: skip
            self.feature_importances_ = normalized(rated.importances_mean)
            total = float(rated.importances_mean.sum())
            self.standard_errors_ = rated.standard_error / (total if total > 0.0 else 1.0)
        return self

    def _adopt(self) -> None:
        """Take over what the fitted estimator knows about its input."""
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether fit has finished."""
        return "feature_importances_" in vars(self)

    @property
    def classes_(self) -> Array:
        """Labels of a classifier."""
        check_is_fitted(self)
        classes: Array = self.estimator_.classes_
        return classes

    # -- left to the estimator --------------------------------------------------------------------

    @available_if(_delegated("predict"))
    def predict(self, X: Any, **params: Any) -> Array:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Samples.
        **params : dict
            Further arguments of the estimator's method.

        Returns
        -------
        ndarray
            What the estimator returns.
        """
        return self._call("predict", X, **params)

    @available_if(_delegated("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> FloatArray:
        """Predict probabilities; parameters as in `predict`."""
        return self._call("predict_proba", X, **params)

    @available_if(_delegated("predict_log_proba"))
    def predict_log_proba(self, X: Any, **params: Any) -> FloatArray:
        """Predict logarithms of probabilities; parameters as in `predict`."""
        return self._call("predict_log_proba", X, **params)

    @available_if(_delegated("decision_function"))
    def decision_function(self, X: Any, **params: Any) -> FloatArray:
        """Compute the scores of the fitted estimator; parameters as in `predict`."""
        return self._call("decision_function", X, **params)

    @available_if(_delegated("transform"))
    def transform(self, X: Any, **params: Any) -> Any:
        """Transform with the fitted estimator; parameters as in `predict`."""
        return self._call("transform", X, **params)

    @available_if(_delegated("get_feature_names_out"))
    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Name the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of the input.

        Returns
        -------
        ndarray of str
        """
        return self._call("get_feature_names_out", input_features)

    @available_if(_delegated("score"))
    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Score the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Targets.
        **params : dict
            Further arguments of the estimator's method.

        Returns
        -------
        float
        """
        return self._call("score", X, y, **params)

    def _call(self, method: str, *arguments: Any, **params: Any) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(*arguments, **params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Say that arguments of `fit` go to the estimator.

        Returns
        -------
        MetadataRouter
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    def __sklearn_tags__(self) -> Tags:
        """Be of the kind of the estimator."""
        return get_tags(self.estimator)


@rule(GradientImportance)
def wrapped(step: Any, X: Any, walk: Walk) -> Local:
    """Go on into the fitted estimator."""
    return walk.into("estimator_").respond(step.estimator_, X)
