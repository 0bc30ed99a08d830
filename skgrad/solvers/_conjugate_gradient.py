"""Preconditioned conjugate gradients on a quadratic model."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal, get_blas_funcs

from skgrad._typing import FloatArray

# Curvature of this many units of rounding is none: all classes shifted alike have no other.
FLAT = 10.0

Operator = Callable[[FloatArray], FloatArray]


class Quadratic(NamedTuple):
    """A point x near the minimum of g'x + x'Hx / 2.

    Attributes
    ----------
    x : array
        The point.
    decrease : float
        Minus the value there: how far it is below x = 0.
    error : float
        Estimate of how much further the value can fall.
    flattest : float
        Estimate of the least eigenvalue of H relative to the preconditioner.
    n_iter : int
        Products with H.
    """

    x: FloatArray
    decrease: float
    error: float
    flattest: float
    n_iter: int


def energy(gradient: FloatArray, inverse: Operator) -> float:
    """Halve g' M^-1 g: the decrease of Newton's step, if M is the Hessian."""
    return 0.5 * float(gradient @ inverse(gradient))


def conjugate_gradients(
    hess_vec: Operator, inverse: Operator, gradient: FloatArray, *,
    forcing: float, accuracy: float, max_iter: int,
) -> Quadratic:  # fmt: skip
    r"""Minimise :math:`g'x + x'Hx/2` from x = 0 (Nocedal and Wright 2006, algorithm 5.3).

    Parameters
    ----------
    hess_vec, inverse : callables
        Products with H, and with the inverse of M, an approximation of H.
    gradient : array of shape (n_params,)
        g.
    forcing : float
        Stop when the norm of the model's gradient has fallen by this factor (in the norm of the
        inverse of M),
    accuracy : float
        or when the value is estimated to be this close to its minimum.
    max_iter : int
        Most products with H.

    Returns
    -------
    Quadratic
    """
    x, residual, decrease = np.zeros_like(gradient), gradient.copy(), 0.0
    # In place: a temporary of the size of the parameters would cost as much as the sum.
    (add,) = get_blas_funcs(("axpy",), (x,))
    solved = inverse(residual)
    error, direction = 0.5 * float(residual @ solved), -solved
    enough, lanczos = forcing**2 * error, _Lanczos()
    size, largest = 2.0 * error, 0.0  # of the direction in the norm of M, and of H relative to M
    for n_iter in range(max_iter):
        if error <= enough or (error <= accuracy and error <= accuracy * lanczos.smallest()):
            break
        product = hess_vec(direction)
        curvature = float(direction @ product)
        largest = max(largest, curvature / size)
        if not curvature > FLAT * float(np.finfo(x.dtype).eps) * largest * size:
            # Rounding, or a model without curvature along it: a step of one is as good as any.
            x = x if n_iter else direction
            break
        step = 2.0 * error / curvature
        add(direction, x, a=step)
        add(product, residual, a=step)
        decrease += step * error
        solved = inverse(residual)
        previous, error = error, 0.5 * float(residual @ solved)
        lanczos.append(step, error / previous)
        size = 2.0 * error + (error / previous) ** 2 * size
        direction *= error / previous
        direction -= solved
    flattest = lanczos.smallest()
    return Quadratic(x, decrease, error / flattest, flattest, lanczos.n_iter)


class _Lanczos:
    """The tridiagonal matrix that conjugate gradients build on the way (Golub and Van Loan 2013).

    Its eigenvalues approximate those of H relative to M, the extreme ones first. Section 11.3.
    """

    def __init__(self) -> None:
        self.diagonal: list[float] = []
        self.off_diagonal: list[float] = []
        self.carried = 0.0

    @property
    def n_iter(self) -> int:
        return len(self.diagonal)

    def append(self, step: float, ratio: float) -> None:
        """Add an iteration: its step, and the ratio of errors after and before it."""
        self.diagonal.append(1.0 / step + self.carried)
        self.off_diagonal.append(ratio**0.5 / step)
        self.carried = ratio / step

    def smallest(self) -> float:
        """Compute the smallest eigenvalue; one before the first iteration."""
        if not self.diagonal:
            return 1.0
        if len(self.diagonal) == 1:
            return self.diagonal[0]
        values = eigvalsh_tridiagonal(
            self.diagonal, self.off_diagonal[:-1], select="i", select_range=(0, 0)
        )
        return max(float(values[0]), float(np.finfo(float).eps))
