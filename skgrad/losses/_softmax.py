"""What the losses of a softmax share: they differ in how the target is written."""

from math import inf
from typing import ClassVar

import numpy as np
from scipy.special import xlogy

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.losses._base import Loss, border_tolerance
from skgrad.losses._statistics import FREQUENCY_MARGIN


def shifted_scores(raw: FloatArray) -> FloatArray:
    """Copy of raw with the largest score of each sample moved to 0, one row per class."""
    # Classes are few and samples many: reductions over classes are several times faster when
    # each class is contiguous (3 classes: 4 times for value and gradient together).
    scores = np.array(raw.T, order="C")
    scores -= scores.max(axis=0)
    return scores


def probabilities(raw: FloatArray) -> FloatArray:
    """Softmax, one row per class."""
    probability = shifted_scores(raw)
    np.exp(probability, out=probability)
    probability /= probability.sum(axis=0)
    return probability


def _tails(sorted_p: FloatArray) -> FloatArray:
    """Sum each row from every position to its end, the smallest entries first."""
    return np.cumsum(sorted_p[:, ::-1], axis=1)[:, ::-1]


def negative_entropy(shares: FloatArray) -> FloatArray:
    """Convex conjugate of log-sum-exp: sum_k s_k log s_k on the simplex, inf elsewhere.

    `shares` has shape (n_samples, K) and is overwritten; the result has shape (n_samples, 1).
    """
    tolerance = border_tolerance(shares)
    sum_error = np.abs(shares.sum(axis=1, keepdims=True) - 1.0)
    inside = (shares.min(axis=1, keepdims=True) >= -tolerance) & (
        sum_error <= tolerance * shares.shape[1]
    )
    np.maximum(shares, 0.0, out=shares)
    return np.where(inside, xlogy(shares, shares).sum(axis=1, keepdims=True), inf)


def centred_scores(frequency: FloatArray) -> FloatArray:
    """Scores that sum to 0, and whose softmax is `frequency`, nearly where that is 0."""
    score = np.log(np.maximum(frequency, FREQUENCY_MARGIN))
    score -= score.mean()
    return score


class Softmax(Loss):
    """Negative log-likelihood of classes whose probabilities are the softmax of raw.

    Its second derivative does not depend on the target. Arrays of raw's shape come in Fortran
    order.

    References
    ----------
    K. Tanabe and M. Sagae (1992). An exact Cholesky decomposition and the generalized inverse of
    the variance-covariance matrix of the multinomial distribution, with applications. Journal of
    the Royal Statistical Society B 54(1), 211-219.
    """

    smooth: ClassVar[bool] = True
    coupled: ClassVar[bool] = True

    @property
    def max_curvature(self) -> float:
        return 0.5

    def curvature(self, y: Array, raw: FloatArray) -> FloatArray:
        """Matrix diag(p) - p p' of each sample, of shape (n_samples, K, K)."""
        probability = probabilities(raw).T
        curvature = probability[:, :, None] * -probability[:, None, :]
        diagonal = np.arange(probability.shape[1])
        curvature[:, diagonal, diagonal] += probability
        return curvature

    def curvature_state(self, y: Array, raw: FloatArray) -> FloatArray:
        """Probabilities."""
        return probabilities(raw).T

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
        return probabilities(raw).T
