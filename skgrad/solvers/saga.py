"""SAGA."""

from __future__ import annotations

from typing import ClassVar

from skgrad.finite_sum import Estimator
from skgrad.solvers._variance_reduced import VarianceReduced


class SAGA(VarianceReduced):
    r"""SAGA: stochastic gradients corrected by a table of earlier ones.

    .. math:: w \leftarrow prox_{\eta \, penalty}\Bigl(w - \eta \Bigl[
              \frac{f_k'(w) - g_k}{p_k} + \sum_i g_i\Bigr]\Bigr), \qquad g_k \leftarrow f_k'(w)

    Part k, drawn with probability :math:`p_k`, is a row of large data and a block of rows of small
    data, and :math:`f_k` is its weighted loss. The estimate of the gradient is unbiased, and its
    variance goes to zero with the distance to the minimum: steps stay as long as they are, and the
    objective falls by a constant factor an epoch where it is strongly convex. For a linear model
    the table is one number per row and output.

    Rows of large sparse data change the coefficients of their non-zeros only. Heavy or long rows
    are drawn more often, so weights of any size (and of zero) are right, and slow nothing down.
    The order of the rows is the same in every run. Takes smooth losses, and penalties with a
    proximal operator: L1 gives exact zeros.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        Step :math:`\eta`. "auto" is :math:`1 / (2 L)`, L the largest curvature of a part over its
        probability, and is halved if the objective rises. (The proofs ask for :math:`1 / (3 L)`,
        which takes up to half as many epochs more.)

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgrad import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = Lasso(alpha=1.0, solver="saga").fit(X, y)
    >>> lasso.converged_, int((lasso.coef_ == 0).sum())
    (True, 7)

    References
    ----------
    A. Defazio, F. Bach and S. Lacoste-Julien (2014). SAGA: a fast incremental gradient method with
    support for non-strongly convex composite objectives. NeurIPS 27, equations (1) and (2).
    """

    name = "saga"
    estimator: ClassVar[Estimator] = Estimator(biased=False, refresh=True)

    def __init__(self, learning_rate: float | str = "auto") -> None:
        self.learning_rate = learning_rate

    def automatic_step(self, smoothness: float) -> float:
        """Choose 1 / (2 L)."""
        return 1.0 / (2.0 * smoothness)
