"""Which parameters and columns move the loss, and whether a fit has converged."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skgrad._typing import FloatArray
from skgrad.inspection._question import CHUNK_BYTES, checked
from skgrad.inspection.chain import Walk
from skgrad.inspection.chain.columns import names_of, take_rows, width
from skgrad.inspection.effects.covariance import MAX_PARAMETERS
from skgrad.inspection.effects.layers import Scored, ScoredLinear, Scores, scored
from skgrad.inspection.effects.points import last_step, to_last_step


class LossSensitivity(Bunch):
    """Sensitivities of the loss: see `loss_sensitivity`."""

    def to_frame(self) -> Any:
        """Write one row for each column of X, as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(
            {
                "feature": self.feature_names,
                "mean_abs": self.feature_mean_abs,
                "rms": self.feature_rms,
            }
        )


@dataclass
class Totals:
    """Weighted sums over rows, layer by layer."""

    first: list[FloatArray]
    absolute: list[FloatArray]
    square: list[FloatArray]
    of_columns: FloatArray
    loss: float = 0.0
    weight: float = 0.0
    fisher: FloatArray | None = None
    smooth: bool = True

    def add(self, scores: Scores, at_columns: FloatArray, weight: FloatArray) -> None:
        """Add some rows; moments of outer products are products of moments' factors."""
        for k, (delta, inputs) in enumerate(scores.layers):
            scaled = delta * weight[:, None]
            self.first[k] += scaled.T @ inputs
            self.absolute[k] += np.abs(scaled).T @ np.abs(inputs)
            self.square[k] += (scaled * delta).T @ np.square(inputs)
        sizes = np.stack([np.abs(at_columns), np.square(at_columns)])
        self.of_columns += np.einsum("n,mnd->md", weight, sizes)
        self.loss += float(weight @ scores.loss)
        self.weight += float(weight.sum())
        self.smooth = scores.smooth
        if self.fisher is not None:
            delta, inputs = scores.layers[0]
            flat = (delta[:, :, None] * inputs[:, None, :]).reshape(len(delta), -1)
            self.fisher += (flat * weight[:, None]).T @ flat


def loss_sensitivity(
    estimator: Any, X: Any, y: Any, *, sample_weight: Any = None, fisher: bool = False,
    tolerance: float = 1e-3, batch_size: int | None = None,
) -> LossSensitivity:  # fmt: skip
    r"""Measure how strongly parameters and columns move the loss, and audit the fit.

    .. math:: u_i = \frac{\partial \, loss_i}{\partial \theta}, \qquad
              \frac{1}{S} \sum_i s_i u_i + \nabla penalty(\theta) = 0
              \; \text{ where the fit has converged}

    The scores u have mean (almost) 0 there, so that their size counts: the mean of their absolute
    values, and their root mean square. The left side of the identity tells how far the fit is from
    a stationary point.

    Parameters
    ----------
    estimator : estimator
        Fitted: a linear model (linear, ridge, lasso, elastic net, logistic, Poisson; of skgrad or
        scikit-learn) or a network of skgrad, or a pipeline or search that ends in one.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        Data of the fit, for the audit to mean something; sensitivities make sense on others.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, those of the fit.
    fisher : bool, default=False
        Whether to compute the mean outer product of the scores (linear models only), an estimate
        of the Fisher information.
    tolerance : float, default=1e-3
        Largest gradient, in root mean square scores of its parameter, of a converged fit. n rows
        tell a parameter up to :math:`1 / \sqrt{n}` of this unit.
    batch_size : int, default=None
        Rows at a time; None for as many as fit a few megabytes.

    Returns
    -------
    Bunch
        ``score_mean``, ``score_mean_abs``, ``score_rms`` and ``gradient`` (of the mean loss and
        the penalty; of least norm where an L1 penalty has a kink): lists with an array of shape
        (n_outputs, n_inputs [+ 1]) for each layer, of which linear models have one; the last
        column is that of intercepts. ``residual`` is the largest gradient in root mean square
        scores, ``converged`` whether it is at most `tolerance`; NaN and None for losses with kinks,
        whose scores need not add up to 0. ``feature_mean_abs`` and ``feature_rms`` are sizes of the
        derivatives of the loss in the columns of X, NaN for categories. ``loss`` is the mean loss,
        ``fisher`` the matrix or None, ``feature_names``; and ``to_frame()``.

    Warns
    -----
    ConvergenceWarning
        If a linear model has not converged. Networks are often stopped early, on purpose.

    References
    ----------
    .. [1] L. Wasserman (2004). All of Statistics. Section 9.7 (scores and Fisher information).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import Ridge
    >>> from skgrad.inspection import loss_sensitivity
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> result = loss_sensitivity(Ridge(alpha=0.1).fit(X, y), X, y)
    >>> result.converged
    True
    >>> result.to_frame().nlargest(2, "rms")["feature"].tolist()
    ['bmi', 's5']
    """
    check_is_fitted(estimator)
    model = scored(last_step(estimator))
    X = checked(estimator, X)
    if len(y) != X.shape[0]:
        raise ValueError(f"y has {len(y)} rows, but X has {X.shape[0]}.")
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    weight = _class_weighted(model, y, weight)
    totals = _sum_up(estimator, model, X, np.asarray(y), weight, fisher, batch_size)
    return _summarised(names_of(X), model, totals, tolerance, type(last_step(estimator)).__name__)


def _class_weighted(model: Scored, y: Any, weight: FloatArray) -> FloatArray:
    if model.class_weight is None:
        return weight
    assert model.classes is not None
    factors = compute_class_weight(
        model.class_weight, classes=model.classes, y=np.asarray(y), sample_weight=weight
    )
    weighted: FloatArray = weight * factors[np.searchsorted(model.classes, np.asarray(y))]
    return weighted


def _sum_up(
    estimator: Any, model: Scored, X: Any, y: Any, weight: FloatArray, fisher: bool,
    batch_size: int | None,
) -> Totals:  # fmt: skip
    """Make one pass over the rows."""
    totals: Totals | None = None
    memory: dict[Any, Any] = {}
    size = batch_size or max(64, CHUNK_BYTES // (8 * _row_entries(model, width(X), fisher)))
    for start in range(0, X.shape[0], size):
        rows = slice(start, start + size)
        here = take_rows(X, rows)
        walk = Walk(np.arange(width(X)), names_of(X), memory=memory)
        design, _ = to_last_step(estimator, here, walk)
        scores = model.scores(design.value, y[rows])
        if totals is None:
            totals = _empty(scores, width(X), fisher)
        totals.add(scores, design.pull(scores.input), weight[rows])
    assert totals is not None
    return totals


def _row_entries(model: Scored, n_columns: int, fisher: bool) -> int:
    sizes = [weights.shape for weights in model.weights]
    widest = max(n_columns, *(max(shape) for shape in sizes))
    if not fisher:
        return widest
    if not isinstance(model, ScoredLinear):
        raise ValueError("fisher=True is for linear models: a network's matrix is too large.")
    order = model.fit.shape[0] * model.fit.shape[1]
    if order > MAX_PARAMETERS:
        raise ValueError(f"fisher=True needs a matrix of order {order}, too large to form.")
    return max(widest, order)


def _empty(scores: Scores, n_columns: int, fisher: bool) -> Totals:
    shapes = [(delta.shape[1], inputs.shape[1]) for delta, inputs in scores.layers]
    zeros: list[list[FloatArray]] = [[np.zeros(shape) for shape in shapes] for _ in range(3)]
    order = shapes[0][0] * shapes[0][1]
    matrix = np.zeros((order, order)) if fisher else None
    return Totals(zeros[0], zeros[1], zeros[2], np.zeros((2, n_columns)), fisher=matrix)


def _summarised(
    names: Any, model: Scored, totals: Totals, tolerance: float, name: str
) -> LossSensitivity:
    total = totals.weight
    rms = [np.sqrt(square / total) for square in totals.square]
    gradient = [first / total for first in totals.first]
    penalty = model.penalty_of(total)
    for weights, slope in zip(model.weights, gradient, strict=True):
        inputs = weights.shape[1]
        slope[:, :inputs] = penalty.minimum_norm_subgradient(weights, slope[:, :inputs])
    residual, converged = np.nan, None
    if totals.smooth:
        units = [np.where(one > 0.0, one, 1.0) for one in rms]
        pairs = zip(gradient, units, strict=True)
        residual = max(float(np.abs(slope / unit).max()) for slope, unit in pairs)
        converged = residual <= tolerance
    if converged is False and isinstance(model, ScoredLinear):
        warnings.warn(
            f"{name} has not converged, or X, y and sample_weight are not what it was fitted on:"
            f" its gradient is {residual:.2g} root mean square scores (tolerance={tolerance:g})."
            " Lower tol or raise max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )
    of_columns = totals.of_columns / total
    return LossSensitivity(
        score_mean=[first / total for first in totals.first],
        score_mean_abs=[absolute / total for absolute in totals.absolute], score_rms=rms,
        gradient=gradient, residual=residual, converged=converged, loss=totals.loss / total,
        feature_mean_abs=of_columns[0], feature_rms=np.sqrt(of_columns[1]), feature_names=names,
        fisher=None if totals.fisher is None else totals.fisher / total,
    )  # fmt: skip
