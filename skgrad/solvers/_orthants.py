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
# A step that ends in its orthant is exact there but for the ridge. Slopes up to this share of the
# L1 strength take as little off the dual variables; beyond, another step refines.
EXACT = 1e-9


class _Orthant(NamedTuple):
    """The free coordinates: where they are, the slope and the sign of each, and which have kinks.

    ``fresh`` marks those that are about to leave zero.
    """

    free: IntArray
    old: FloatArray
    slope: FloatArray
    sign: FloatArray
    kinked: Array
    fresh: Array

    def without(self, dropped: Array) -> _Orthant:
        """Take coordinates out."""
        kept = np.flatnonzero(~dropped)
        free, old, slope, sign, kinked, fresh = self
        return _Orthant(free[kept], old[kept], slope[kept], sign[kept], kinked[kept], fresh[kept])


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
        # Directions in which a coordinate may leave zero.
        self.leaves_down = lower != 0.0
        self.bounded = not self.leaves_down.all()
        # By how much the slope jumps at zero.
        self.jump = 2.0 * self.l1
        self.jump[~self.leaves_down] = np.inf
        self.kinked = self.jump > 0.0

    def minimise(self) -> FloatArray:
        """Minimise from w, to rounding."""
        z, slope, value = self.w, self.gradient, self._value(self.w, self.gradient)
        exact = False
        for _ in range(MAX_ROUNDS):
            orthant = self._orthant(z, slope)
            if not len(orthant.free) or (exact and self._is_exact(orthant)):
                break
            orthant, change = self._newton_step(orthant)
            target = orthant.old + change
            crossed = orthant.kinked & (target * orthant.sign < 0.0)
            crosses = bool(np.count_nonzero(crossed))
            if crosses:
                target[crossed] = 0.0
            moved = z.copy()
            moved[orthant.free] = target
            moved_slope = self._slope(moved)
            moved_value = self._value(moved, moved_slope)
            if crosses and not moved_value < value:
                moved[orthant.free] = self._across(orthant, change, np.flatnonzero(crossed))
                moved_slope = self._slope(moved)
                moved_value = self._value(moved, moved_slope)
            z, slope = moved, moved_slope
            if not moved_value < value:
                break  # all that was left is rounding
            value, exact = moved_value, not crosses
        return z

    def _is_exact(self, orthant: _Orthant) -> bool:
        """Tell whether no coordinate is about to leave zero, and the others' slopes vanish."""
        if orthant.fresh.any():
            return False
        l1 = self.l1[orthant.free]
        strength = np.where(l1 > 0.0, l1, l1.max())
        return bool((np.abs(orthant.slope) <= EXACT * strength).all())

    def _slope(self, z: FloatArray) -> FloatArray:
        """Gradient of the quadratic part."""
        product: FloatArray = self.H @ (z - self.w)
        product += self.gradient
        return product

    def _value(self, z: FloatArray, slope: FloatArray) -> float:
        quadratic = (slope + self.gradient) @ (z - self.w) + self.l2 @ (z * z)
        return 0.5 * float(quadratic) + float(self.l1 @ np.abs(z))

    def _orthant(self, z: FloatArray, slope: FloatArray) -> _Orthant:
        """Find the free coordinates, and the orthant that they are in or about to enter."""
        slope = slope + self.l2 * z
        sign = np.sign(z)
        resting = sign == 0.0
        leaving = np.abs(slope) > self.l1
        if self.bounded:
            leaving &= self.leaves_down | (slope < 0.0)
        fresh = resting & self.kinked
        free = (leaving | ~fresh).nonzero()[0]
        sign = np.where(resting, -np.sign(slope), sign)[free]
        inner = slope[free] + self.l1[free] * sign
        return _Orthant(free, z[free], inner, sign, self.kinked[free], fresh[free])

    def _newton_step(self, orthant: _Orthant) -> tuple[_Orthant, FloatArray]:
        """Solve for the free coordinates; hold those that would leave zero the wrong way."""
        while True:
            change = self._solve(orthant.free, -orthant.slope)
            wrong = orthant.fresh & (change * orthant.sign < 0.0)
            if not np.count_nonzero(wrong):
                return orthant, change
            orthant = orthant.without(wrong)

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

    def _across(self, orthant: _Orthant, change: FloatArray, crossing: IntArray) -> FloatArray:
        """Go along a Newton step to the minimum, which may lie beyond coordinates' zeros.

        On the way the slope rises from -a to 0 at the full step, and jumps where a coordinate
        changes sign.
        """
        old, change = orthant.old, change.copy()
        lengths = -old[crossing] / change[crossing]
        order = lengths.argsort()
        lengths, crossing = lengths[order], crossing[order]
        jumps = self.jump[orthant.free[crossing]] * np.abs(change[crossing])
        jumps = jumps.cumsum()
        start = float(orthant.slope @ change)
        beyond = start * (1.0 - lengths) + jumps
        k = int((beyond >= 0.0).argmax()) if beyond[-1] >= 0.0 else len(lengths)
        length = 1.0 + (float(jumps[k - 1]) / start if k else 0.0)
        if k == len(lengths) or length < lengths[k]:
            return np.asarray(old + length * change)
        moved: FloatArray = old + lengths[k] * change
        moved[crossing[k]] = 0.0  # exactly
        return moved
