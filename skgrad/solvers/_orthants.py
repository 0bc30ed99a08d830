"""Quadratic problems with an elastic-net penalty: Newton's method from orthant to orthant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.coordinate_penalty import Terms
from skgrad.solvers._cholesky import factorise, solve

# Three to five rounds are the rule from a cold start, one or two from a warm one.
MAX_ROUNDS = 200


class _Pieces(NamedTuple):
    """The function on the free coordinates, within one orthant: its slope, and where it ends."""

    free: IntArray
    old: FloatArray
    slope: FloatArray
    sign: FloatArray
    kinked: Array

    def without(self, dropped: Array) -> _Pieces:
        """Take coordinates out."""
        return _Pieces(*(part[~dropped] for part in self))


class OrthantNewton:
    r"""Minimiser of :math:`g'(z - w) + (z - w)'H(z - w)/2 + penalty(z)`, in float64.

    Within an orthant the function is quadratic: the free coordinates, those off zero and those
    that the slope drives off zero, take a Newton step. Coordinates at zero that would leave in the
    direction opposite to the one that frees them stay. Where others change sign, the step ends at
    zero for them, if that decreases the function; if not, it goes to the minimum along its
    direction, across kinks. Every round decreases the function.

    Parameters
    ----------
    H : array of shape (n, n)
        The matrix; positive semi-definite but for rounding.
    gradient, w : arrays of shape (n,)
        Gradient of the quadratic part at w, and the start.
    terms : Terms
        The penalty.
    ridge : float
        Curvature added to H in Newton steps: what may be rounding must not pass for curvature.

    References
    ----------
    H. Lee, A. Battle, R. Raina and A. Ng (2007). Efficient sparse coding algorithms. Advances in
    Neural Information Processing Systems 19, algorithm 1 (which frees one coordinate at a time).

    M. Schmidt (2010). Graphical model structure learning with l1-regularization. PhD thesis,
    University of British Columbia, section 2.3.3 (projected scaled sub-gradient steps).
    """

    def __init__(
        self, H: FloatArray, gradient: FloatArray, w: FloatArray, terms: Terms, ridge: float
    ) -> None:
        self.H, self.gradient, self.w = H, gradient, w
        self.l1, self.l2, lower = terms
        self.ridge = ridge
        bounded = lower == 0.0
        # By how much the slope jumps at zero.
        self.jump = np.where(bounded, np.inf, 2.0 * self.l1)
        self.kinked = self.jump > 0.0
        # Directions in which a coordinate may leave zero.
        self.leaves_down = ~bounded

    def minimise(self, accuracy: float) -> FloatArray:
        """Minimise from w until the squared slope, over the curvature, is within an accuracy."""
        z, slope, value = self.w, self.gradient, self._value(self.w, self.gradient)
        curvature = self.H.diagonal() + self.l2 + self.ridge
        for _ in range(MAX_ROUNDS):
            pieces = self._pieces(z, slope)
            if float(pieces.slope @ (pieces.slope / curvature[pieces.free])) <= accuracy:
                break
            pieces, change = self._newton_step(pieces)
            target = pieces.old + change
            crossed = pieces.kinked & (target * pieces.sign < 0.0)
            moved = z.copy()
            moved[pieces.free] = np.where(crossed, 0.0, target)
            moved_slope = self._slope(moved)
            moved_value = self._value(moved, moved_slope)
            if not moved_value < value and crossed.any():
                moved[pieces.free] = self._across(pieces, change, np.flatnonzero(crossed))
                moved_slope = self._slope(moved)
                moved_value = self._value(moved, moved_slope)
            z, slope = moved, moved_slope
            if not moved_value < value:
                break  # all that was left is rounding
            value = moved_value
        return z

    def _slope(self, z: FloatArray) -> FloatArray:
        """Gradient of the quadratic part."""
        product: FloatArray = self.H @ (z - self.w)
        product += self.gradient
        return product

    def _value(self, z: FloatArray, slope: FloatArray) -> float:
        quadratic = (slope + self.gradient) @ (z - self.w) + self.l2 @ (z * z)
        return 0.5 * float(quadratic) + float(self.l1 @ np.abs(z))

    def _pieces(self, z: FloatArray, slope: FloatArray) -> _Pieces:
        """Find the free coordinates, and the orthant that they are in or about to enter."""
        slope = slope + self.l2 * z
        sign = np.sign(z)
        resting = sign == 0.0
        sign[resting] = -np.sign(slope[resting])
        is_free = np.abs(slope) > self.l1
        is_free &= self.leaves_down | (slope < 0.0)
        is_free |= ~(resting & self.kinked)
        free = is_free.nonzero()[0]
        sign = sign[free]
        inner = slope[free] + self.l1[free] * sign
        return _Pieces(free, z[free], inner, sign, self.kinked[free])

    def _newton_step(self, pieces: _Pieces) -> tuple[_Pieces, FloatArray]:
        """Solve for the free coordinates; hold those that would leave zero the wrong way."""
        while True:
            change = self._solve(pieces.free, -pieces.slope)
            wrong = (pieces.old == 0.0) & pieces.kinked & (change * pieces.sign < 0.0)
            if not wrong.any():
                return pieces, change
            pieces = pieces.without(wrong)

    def _solve(self, free: IntArray, right: FloatArray) -> FloatArray:
        matrix = self.H[free[:, None], free]
        diagonal = matrix.reshape(-1)[:: len(free) + 1]
        diagonal += self.l2[free]
        diagonal += self.ridge
        _, solution, failed = lapack.dposv(matrix, right, lower=1)
        if not failed:
            return np.asarray(solution)
        factors, _ = factorise(matrix[None])
        return solve(factors, right)

    def _across(self, pieces: _Pieces, change: FloatArray, crossing: IntArray) -> FloatArray:
        """Go along a Newton step to the minimum, which may lie beyond coordinates' zeros.

        On the way the slope rises from -a to 0 at the full step, and jumps where a coordinate
        changes sign.
        """
        old, change = pieces.old, change.copy()
        lengths = -old[crossing] / change[crossing]
        order = lengths.argsort()
        lengths, crossing = lengths[order], crossing[order]
        jumps = self.jump[pieces.free[crossing]] * np.abs(change[crossing])
        jumps = jumps.cumsum()
        start = float(pieces.slope @ change)
        beyond = start * (1.0 - lengths) + jumps
        k = int((beyond >= 0.0).argmax()) if beyond[-1] >= 0.0 else len(lengths)
        length = 1.0 + (float(jumps[k - 1]) / start if k else 0.0)
        if k == len(lengths) or length < lengths[k]:
            return np.asarray(old + length * change)
        moved: FloatArray = old + lengths[k] * change
        moved[crossing[k]] = 0.0  # exactly
        return moved
