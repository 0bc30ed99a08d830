"""Averages of effects over strata of rows, and what the sampling of rows makes uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.inspection.effects.covariance import Moments
from skgrad.inspection.effects.rows import RowEffects
from skgrad.inspection.effects.strata import Stratum
from skgrad.inspection.effects.training import Training


@dataclass(frozen=True)
class Averages:
    """Mean effects.

    Parameters
    ----------
    effects : ndarray of shape (n_strata, n_terms, n_targets)
    jacobian : ndarray of shape (n_effects, n_outputs, n_parameters of an output) or None
        Its derivative in the parameters of a linear last step.
    """

    effects: FloatArray
    jacobian: FloatArray | None

    def in_free_parameters(self, basis: FloatArray) -> FloatArray:
        """Restrict the derivative to the parameters that matter, (n_effects, n_free params)."""
        assert self.jacobian is not None
        free: FloatArray = np.einsum("ekp,kf->efp", self.jacobian, basis)
        return free.reshape(len(free), -1)


def average(
    row_effects: RowEffects, strata: list[Stratum], *, derive: bool, batch_size: int | None
) -> Averages:
    """Average effects over each stratum, chunk by chunk."""
    effects, jacobians = [], []
    for stratum in strata:
        total: Any = 0.0
        sums: Any = 0.0
        size = batch_size or row_effects.chunk_size(stratum.X)
        for _, X, weight in stratum.chunks(size):
            found, jacobian = row_effects.at(X, weight if derive else None)
            total = total + np.tensordot(weight, found, axes=1)
            if jacobian is not None:
                sums = sums + jacobian
        effects.append(np.asarray(total) / stratum.total)
        jacobians.append(np.asarray(sums) / stratum.total)
    if not derive:
        return Averages(np.stack(effects), None)
    stacked = np.stack(jacobians)
    return Averages(np.stack(effects), stacked.reshape(-1, *stacked.shape[-2:]))


def sampling_covariance(
    row_effects: RowEffects, strata: list[Stratum], averages: Averages, *,
    training: Training | None, moments: Moments | None, clusters: Array | None,
    batch_size: int | None,
) -> FloatArray:  # fmt: skip
    r"""Compute the covariance that a new sample of rows would show.

    Each row moves a mean effect m by its own effect and, if the model is fitted anew, by its pull
    on the parameters,

    .. math:: \psi_i = \frac{g_i - m}{S_m} - J A^{-1} u_i

    with scores u, Hessian A and the derivative J of the mean effects; the covariance is
    :math:`\sum_i s_i \psi_i \psi_i^\top`, with sums over clusters in the place of rows if there are
    some.

    Parameters
    ----------
    row_effects : RowEffects
    strata : list of Stratum
        None of them a single point.
    averages : Averages
    training : Training or None
        With ``moments``, if the model is fitted anew.
    clusters : ndarray of int or None
    """
    X, weight = strata[0].X, strata[0].weight
    n, n_effects = X.shape[0], averages.effects.size
    covariance, sums = np.zeros((n_effects, n_effects)), None
    if clusters is not None:
        sums = np.zeros((int(clusters.max()) + 1, n_effects))
    pull = None
    if training is not None and moments is not None:
        pull = moments.bread @ averages.in_free_parameters(training.basis()).T
    size = batch_size or max(64, row_effects.chunk_size(X))
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        moves = _moves(row_effects, strata, averages, rows)
        if training is not None and pull is not None:
            moves -= training.scores(rows, training.point(rows)) @ pull
        own = weight[rows, None]
        if sums is None:
            covariance += (own * moves).T @ moves
        else:
            assert clusters is not None
            np.add.at(sums, clusters[rows], own * moves)
    if sums is not None:
        covariance = len(sums) / (len(sums) - 1) * (sums.T @ sums)
    return covariance


def _moves(
    row_effects: RowEffects, strata: list[Stratum], averages: Averages, rows: slice
) -> FloatArray:
    """Compute how far each row moves each mean effect by its own."""
    moves = np.zeros((rows.stop - rows.start, *averages.effects.shape))
    for k, stratum in enumerate(strata):
        numbered, X, _ = stratum.between(rows)
        if len(numbered):
            found, _ = row_effects.at(X)
            moves[numbered - rows.start, k] = (found - averages.effects[k]) / stratum.total
    return moves.reshape(len(moves), -1)
