"""Preconditioned conjugate gradients on a quadratic model."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scipy.linalg import get_blas_funcs

from skgrad._typing import FloatArray
from skgrad.solvers._base import norm

Operator = Callable[[FloatArray], FloatArray]


class Quadratic(NamedTuple):
    """A point x of the model g'x + x'Hx / 2, its gradient there, and what is known of its minimum.

    ``decrease`` is minus the model's value. ``error`` estimates how much further it can fall:
    exactly, if the preconditioner is H.
    """

    x: FloatArray
    gradient: FloatArray
    decrease: float
    error: float
    n_iter: int


def energy(gradient: FloatArray, solved: FloatArray) -> float:
    """Halve the product of a gradient with its preconditioned self: the decrease of Newton."""
    return 0.5 * float(gradient @ solved)


def conjugate_gradients(
    hess_vec: Operator, inverse: Operator, start: Quadratic, *, target: float, max_iter: int
) -> Quadratic:
    """Minimise the model until ``error`` is at most target (Nocedal and Wright 2006, alg. 5.3).

    Parameters
    ----------
    hess_vec, inverse : callables
        Products with H, and with the inverse of an approximation of H.
    start : Quadratic
        A point; its error and number of iterations are not used.
    target : float
        Error to stop at.
    max_iter : int
        Most products with H.

    Returns
    -------
    Quadratic
    """
    x, gradient, decrease = start.x.copy(), start.gradient.copy(), start.decrease
    # In place: a temporary of the size of the parameters would cost as much as the sum.
    (add,) = get_blas_funcs(("axpy",), (x,))
    solved = inverse(gradient)
    error, direction = energy(gradient, solved), -solved
    n_iter = 0
    while n_iter < max_iter:
        if error <= target:
            break
        product = hess_vec(direction)
        n_iter += 1
        curvature = float(direction @ product)
        if not curvature > 0.0:
            # Rounding, or a model without curvature along it: a step of one is as good as any.
            return Quadratic(x if decrease > 0.0 else direction, gradient, decrease, error, n_iter)
        step = 2.0 * error / curvature
        add(direction, x, a=step)
        add(product, gradient, a=step)
        decrease += step * error
        solved = inverse(gradient)
        previous, error = error, energy(gradient, solved)
        direction *= error / previous
        direction -= solved
    return Quadratic(x, gradient, decrease, error, n_iter)


def at_zero(gradient: FloatArray) -> Quadratic:
    """Start at x = 0, where the model's gradient is the function's."""
    return Quadratic(0.0 * gradient, gradient, 0.0, norm(gradient), 0)
