"""Average marginal effects of the user's columns, with standard errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_random_state

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection._question import Question
from skgrad.inspection.effects.averages import Averages, average, sampling_covariance
from skgrad.inspection.effects.bootstrap import bootstrap_covariance
from skgrad.inspection.effects.covariance import collect, model_based
from skgrad.inspection.effects.fits import LinearFit, fit_with_covariance
from skgrad.inspection.effects.points import last_step
from skgrad.inspection.effects.request import (
    WITHOUT_FIT,
    Data,
    ask_effects,
    check_data,
    check_level,
    check_points,
)
from skgrad.inspection.effects.result import MarginalEffects, with_tests
from skgrad.inspection.effects.rows import RowEffects
from skgrad.inspection.effects.strata import Stratum, stratify
from skgrad.inspection.effects.terms import Terms
from skgrad.inspection.effects.training import Training
from skgrad.losses import SquaredError

RESPONSES = {
    "predict_proba": "the probability", "predict_log_proba": "the logarithm of the probability",
    "decision_function": "the score", "raw": "the raw prediction", "predict": "the prediction",
}  # fmt: skip
UNITS = {
    "dydx": "change in {} per unit of the column, or from one category to the other",
    "eyex": "relative change in {} per relative change of the column",
    "dyex": "change in {} per relative change of the column",
    "eydx": "relative change in {} per unit of the column, or from one category to the other",
}


def average_marginal_effects(
    estimator: Any, X: Any, y: Any = None, *,
    method: Literal["dydx", "eyex", "dyex", "eydx"] = "dydx", at: Any = "overall",
    variables: Any = None, by: Any = None, contrast: Any = "reference", vcov: Any = "delta",
    groups: Any = None, sample_weight: Any = None, confidence_level: float = 0.95,
    discrete: Any = "auto", response_method: str = "auto", target: Any = None,
    fallback: Literal["difference"] | None = None, n_bootstrap: int = 200,
    random_state: Any = None, batch_size: int | None = None,
) -> MarginalEffects:  # fmt: skip
    r"""Average the effects of the columns on a response, with standard errors.

    .. math:: m_j = \frac{1}{S} \sum_i s_i \frac{\partial f(x_i)}{\partial x_{ij}},
              \qquad
              m_{b - a} = \frac{1}{S} \sum_i s_i
              \big( f(x_i | x_{ij} = b) - f(x_i | x_{ij} = a) \big)

    in the columns that the user has, through all steps of a pipeline: derivatives in numbers,
    contrasts between categories. They describe the fitted model, not the world.

    Parameters
    ----------
    estimator : estimator
        Fitted: a predictor, or a pipeline or search that ends in one.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        The rows to average over. Where standard errors need the model's scores or its Hessian
        (all `vcov` but None and arrays), the data of the fit.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets of the fit; for `vcov` "delta" only linear regression needs them.
    method : {"dydx", "eyex", "dyex", "eydx"}, default="dydx"
        Slopes of the response or ("ey") of its logarithm, in the column or ("ex") in its
        logarithm; "eyex" are elasticities.
    at : {"overall", "mean", "median", "zero"} or DataFrame, default="overall"
        "overall" averages over all rows. "mean", "median" and "zero" put one row in their place,
        with columns of categories at their most frequent value. A DataFrame sets its columns to the
        values of each of its rows in turn, in all rows of X.
    variables : str, int or list of these, default=None
        Columns whose effects are wanted; None for all.
    by : str, list of str or array-like of shape (n_samples,), default=None
        Columns, or labels of the rows: one average for each of their values.
    contrast : {"reference", "pairwise", "sequential"} or dict, default="reference"
        What categories are compared with: the first one (a dict names others for some columns),
        each other, or the one before.
    vcov : {"delta", "sandwich", "cluster", "unconditional", "bootstrap"}, ndarray or None, \
default="delta"
        See Notes. An array is the covariance of the parameters, in the order of
        ``numpy.column_stack([coef_, intercept_]).ravel()``.
    groups : array-like of shape (n_samples,), default=None
        Clusters of rows for "cluster"; "unconditional", "bootstrap" and None take them as well.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, those of the fit. A weight of k is the row k times.
    confidence_level : float, default=0.95
        Of the intervals, which are normal ones.
    discrete : "auto" or list of str or int, default="auto"
        Columns of numbers to take for categories: "auto" those that hold 0 and 1 only (but none
        for "eyex" and "dyex"). Columns that hold no numbers, or that an encoder reads, always are.
    response_method : {"auto", "predict_proba", "decision_function", "predict_log_proba", \
"predict", "raw"}, default="auto"
        "auto" is the probability for classifiers that have it, or else the score, and the
        prediction of regressors.
    target : class label or int, default=None
        The class, or the number of the output. None stands for the positive class of two, and for
        all classes or outputs where there are more.
    fallback : {"difference"}, default=None
        See `input_gradients`.
    n_bootstrap : int, default=200
        Refits for "bootstrap".
    random_state : int, RandomState instance or None, default=None
        Source of the draws for "bootstrap".
    batch_size : int, default=None
        Rows at a time; None for as many as fit a few megabytes.

    Returns
    -------
    Bunch
        ``effects``, ``standard_errors``, ``z`` and ``p_values`` of shape (n_terms,), or (n_terms,
        n_targets) for several classes or outputs; ``conf_int`` with a last axis of lower and upper
        end; ``covariance`` of the raveled effects; ``feature_names`` (a column, or a contrast such
        as "city[b - a]"), ``variables`` (its column) and ``strata`` (which value of `by`, which row
        of `at`) of each term; ``targets``, ``response``, ``method``, ``vcov``, ``unit``; and
        ``to_frame()``.

    Raises
    ------
    NonDifferentiableError
        If a step or the model has no derivative that would mean anything.
    ValueError
        If the covariance does not exist (an L1 penalty, a singular Hessian, a network) or needs
        arguments that are missing.

    Notes
    -----
    What the standard errors say:

    None
        Another sample of rows, with the fitted model as it is; NaN at a single point. The only one
        that any model has, next to "bootstrap".
    "delta"
        Refit on new y at the same X, if the model is right: :math:`J V J^\top` with the derivative
        J of the mean effects in the parameters and :math:`V = A^{-1} F A^{-1}`, where A is the
        Hessian with the penalty and F the Fisher information. Without a penalty V is the inverse
        Hessian, as in statsmodels and Stata.
    "sandwich"
        The same, but robust (HC0): :math:`F = \sum_i s_i u_i u_i^\top` from the scores u of the
        rows' losses, without the penalty.
    "cluster"
        The same with scores summed over groups, and the correction
        :math:`\frac{G}{G - 1} \frac{n - 1}{n - p}`.
    "unconditional"
        A new sample of rows and targets: the first and the third together, from each row's
        influence :math:`(g_i - m) / S - J A^{-1} u_i`. Not at single points.
    "bootstrap"
        The whole recipe, refitted on rows drawn with replacement; what is searched is searched
        again.

    With an L2 penalty they are errors around the penalised optimum: the bias of shrinkage is not
    in them. Transformers before the last step are taken as given in all but "bootstrap". Linear,
    ridge, logistic (binary, multinomial) and Poisson regression have all kinds, from skgrad and
    from scikit-learn, at the end of any pipeline. Memory is that of chunks of rows and of squares
    of the number of parameters.

    References
    ----------
    .. [1] W. Greene (2018). Econometric Analysis. 8th edition, sections 17.2.4 and 17.2.6.
    .. [2] J. Wooldridge (2010). Econometric Analysis of Cross Section and Panel Data. 2nd edition,
       sections 12.5 and 15.6.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import average_marginal_effects
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = X[["mean radius", "mean texture"]]
    >>> clf = LogisticRegression(C=float("inf")).fit(X, y)
    >>> result = average_marginal_effects(clf, X, y)
    >>> result.to_frame()[["feature", "effect", "standard_error"]].round(4)
            feature  effect  standard_error
    0   mean radius -0.0829          0.0037
    1  mean texture -0.0171          0.0025
    """
    question, X, terms = ask_effects(
        estimator, X, response_method=response_method, target=target, fallback=fallback,
        method=method, variables=variables, contrast=contrast, discrete=discrete,
    )  # fmt: skip
    data = check_data(X, y, sample_weight, groups, vcov)
    fit = None if data.kind in WITHOUT_FIT else fit_with_covariance(last_step(estimator))
    strata = stratify(question, X, data.weight, at=at, by=by)
    check_points(strata, data.kind)
    check_level(confidence_level)
    row_effects = RowEffects(question, terms, fit)
    averages = average(row_effects, strata, derive=fit is not None, batch_size=batch_size)
    if data.kind == "bootstrap":
        covariance = bootstrap_covariance(
            estimator, X, data.y, None if sample_weight is None else data.weight,
            clusters=data.clusters, n_bootstrap=n_bootstrap, rng=check_random_state(random_state),
            effects=lambda refitted, here, rows: _refitted_effects(
                refitted, here, rows, question, terms, data.weight, at, by, strata, batch_size
            ),
        )  # fmt: skip
    else:
        covariance = _covariance(row_effects, strata, averages, data, fit, vcov, batch_size)
    return _result(averages, covariance, confidence_level, question, terms, strata, method, vcov)


def _covariance(
    row_effects: RowEffects, strata: list[Stratum], averages: Averages, data: Data,
    fit: LinearFit | None, vcov: Any, batch_size: int | None,
) -> FloatArray:  # fmt: skip
    n_effects = averages.effects.size
    if data.kind is None:
        if strata[0].is_point:
            return np.full((n_effects, n_effects), np.nan)
        return sampling_covariance(
            row_effects, strata, averages, training=None, moments=None, clusters=data.clusters,
            batch_size=batch_size,
        )  # fmt: skip
    assert fit is not None
    if data.kind == "given":
        return _given(averages, fit, vcov)
    training = _training(row_effects.question, fit, strata, data)
    moments = collect(training, with_scores=data.kind in ("sandwich", "cluster"))
    if data.kind == "unconditional":
        return sampling_covariance(
            row_effects, strata, averages, training=training, moments=moments,
            clusters=data.clusters, batch_size=batch_size,
        )  # fmt: skip
    if data.kind == "delta":
        parameters = model_based(training, moments)
    else:
        assert moments.outer is not None
        parameters = moments.bread @ moments.outer @ moments.bread
    jacobian = averages.in_free_parameters(training.basis())
    covariance: FloatArray = jacobian @ parameters @ jacobian.T
    return covariance


def _given(averages: Averages, fit: LinearFit, vcov: FloatArray) -> FloatArray:
    jacobian = averages.in_free_parameters(np.eye(fit.n_outputs))
    order = jacobian.shape[1]
    if vcov.shape != (order, order):
        raise ValueError(
            f"vcov has shape {vcov.shape}, but {fit.name} has {order} parameters: for each output"
            " its coefficients, and the intercept."
        )
    covariance: FloatArray = jacobian @ vcov @ jacobian.T
    return covariance


def _training(question: Question, fit: LinearFit, strata: list[Stratum], data: Data) -> Training:
    if data.kind == "delta" and fit.class_weight is not None:
        raise ValueError(
            'class_weight makes the losses no likelihood, so that vcov="delta" does not hold: use'
            ' vcov="sandwich".'
        )
    if data.y is None and isinstance(fit.loss, SquaredError):
        raise ValueError(
            f'vcov="delta" needs y for {fit.name}: the residuals tell how noisy the targets are.'
        )
    factor = None if data.y is None else fit.class_factors(data.y, data.weight)
    target = None if data.y is None else fit.code(data.y)
    return Training(question, fit, data.X, target, data.weight, factor, data.clusters)


def _refitted_effects(
    refitted: Any, X: Any, rows: IntArray, question: Question, terms: Terms, weight: FloatArray,
    at: Any, by: Any, strata: list[Stratum], batch_size: int | None,
) -> FloatArray:  # fmt: skip
    """Compute the effects of a refitted model on the rows that it was fitted on."""
    question = replace(question, estimator=refitted, memory={})
    if by is not None and not isinstance(by, str) and len(by) == len(weight):
        by = np.asarray(by)[rows]
    drawn = stratify(question, X, weight[rows], at=at, by=by)
    if [stratum.label for stratum in drawn] != [stratum.label for stratum in strata]:
        raise ValueError("A bootstrap sample holds no rows of one of the groups of `by`.")
    row_effects = RowEffects(question, terms, None)
    return average(row_effects, drawn, derive=False, batch_size=batch_size).effects.ravel()


def _result(
    averages: Averages, covariance: FloatArray, confidence_level: float, question: Question,
    terms: Terms, strata: list[Stratum], method: str, vcov: Any,
) -> MarginalEffects:  # fmt: skip
    n_strata, n_terms, n_targets = averages.effects.shape
    effects = averages.effects.reshape(n_strata * n_terms, n_targets)
    response = RESPONSES[question.response]
    if len(question.targets) == 1 and question.response.endswith("proba"):
        response += f" of {question.targets[0]!r}"
    return with_tests(
        effects[:, 0] if n_targets == 1 else effects, covariance, confidence_level,
        feature_names=np.array(terms.labels * n_strata, dtype=object),
        variables=np.array(terms.columns * n_strata, dtype=object),
        strata=np.repeat(np.array([one.label for one in strata], dtype=object), n_terms),
        targets=question.targets, response=question.response, method=method,
        vcov="given" if isinstance(vcov, np.ndarray) else vcov,
        unit=UNITS[method].format(response),
    )  # fmt: skip
