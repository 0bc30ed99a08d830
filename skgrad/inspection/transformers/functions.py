"""Functions of the user's: known ones, affine ones, and those that bring their derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special
from sklearn.preprocessing import FunctionTransformer

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, from_jacobian, transform_rule
from skgrad.inspection.chain.columns import numeric_columns, width
from skgrad.inspection.transformers.columnwise import columnwise
from skgrad.inspection.transformers.function_transformer import DifferentiableFunctionTransformer

SLOPES: dict[np.ufunc, Callable[[FloatArray], FloatArray]] = {
    np.log: lambda x: 1.0 / x,
    np.log1p: lambda x: 1.0 / (1.0 + x),
    np.log2: lambda x: 1.0 / (x * np.log(2.0)),
    np.log10: lambda x: 1.0 / (x * np.log(10.0)),
    np.exp: np.exp,
    np.exp2: lambda x: np.exp2(x) * np.log(2.0),
    np.expm1: np.exp,
    np.sqrt: lambda x: 0.5 / np.sqrt(x),
    np.cbrt: lambda x: 1.0 / (3.0 * np.cbrt(x) ** 2),
    np.square: lambda x: 2.0 * x,
    np.reciprocal: lambda x: -1.0 / x**2,
    np.sin: np.cos,
    np.cos: lambda x: -np.sin(x),
    np.tan: lambda x: 1.0 / np.cos(x) ** 2,
    np.arctan: lambda x: 1.0 / (1.0 + x**2),
    np.sinh: np.cosh,
    np.cosh: np.sinh,
    np.tanh: lambda x: 1.0 / np.cosh(x) ** 2,
    np.arcsinh: lambda x: 1.0 / np.hypot(1.0, x),
    np.absolute: np.sign,
    np.fabs: np.sign,
    special.expit: lambda x: special.expit(x) * special.expit(-x),
    special.logit: lambda x: 1.0 / (x * (1.0 - x)),
}


@transform_rule(FunctionTransformer)
def function_transformer(step: Any, X: Any, walk: Walk) -> Local:
    """Pass on, differentiate what is known, and try whether the rest is affine."""
    if step.func is None:
        return Local(step.transform(X), lambda c: c, np.arange(width(X)), affine=True)
    if len(numeric_columns(X)) == 0:
        return _of_no_numbers(step, X, walk)
    if isinstance(step.func, np.ufunc) and step.func in SLOPES and not step.kw_args:
        return columnwise(step.transform(X), X, SLOPES[step.func])
    return walk.probe(
        step, X, "applies a function whose derivative is not known"
        " (skgrad.inspection.DifferentiableFunctionTransformer takes it along)"
    )  # fmt: skip


@transform_rule(DifferentiableFunctionTransformer)
def differentiable_function_transformer(step: Any, X: Any, walk: Walk) -> Local:
    """Take the derivative that the step brings."""
    if step.func is None:
        return function_transformer(step, X, walk)
    value, jacobian = step.transform(X), step.jacobian_at(X)
    if jacobian.ndim == 2:
        return Local(value, lambda c: c * jacobian, np.arange(width(X)))
    return from_jacobian(value, jacobian)


def _of_no_numbers(step: Any, X: Any, walk: Walk) -> Local:
    """Clean texts or categories, say: there is nothing to differentiate in, which NaN says."""
    n_in = width(X)
    nothing = 0.0 if walk.pins is not None else np.nan
    value = step.transform(X)
    same = len(value.shape) == 1 or value.shape[1] == n_in
    return Local(
        value,
        lambda c: np.full((len(c), n_in), nothing),
        np.arange(n_in) if same else None,
        affine=True,
    )
