"""Gradients of a response with respect to the columns of the input."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skgrad._typing import FloatArray
from skgrad.inspection._question import ask, checked, choose_response
from skgrad.inspection.chain import Local, Walk
from skgrad.inspection.chain.columns import names_of, take_rows, width


def input_gradients(
    estimator: Any, X: Any, *, response_method: str = "auto", target: Any = None,
    at_step: int = 0, fallback: Literal["difference"] | None = None,
    batch_size: int | None = None,
) -> FloatArray:  # fmt: skip
    r"""Differentiate the response of a fitted estimator in each entry of X.

    .. math:: G_{ij} = \frac{\partial f(x_i)}{\partial x_{ij}}

    by the chain rule, backwards through all steps of a pipeline to the columns that the user has.

    Parameters
    ----------
    estimator : estimator
        Fitted: a predictor, or a pipeline or search that ends in one.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        Where to differentiate; as `estimator.predict` takes it.
    response_method : {"auto", "decision_function", "predict_proba", "predict_log_proba", \
"predict", "raw"}, default="auto"
        What to differentiate. "auto" is the decision function of a classifier that has one, or
        else its probabilities, and the prediction of a regressor; "raw" is what the link is put
        behind, log-odds or the logarithm of a mean.
    target : class label or int, default=None
        The class, or the number of the output. None stands for the positive class of two, and for
        all classes or outputs where there are more.
    at_step : int, default=0
        The step of a pipeline before whose input the chain ends: 0 for the columns of X, -1 for
        the columns that the last step sees.
    fallback : {"difference"}, default=None
        Let average slopes over half a standard deviation to both sides stand in for derivatives
        that do not exist or are not known, with a `FiniteDifferenceWarning`.
    batch_size : int, default=None
        Rows at a time; None for as many as fit a few megabytes.

    Returns
    -------
    ndarray of shape (n_samples, n_features) or (n_samples, n_features, n_outputs)
        The second for several classes or outputs. NaN in columns of categories, which have no
        derivative.

    Raises
    ------
    NonDifferentiableError
        If a step or the model has no derivative that would mean anything, such as trees.
    ValueError
        If the columns of X are not those of the fit, or the target is not known.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import Ridge
    >>> from skgrad.inspection import input_gradients
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ridge = Ridge().fit(X, y)
    >>> bool((input_gradients(ridge, X) == ridge.coef_).all())
    True
    """
    question, X = ask(
        estimator, X, response_method=response_method, target=target, at_step=at_step,
        fallback=fallback,
    )  # fmt: skip
    gradients = np.empty((X.shape[0], width(X), len(question.picks)))
    for rows in question.chunks(X, batch_size):
        local, _ = question.walk(take_rows(X, rows))
        for k, cotangent in enumerate(question.cotangents(rows.stop - rows.start)):
            gradients[rows, :, k] = local.pull(cotangent)
    return gradients[:, :, 0] if len(question.picks) == 1 else gradients


def vjp(step: Any, X: Any, cotangent: FloatArray) -> FloatArray:
    r"""Multiply the transposed Jacobian of a fitted step with a cotangent, row by row.

    .. math:: v_i = J(x_i)^\top c_i

    Parameters
    ----------
    step : transformer or predictor
        Fitted; a pipeline of transformers, too.
    X : array of shape (n_samples, n_in)
        Input of the step.
    cotangent : ndarray of shape (n_samples, n_out)
        Derivatives of something in the outputs of the step.

    Returns
    -------
    ndarray of shape (n_samples, n_in)
        Its derivatives in the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skgrad.inspection import vjp
    >>> X = np.array([[0.0], [4.0]])
    >>> vjp(StandardScaler().fit(X), X, np.ones((2, 1)))
    array([[0.5],
           [0.5]])
    """
    return np.asarray(_local(step, X).pull(np.asarray(cotangent, dtype=np.float64)))


def input_jacobian(step: Any, X: Any) -> FloatArray:
    """Compute the Jacobian of a fitted step at each row.

    Parameters
    ----------
    step : transformer or predictor
        Fitted; a pipeline of transformers, too.
    X : array of shape (n_samples, n_in)
        Input of the step.

    Returns
    -------
    ndarray of shape (n_samples, n_out, n_in)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import PolynomialFeatures
    >>> from skgrad.inspection import input_jacobian
    >>> X = np.array([[3.0]])
    >>> input_jacobian(PolynomialFeatures(2).fit(X), X)
    array([[[0.],
            [1.],
            [6.]]])
    """
    local = _local(step, X)
    n_samples, n_out = local.value.shape
    units = (np.tile(unit, (n_samples, 1)) for unit in np.eye(n_out))
    return np.stack([local.pull(unit) for unit in units], axis=1)


def _local(step: Any, X: Any) -> Local:
    """Evaluate one step; the response of a predictor is its first that has a gradient."""
    check_is_fitted(step)
    X = checked(step, X)
    predicts = hasattr(step, "predict") and not hasattr(step, "transform")
    response = choose_response(step, "auto") if predicts else "raw"
    walk = Walk(np.arange(width(X)), names_of(X), response)
    return walk.respond(step, X) if predicts else walk.transform(step, X)
