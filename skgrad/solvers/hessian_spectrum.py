"""Extreme eigenvalues of a Hessian that is known by its products with vectors only."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.solvers._base import AnyObjective, IncompatibleSolverError

# Up to this order the whole matrix, column by column, takes fewer products than Lanczos' method.
SMALL_ORDER = 32
WHICH = {"largest": "LA", "smallest": "SA", "magnitude": "LM"}


def hessian_eigenvalues(
    objective: AnyObjective, w: FloatArray, k: int = 1, *, which: str = "largest",
    tol: float = 1e-6, return_vectors: bool = False,
) -> FloatArray | tuple[FloatArray, FloatArray]:  # fmt: skip
    r"""Compute the k extreme eigenvalues of :math:`\nabla^2 F(w)` by Lanczos' method.

    Each of some tens of iterations is a product with the exact Hessian, a pass over the data or
    two. The eigenvalues are those of the objective's smooth part in its own coordinates: a
    network's parameters, or a linear model's in standardised columns. The largest one bounds stable
    step sizes of gradient descent by 2 / eigenvalue; negative ones tell a saddle point from a
    minimum.

    Parameters
    ----------
    objective : Objective or NetworkObjective
        With a smooth loss.
    w : array of shape (n_params,)
        The point.
    k : int, default=1
        Number of eigenvalues, from 1 to n_params.
    which : {"largest", "smallest", "magnitude"}, default="largest"
        Which end of the spectrum; "magnitude" goes by absolute values.
    tol : float, default=1e-6
        Relative accuracy.
    return_vectors : bool, default=False
        Whether to return eigenvectors, too.

    Returns
    -------
    eigenvalues : array of shape (k,)
        In float64, the wanted end first.
    eigenvectors : array of shape (n_params, k)
        Only with `return_vectors`.

    References
    ----------
    R. Lehoucq, D. Sorensen and C. Yang (1998). ARPACK Users' Guide. SIAM, chapter 4 (implicitly
    restarted Lanczos).

    Examples
    --------
    >>> import numpy as np
    >>> from skgrad.losses import SquaredError
    >>> from skgrad.models import LinearModel
    >>> from skgrad.objective import Objective
    >>> from skgrad.penalties import L2
    >>> from skgrad.solvers import hessian_eigenvalues
    >>> X, y = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]]), np.array([[2.0], [4.0], [1.0]])
    >>> objective = Objective(LinearModel(2, 1, True), SquaredError(), L2(0.1), X, y)
    >>> eigenvalues = hessian_eigenvalues(objective, objective.start(), k=3)
    >>> bool(np.isclose(eigenvalues.sum(), np.trace(objective.hessian(objective.start())[0])))
    True
    """
    if which not in WHICH:
        raise ValueError(f"which={which!r} is not among {', '.join(map(repr, WHICH))}.")
    if not 1 <= k <= len(w):
        raise ValueError(f"k={k} is not from 1 to the number of parameters, {len(w)}.")
    if Capability.HESSIAN_PRODUCTS not in objective.offers:
        lack = objective.lacks(Capability.HESSIAN_PRODUCTS)
        raise IncompatibleSolverError(f"Eigenvalues need products with the Hessian; {lack}.")
    linearised = objective.linearise(w)

    def product(v: FloatArray) -> FloatArray:
        moved = linearised.hess_vec(v.ravel().astype(w.dtype, copy=False))
        return np.asarray(moved, dtype=np.float64)

    n = len(w)
    if n <= SMALL_ORDER or k >= n - 1:
        matrix = np.column_stack([product(e) for e in np.eye(n)])
        values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    else:
        operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(n)
        values, vectors = eigsh(operator, k, which=WHICH[which], v0=start, tol=tol)
    sizes = {"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[which]
    order = np.argsort(sizes, kind="stable")[:k]
    return (values[order], vectors[:, order]) if return_vectors else values[order]
