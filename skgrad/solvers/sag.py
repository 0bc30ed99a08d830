"""Stochastic average gradient."""

from __future__ import annotations

from typing import ClassVar

from skgrad.capabilities import Capability
from skgrad.finite_sum import Estimator
from skgrad.solvers._variance_reduced import VarianceReduced


class SAG(VarianceReduced):
    r"""Stochastic average gradient: steps along the sum of a table of gradients.

    .. math:: g_k \leftarrow f_k'(w), \qquad
              w \leftarrow w - \eta \Bigl[\sum_i g_i + penalty'(w)\Bigr]

    The elder of `SAGA`, with the same table of one gradient for each row (a block of rows of small
    data). The direction is biased, but varies less. There is no theory for penalties with kinks:
    those are left to `SAGA`. Heavy or long rows are visited more often, weights of zero never
    count, and the order of the rows is the same in every run.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        Step :math:`\eta`. "auto" is :math:`1 / (2 L)`, L the largest curvature of a part over its
        probability, and is halved if the objective grows out of bounds. (The proof asks for
        :math:`1 / (16 L)`, its authors recommend :math:`1 / L`.)

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> Ridge(alpha=0.1, solver="sag").fit(X, y).converged_
    True

    References
    ----------
    M. Schmidt, N. Le Roux and F. Bach (2017). Minimizing finite sums with the stochastic average
    gradient. Mathematical Programming 162, 83-112, algorithm 1 and section 4.
    """

    name = "sag"
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.LINEAR, Capability.SMOOTH_LOSS, Capability.SMOOTH_PENALTY}
    )
    estimator: ClassVar[Estimator] = Estimator(biased=True, refresh=True)

    def __init__(self, learning_rate: float | str = "auto") -> None:
        self.learning_rate = learning_rate

    def automatic_step(self, smoothness: float) -> float:
        """Choose 1 / (2 L)."""
        return 1.0 / (2.0 * smoothness)
