"""Stochastic variance-reduced gradient."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skgrad.finite_sum import Estimator
from skgrad.solvers._variance_reduced import VarianceReduced


class SVRG(VarianceReduced):
    r"""Stochastic variance-reduced gradient: gradients corrected by those at a snapshot.

    .. math:: w \leftarrow prox_{\eta \, penalty}\Bigl(w - \eta \Bigl[
              \frac{f_k'(w) - f_k'(\tilde w)}{p_k} + \sum_i f_i'(\tilde w)\Bigr]\Bigr)

    An iteration is a number of such updates and a pass over all rows, which makes their end the
    next snapshot :math:`\tilde w` and gives value and gradient there. Part k, drawn with
    probability :math:`p_k`, is a row of large data and a block of rows of small data. As in `SAGA`
    the variance vanishes towards the minimum, sparse rows change the coefficients of their
    non-zeros only, and heavy or long rows are drawn more often.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        Step :math:`\eta`. "auto" is :math:`1 / (2 L)`, L the largest curvature of a part over its
        probability, and is halved if the objective rises.
    inner : float, default=2.0
        Updates between two snapshots, in units of the number of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> LogisticRegression(C=0.1, solver="svrg").fit(X, y).converged_
    True

    References
    ----------
    R. Johnson and T. Zhang (2013). Accelerating stochastic gradient descent using predictive
    variance reduction. NeurIPS 26, figure 1 (option I).

    L. Xiao and T. Zhang (2014). A proximal stochastic gradient method with progressive variance
    reduction. SIAM Journal on Optimization 24, 2057-2075, section 2.
    """

    name = "svrg"
    estimator: ClassVar[Estimator] = Estimator(biased=False, refresh=False)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **VarianceReduced._parameter_constraints,
        "inner": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, learning_rate: float | str = "auto", *, inner: float = 2.0) -> None:
        self.learning_rate = learning_rate
        self.inner = inner

    def automatic_step(self, smoothness: float) -> float:
        """Choose 1 / (2 L)."""
        return 1.0 / (2.0 * smoothness)
