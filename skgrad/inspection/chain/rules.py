"""The rules of the chain: one function for each class of steps."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, TypeAlias, TypeVar

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.inspection.chain.local import Local

# rule(step, X, walk) with a `Walk`; for a predictor, `walk.response` says what to compute.
Rule: TypeAlias = Callable[[Any, Any, Any], Local]
R = TypeVar("R", bound=Callable[..., Local])

_RULES: dict[type, Rule] = {}
_TRANSFORM_RULES: dict[type, Rule] = {}


def rule(*classes: type) -> Callable[[R], R]:
    """Register a rule for classes and their subclasses."""
    return _registration(_RULES, classes)


def transform_rule(*classes: type) -> Callable[[R], R]:
    """Register a rule of what `transform` gives, for classes that may predict as well."""
    return _registration(_TRANSFORM_RULES, classes)


def _registration(rules: dict[type, Rule], classes: tuple[type, ...]) -> Callable[[R], R]:
    def register(function: R) -> R:
        rules.update(dict.fromkeys(classes, function))
        return function

    return register


def find_rule(step: Any, *, transforms: bool = False) -> Rule | None:
    """Find the rule of a step's class, or else of its nearest base class."""
    registries = (_TRANSFORM_RULES, _RULES) if transforms else (_RULES,)
    found = (rules[cls] for cls in type(step).__mro__ for rules in registries if cls in rules)
    return next(found, None)


def register_jacobian(cls: type, function: Callable[..., Any]) -> None:
    r"""Teach the chain rule the derivative of a class of transformers or predictors.

    Parameters
    ----------
    cls : type
        The class; its subclasses inherit the rule.
    function : callable
        Either ``function(step, X)``, which returns the Jacobian of `transform` (of the response,
        for predictors): shape (n_samples, n_out, n_in), or (n_out, n_in) if it is the same for all
        rows. Or ``function(step, X, cotangent)``, which returns for each row the product
        :math:`J(x)^\top c` with the cotangent, shape (n_samples, n_in), and never forms the
        Jacobian.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> from skgrad.inspection import input_jacobian, register_jacobian
    >>> class Squares(TransformerMixin, BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         self.n_features_in_ = X.shape[1]
    ...         return self
    ...
    ...     def transform(self, X):
    ...         return X**2
    >>> register_jacobian(Squares, lambda step, X, cotangent: 2.0 * X * cotangent)
    >>> X = np.array([[1.0, 3.0]])
    >>> input_jacobian(Squares().fit(X), X)
    array([[[2., 0.],
            [0., 6.]]])
    """
    if not isinstance(cls, type):
        raise TypeError(f"cls must be a class, got {cls!r}.")
    n_parameters = len(signature(function).parameters)
    if n_parameters not in (2, 3):
        raise ValueError(
            f"function must take (step, X) or (step, X, cotangent), got one of {n_parameters}"
            " parameters."
        )

    def registered(step: Any, X: Any, walk: Any) -> Local:
        value = walk.output(step, X)
        if n_parameters == 3:
            return Local(value, lambda cotangent: np.asarray(function(step, X, cotangent)))
        return from_jacobian(value, np.asarray(function(step, X), dtype=np.float64))

    _RULES[cls] = registered
    _TRANSFORM_RULES.pop(cls, None)  # what the user says comes before a rule of ours


def from_jacobian(value: Any, jacobian: FloatArray, missing: Array | None = None) -> Local:
    """Pull by a Jacobian: (n_samples, n_out, n_in), or (n_out, n_in) of an affine step.

    Entries that are missing, shape (n_samples, n_in), do not move anything.
    """
    if missing is not None and missing.any():
        return Local(value, lambda c: np.where(missing, 0.0, _product(c, jacobian)))
    return Local(value, lambda c: _product(c, jacobian), affine=jacobian.ndim == 2)


def _product(cotangent: FloatArray, jacobian: FloatArray) -> FloatArray:
    """Multiply; NaN, which encoders send back, goes only where something depends on them."""
    formula = "no,oi->ni" if jacobian.ndim == 2 else "no,noi->ni"
    unknown = np.isnan(cotangent)
    if not unknown.any():
        return (
            cotangent @ jacobian if jacobian.ndim == 2 else np.einsum(formula, cotangent, jacobian)
        )
    reached = np.einsum(formula, unknown.astype(np.float64), (jacobian != 0.0).astype(np.float64))
    product = np.einsum(formula, np.where(unknown, 0.0, cotangent), jacobian)
    return np.where(reached > 0.0, np.nan, product)
