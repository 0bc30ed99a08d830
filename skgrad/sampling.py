"""Random rows that stand for all rows."""

from __future__ import annotations

import numpy as np

from skgrad._typing import Matrix
from skgrad.linalg import take_rows
from skgrad.rows import Batch

# Share of the sample that is drawn uniformly: rows of small norm count too.
UNIFORM = 0.5


def important_rows(X: Matrix, data: Batch, n_samples: int) -> tuple[Matrix, Batch]:
    r"""Draw about n_samples rows, with weights that make sums over them unbiased estimates.

    .. math:: P(i) = \min\left(1, \; m \, s_i \left(\frac{1}{2 n}
              + \frac{|a_i|^2}{2 \sum_k |a_k|^2}\right)\right), \qquad s_i \leftarrow s_i / P(i)

    The squared norm of a row in standardised coordinates stands for its leverage: a category that
    only some ten rows out of a million have makes these rows long. A uniform sample would miss
    them, and with them all that is known of a coefficient. The draw is the same every time.

    Parameters
    ----------
    X : array or CSR matrix
        All rows as the user gave them.
    data : Batch
        The same rows as the objective sees them.
    n_samples : int
        Expected number of rows.

    Returns
    -------
    X, batch
        The rows drawn.

    References
    ----------
    P. Drineas, R. Kannan and M. Mahoney (2006). Fast Monte Carlo algorithms for matrices I. SIAM
    Journal on Computing 36, 132-157, section 4.
    """
    norms = data.A.unrotated_norms().astype(np.float64, copy=False)
    chance = UNIFORM / len(norms) + (1.0 - UNIFORM) / norms.sum() * norms
    weight = data.row_weights()
    if weight is not None:
        chance *= weight / weight.mean()
    chance = np.minimum(1.0, n_samples * chance)
    rows = np.flatnonzero(np.random.default_rng(0).random(len(chance)) < chance)
    batch = data.take(rows)
    inverse = (1.0 / chance[rows])[:, None].astype(data.A.dtype)
    weight = data.share * inverse if batch.weight is None else batch.weight * inverse
    return take_rows(X, rows), batch._replace(weight=weight, share=1.0 / len(rows))
