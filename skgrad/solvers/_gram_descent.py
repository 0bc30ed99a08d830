"""Quadratic problems with an elastic-net penalty and a matrix at hand, by compiled loops."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from skgrad._typing import FloatArray, IntArray
from skgrad.coordinate_penalty import Terms

MAX_ROUNDS = 50
# Passes of coordinate descent between Newton steps: they find which coordinates are zero, and are
# slow only where columns are collinear, which does not trouble Newton's method.
EPOCHS = 10
# Curvature given to directions without any, relative to the largest.
RIDGE = 1e-12


def minimise_block(
    H: FloatArray, gradient: FloatArray, w: FloatArray, terms: Terms, accuracy: float,
    rounding: float = 0.0,
) -> FloatArray:  # fmt: skip
    """Minimise gradient'(z - w) + (z - w)'H(z - w)/2 + penalty(z), all in float64.

    Passes of coordinate descent alternate with Newton steps on the coordinates that are not zero,
    which end where the first of them changes sign: both decrease the function always. Ends when a
    pass over all coordinates decreases it by no more than the accuracy. ``rounding`` is the error
    of the entries of H, relative to the largest: it must not pass for curvature.
    """
    from skgrad._kernels.coordinate_descent import descend_gram

    z, slope = w.copy(), gradient.copy()
    for k in range(MAX_ROUNDS):
        settled = descend_gram(H, slope, z, *terms, accuracy, EPOCHS)
        # Passes that end by themselves leave slopes of the order of sqrt(accuracy), and the duality
        # gap is proportional to those. A Newton step takes them away.
        if settled and k > 0:
            break
        free = np.flatnonzero((z != 0.0) | ((terms.l1 == 0.0) & np.isneginf(terms.lower)))
        change = _newton_step(H, slope, z, terms, free, max(RIDGE, rounding))
        if change is not None:
            z[free] += change
            slope += H[:, free] @ change
        if settled:
            break
    return z


def _newton_step(
    H: FloatArray,
    slope: FloatArray,
    z: FloatArray,
    terms: Terms,
    free: IntArray,
    ridge: float = RIDGE,
) -> FloatArray | None:
    """Solve for the free coordinates as if they kept their signs; stop where one changes it."""
    matrix, old = H[np.ix_(free, free)], z[free]
    diagonal = np.einsum("ii->i", matrix)
    diagonal += terms.l2[free] + ridge * float(diagonal.max(initial=0.0))
    right = slope[free] + terms.l2[free] * old + terms.l1[free] * np.sign(old)
    try:
        change: FloatArray = -cho_solve(cho_factor(matrix, lower=True), right)
    except np.linalg.LinAlgError:
        return None  # singular to working precision: leave it to coordinate descent
    kinked = np.flatnonzero((terms.l1[free] > 0.0) | ~np.isneginf(terms.lower[free]))
    crossing = kinked[old[kinked] * (old[kinked] + change[kinked]) < 0.0]
    if not len(crossing):
        return change
    lengths = -old[crossing] / change[crossing]
    first = lengths.argmin()
    change *= lengths[first]
    change[crossing[first]] = -old[crossing[first]]
    return change
