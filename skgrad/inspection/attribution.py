"""Attributions: what each column does to the response in each row."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import _check_sample_weight

from skgrad._typing import FloatArray
from skgrad.inspection._question import Question, ask
from skgrad.inspection.methods import METHODS, Method, Task

# Values beyond this many are not kept row by row.
KEPT_VALUES = 10**7


def attributions(
    estimator: Any, X: Any, y: Any = None, *, method: str = "integrated",
    scale: str | None = "std", response_method: str = "auto", target: Any = None, at_step: int = 0,
    baseline: Any = "background", n_steps: int | Literal["auto"] = "auto",
    batch_size: int | None = None, fallback: Literal["difference"] | None = None,
    random_state: Any = None,
) -> Bunch:  # fmt: skip
    r"""Share the response of each row out among the columns.

    ====================  =========================================================================
    ``"gradient"``        :math:`\partial_j f(x)` times a typical change of the column (``scale``)
    ``"gradient_x_input"``  :math:`x_j\, \partial_j f(x)`
    ``"integrated"``      :math:`(x_j - x'_j) \int_0^1 \partial_j f(x' + t (x - x'))\, dt` from one
                          baseline x'; the sum is f(x) - f(x')
    ``"expected"``        the same, averaged over a background of baselines
    ``"smooth"``          `gradient`, averaged over noise around x
    ``"loss"``            the derivative of the row's loss, times a typical change
    ====================  =========================================================================

    Gradients describe the model, not the world: where columns go together, it may use one in the
    place of another.

    Parameters
    ----------
    estimator : estimator
        Fitted: a predictor, or a pipeline or search that ends in one.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        The rows to explain, as `estimator.predict` takes them.
    y : array of shape (n_samples,), default=None
        Targets; ``method="loss"`` needs them.
    method : str, default="integrated"
        One of the above.
    scale : {"std", "iqr", "input"} or None, default="std"
        What the slopes of "gradient", "smooth" and "loss" are multiplied by: the standard deviation
        or interquartile range of each column of X, its entry, or nothing. Columns of categories get
        the spread of the response over their categories, without a sign.
    response_method : str, default="auto"
        As in `input_gradients`.
    target : class label or int, default=None
        As in `input_gradients`.
    at_step : int, default=0
        As in `input_gradients`.
    baseline : {"background", "mean", "median", "zero"} or rows like X, default="background"
        What rows are compared with. "background" draws 32 rows of X for "expected" (all of them
        count where the response is affine), and stands for "mean" for "integrated": the means of
        the numeric columns and the most frequent categories of the others. Rows may be a DataFrame,
        an array, or a dict of one entry for each column.
    n_steps : int or "auto", default="auto"
        Points of a path, or draws of noise. "auto" integrates in closed form where the raw response
        is affine or piecewise linear (networks of rectified linear units), and elsewhere takes 8
        Gauss-Legendre nodes, and more for rows that are not complete to 1e-6.
    batch_size : int, default=None
        Rows at a time; None for as many as fit a few megabytes.
    fallback : {"difference"}, default=None
        As in `input_gradients`.
    random_state : int, RandomState instance or None, default=None
        Draws the background and the noise.

    Returns
    -------
    Bunch
        ``attributions``, shape (n_samples, n_features), and a last axis for several outputs;
        ``base_values``, the response that those of "integrated" and "expected" start from;
        ``delta``, shape (n_samples,) or (n_samples, n_outputs): what these miss to the response;
        ``data``, X at the step asked for; ``feature_names``; ``targets``; ``unit``; ``method``.

    References
    ----------
    M. Sundararajan, A. Taly and Q. Yan (2017). Axiomatic attribution for deep networks. Proceedings
    of Machine Learning Research 70, 3319-3328.

    G. Erion, J. Janizek, P. Sturmfels, S. Lundberg and S.-I. Lee (2021). Improving performance of
    deep learning models with axiomatic attribution priors and expected gradients. Nature Machine
    Intelligence 3, 620-631.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import attributions
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> result = attributions(LogisticRegression().fit(X, y), X, response_method="predict_proba")
    >>> result.attributions.shape, bool(abs(result.delta).max() < 1e-12)
    ((569, 30), True)
    """
    prepared, X = prepare(
        estimator, X, y, method=method, scale=scale, response_method=response_method,
        target=target, at_step=at_step, baseline=baseline, n_steps=n_steps, fallback=fallback,
        random_state=random_state,
    )  # fmt: skip
    question = prepared.task.question
    parts = [prepared.explain(rows) for rows in question.chunks(X, batch_size)]
    deltas = [part.delta for part in parts if part.delta is not None]
    single = len(question.picks) == 1

    def squeezed(values: FloatArray) -> FloatArray:
        return values[..., 0] if single else values

    return Bunch(
        attributions=squeezed(np.concatenate([part.values for part in parts])),
        base_values=None if parts[0].base is None else squeezed(parts[0].base),
        delta=squeezed(np.concatenate(deltas)) if deltas else None,
        data=X,
        feature_names=question.names,
        targets=question.targets,
        unit=unit_of(prepared, scale),
        method=method,
    )


def prepare(
    estimator: Any, X: Any, y: Any, *, method: str, scale: str | None, response_method: str,
    target: Any, at_step: int, baseline: Any, n_steps: int | Literal["auto"],
    fallback: Literal["difference"] | None, random_state: Any, sample_weight: Any = None,
) -> tuple[Method, Any]:  # fmt: skip
    """Check the arguments, and prepare the method for all rows."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, got {method!r}.")
    if n_steps != "auto" and not (isinstance(n_steps, Integral) and n_steps > 0):
        raise ValueError(f'n_steps must be "auto" or a positive integer, got {n_steps!r}.')
    question, X = ask(
        estimator, X, response_method=response_method, target=target, at_step=at_step,
        fallback=fallback,
    )  # fmt: skip
    n = X.shape[0]
    if y is not None and len(y) != n:
        raise ValueError(f"y has {len(y)} entries, but X has {n} rows.")
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    rng = check_random_state(random_state)
    return METHODS[method](Task(question, X, y, weight, scale, baseline, n_steps, rng)), X


def unit_of(method: Method, scale: str | None) -> str:
    """Say in words what one unit of the values is."""
    question = method.task.question
    of = "the loss" if method.name == "loss" else response_name(question)
    if method.additive:
        return f"contribution to {of}"
    per = {
        "std": "standard deviation",
        "iqr": "interquartile range",
        "input": "relative change",
        None: "unit",
    }
    return f"change in {of} per {per[scale]}"


def response_name(question: Question) -> str:
    """Name the response, and the class if there is one."""
    names = {
        "raw": "the raw prediction",
        "decision_function": "the decision function",
        "predict": "the prediction",
        "predict_proba": "the probability",
        "predict_log_proba": "the log-probability",
    }
    name = names[question.response]
    if len(question.targets) == 1 and question.response != "predict":
        return f"{name} of {question.targets[0]}"
    return name
