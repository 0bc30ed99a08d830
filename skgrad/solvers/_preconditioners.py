"""Approximate inverses of a Hessian, from a sample of the rows."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from skgrad._typing import FloatArray
from skgrad.objective import Objective
from skgrad.solvers._cholesky import factorise, solve

# An eigenvalue of the sample stands out if it exceeds the edge of the noise by this factor.
STANDS_OUT = 1.5
# Eigenvalues sought: beyond so many, their spectrum has no gap anyway.
MAX_RANK = 50
SUBSPACE_ITERATIONS = 3
# Curvatures in the remainder may be below their mean by this factor, as a rule.
UNSEEN = 10.0
# Least entry of a diagonal, relative to the largest: what no row curves is not divided by zero.
FLATTEST = 1e-6


class Preconditioner(ABC):
    """An approximate inverse of the Hessian.

    Attributes
    ----------
    margin : float
        Bound of the factor by which the sample may overstate a curvature.
    singular : bool
        Whether columns are linearly dependent in the sample.
    """

    margin: float
    singular: bool = False

    @abstractmethod
    def solve(self, gradient: FloatArray) -> FloatArray:
        """Multiply by the inverse."""


class CholeskyPreconditioner(Preconditioner):
    """The sample's Hessian, factorised: for several rows per parameter.

    Parameters
    ----------
    sample : Objective
        The objective on some rows.
    w : array of shape (n_params,)
        Point of the Hessian.
    """

    def __init__(self, sample: Objective, w: FloatArray) -> None:
        self.factors, self.singular = factorise(sample.hessian(w))
        self.margin = spread(sample.block_size, sample.n_samples)

    def solve(self, gradient: FloatArray) -> FloatArray:
        return solve(self.factors, gradient)


class LowRankPreconditioner(Preconditioner):
    r"""The sample's directions of large curvature, and one number for all others.

    .. math:: H \approx \nu I + U (\Lambda - \nu I) U'

    For fewer rows than the whole Hessian takes: eigenvalues below the edge of the noise,
    :math:`\nu (1 + \sqrt{p / m})^2` for m rows, say more about the sample than about the data.

    Parameters
    ----------
    sample : Objective
        The objective on some rows; outputs are separate.
    w : array of shape (n_params,)
        Point of the Hessian.

    References
    ----------
    Z. Frangella, P. Rathore, S. Zhao and M. Udell (2024). PROMISE: preconditioned stochastic
    optimization methods by incorporating scalable curvature estimates. Journal of Machine Learning
    Research 25, section 3.
    """

    def __init__(self, sample: Objective, w: FloatArray) -> None:
        self.parts = [_dominant(root) for root in sample.hessian_roots(w).astype(np.float64)]
        # What is below the mean of the rest is not seen at all.
        self.margin = UNSEEN * spread(sample.block_size, sample.n_samples)

    def solve(self, gradient: FloatArray) -> FloatArray:
        groups = gradient.reshape(len(self.parts), -1)
        solution = np.empty_like(groups)
        for row, group, (U, values, nu) in zip(solution, groups, self.parts, strict=True):
            row[...] = group / nu + U @ ((1.0 / values - 1.0 / nu) * (group @ U))
        return solution.ravel()


class DiagonalPreconditioner(Preconditioner):
    """The diagonal of the Hessian, of all rows: for sparse data with very many columns.

    Parameters
    ----------
    objective : Objective
        The objective.
    w : array of shape (n_params,)
        Point of the Hessian.
    """

    # Columns of text hardly correlate: the largest eigenvalue was 7 to 9 times the diagonal's.
    margin = 10.0

    def __init__(self, objective: Objective, w: FloatArray) -> None:
        diagonal = objective.hessian_diagonal(w)
        # A column whose rows are all beyond the margin of a hinge curves again a little further on.
        diagonal = np.maximum(diagonal, FLATTEST * float(diagonal.max()))
        self.inverse: FloatArray = (1.0 / diagonal).astype(objective.dtype)

    def solve(self, gradient: FloatArray) -> FloatArray:
        return self.inverse * gradient


def spread(n_params: int, n_samples: int) -> float:
    """Bound how far a sample overstates curvature (Marchenko and Pastur's law)."""
    return float((1.0 + (n_params / n_samples) ** 0.5) ** 2)


def _dominant(root: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Find the eigenvectors and eigenvalues of root'root that stand out, and the mean of the rest.

    By subspace iteration, which converges fast for what stands out.
    """
    m, p = root.shape
    rank = min(MAX_RANK, m, p)
    basis = np.random.default_rng(0).standard_normal((p, rank))
    for _ in range(SUBSPACE_ITERATIONS):
        basis, _ = np.linalg.qr(root.T @ (root @ basis))
    _, singular, right = np.linalg.svd(root @ basis, full_matrices=False)
    values = singular**2
    total, count = float(np.vdot(root, root)), 0
    while True:
        rest = max(total - float(values[:count].sum()), 1e-12 * total) / max(p - count, 1)
        found = int((values > STANDS_OUT * spread(p, m) * rest).sum())
        if found <= count:
            return basis @ right[:count].T, values[:count], rest
        count = found
