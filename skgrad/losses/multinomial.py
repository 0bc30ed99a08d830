"""The multinomial logistic loss."""

from math import inf, log
from typing import ClassVar

import numpy as np
from scipy.special import xlogy

from skgrad._kernels.formulas import CompiledLoss, LossFormula
from skgrad._typing import Array, FloatArray, IntArray
from skgrad.losses._base import Loss, Target, border_tolerance
from skgrad.losses._statistics import FREQUENCY_MARGIN


def _shifted_scores(raw: FloatArray) -> FloatArray:
    """Copy of raw with the largest score of each sample moved to 0, one row per class."""
    # Classes are few and samples many: reductions over classes are several times faster when
    # each class is contiguous (3 classes: 4 times for value and gradient together).
    scores = np.array(raw.T, order="C")
    scores -= scores.max(axis=0)
    return scores


def _probabilities(raw: FloatArray) -> FloatArray:
    """Softmax, one row per class."""
    probability = _shifted_scores(raw)
    np.exp(probability, out=probability)
    probability /= probability.sum(axis=0)
    return probability


def _tails(sorted_p: FloatArray) -> FloatArray:
    """Sum each row from every position to its end, the smallest entries first."""
    return np.cumsum(sorted_p[:, ::-1], axis=1)[:, ::-1]


class Multinomial(Loss):
    """Multinomial logistic loss: the negative log-likelihood of one class out of K.

    ::

        value(y, z) = log(sum_k exp(z_k)) - z_y

    `y` holds class codes from 0 to K - 1, of shape (n_samples,); the value has shape
    (n_samples, 1). Adding a number to all scores of a sample changes nothing, and `constant` is
    the minimiser whose entries sum to 0. Arrays of raw's shape come in Fortran order.

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import Multinomial
    >>> loss, raw = Multinomial(), np.log([[1.0, 2.0, 1.0]])
    >>> loss.inverse_link(raw).round(2).tolist()
    [[0.25, 0.5, 0.25]]
    >>> loss.gradient(np.array([1]), raw).round(2).tolist()
    [[0.25, -0.5, 0.25]]

    References
    ----------
    K. Tanabe and M. Sagae (1992). An exact Cholesky decomposition and the generalized inverse of
    the variance-covariance matrix of the multinomial distribution, with applications. Journal of
    the Royal Statistical Society B 54(1), 211-219.
    """

    name: ClassVar[str] = "multinomial"
    smooth: ClassVar[bool] = True
    target: ClassVar[Target] = "class_index"
    separated_below: ClassVar[float] = log(2.0)
    coupled: ClassVar[bool] = True

    @property
    def formula(self) -> CompiledLoss:
        return CompiledLoss(LossFormula.MULTINOMIAL)

    @property
    def max_curvature(self) -> float:
        return 0.5

    def value(self, y: Array, raw: FloatArray) -> FloatArray:
        scores = _shifted_scores(raw)
        own = scores[y, np.arange(len(y))]
        np.exp(scores, out=scores)
        value = np.log(scores.sum(axis=0))
        value -= own
        return value[:, None]

    def gradient(self, y: Array, raw: FloatArray) -> FloatArray:
        gradient = _probabilities(raw)
        gradient[y, np.arange(len(y))] -= 1.0
        return gradient.T

    def value_and_gradient(self, y: Array, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores, own = _shifted_scores(raw), (y, np.arange(len(y)))
        own_score = scores[own]
        np.exp(scores, out=scores)
        total = scores.sum(axis=0)
        scores /= total
        scores[own] -= 1.0
        value = np.log(total, out=total)
        value -= own_score
        return value[:, None], scores.T

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        """Matrix diag(p) - p p' of each sample, of shape (n_samples, K, K)."""
        probability = _probabilities(raw).T
        curvature = probability[:, :, None] * -probability[:, None, :]
        diagonal = np.arange(probability.shape[1])
        curvature[:, diagonal, diagonal] += probability
        return curvature

    def curvature_state(self, y: Array, raw: FloatArray) -> FloatArray:
        """Probabilities."""
        return _probabilities(raw).T

    def curvature_product(self, state: FloatArray, direction: FloatArray) -> FloatArray:
        probability = state.T
        product = probability * direction.T
        product -= probability * product.sum(axis=0)
        return product.T

    def curvature_root(self, state: FloatArray, direction: FloatArray) -> FloatArray:
        r"""Multiply by :math:`diag(\sqrt p) - p \sqrt p^T`."""
        probability, root = state.T, np.sqrt(state.T)
        root *= direction.T
        root -= probability * root.sum(axis=0)
        return root.T

    def total_curvature(self, state: FloatArray, weight: FloatArray) -> FloatArray:
        weighted = state * weight
        total = -(weighted.T @ state).astype(np.float64)
        total[np.diag_indices(len(total))] += np.add.reduce(weighted, axis=0, dtype=np.float64)
        return total

    def rank_one_terms(self, state: FloatArray) -> FloatArray:
        r"""Strengths in the factorisation LDL' of diag(p) - pp', classes in order of p.

        .. math:: d_j = p_j s_{j+1} / s_j, \quad v_j = e_j - \sum_{k > j} e_k p_k / s_{j+1},
                  \quad s_j = \sum_{k \ge j} p_k

        (Tanabe and Sagae 1992). With the likeliest class first, one term holds nearly all of the
        curvature of a sample that is sure of its class, or undecided between two.
        """
        sorted_p = np.sort(state, axis=1)[:, ::-1]
        tails = _tails(sorted_p)
        # What lies behind the last class is zero: so is its term.
        behind = np.append(tails[:, 1:], np.zeros_like(tails[:, :1]), axis=1)
        return sorted_p * behind / np.maximum(tails, np.finfo(state.dtype).tiny)

    def rank_one_directions(self, state: FloatArray, terms: IntArray) -> FloatArray:
        order = np.argsort(state, axis=1)[:, ::-1]
        sorted_p, each = np.take_along_axis(state, order, axis=1), np.arange(len(state))
        behind = np.where(np.arange(state.shape[1]) > terms[:, None], sorted_p, 0.0)
        total = np.maximum(behind.sum(axis=1, keepdims=True), np.finfo(state.dtype).tiny)
        sorted_v = -behind / total
        sorted_v[each, terms] = 1.0
        directions = np.empty_like(sorted_v)
        np.put_along_axis(directions, order, sorted_v, axis=1)
        return directions

    def inverse_link(self, raw: FloatArray) -> FloatArray:
        return _probabilities(raw).T

    def conjugate(self, y: Array, dual: FloatArray) -> FloatArray:
        shifted, tolerance = dual.copy(), border_tolerance(dual)
        shifted[np.arange(len(y)), y] += 1.0
        sum_error = np.abs(shifted.sum(axis=1, keepdims=True) - 1.0)
        inside = (shifted.min(axis=1, keepdims=True) >= -tolerance) & (
            sum_error <= tolerance * dual.shape[1]
        )
        np.maximum(shifted, 0.0, out=shifted)
        return np.where(inside, xlogy(shifted, shifted).sum(axis=1, keepdims=True), inf)

    def _constant(self, y: Array, weights: FloatArray, n_outputs: int | None) -> FloatArray:
        frequency = np.bincount(y, weights=weights, minlength=n_outputs or 0) / weights.sum()
        score = np.log(np.maximum(frequency, FREQUENCY_MARGIN))
        score -= score.mean()
        return score
