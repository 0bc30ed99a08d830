"""The objective that any function of a vector is, with a penalty or constraint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.linalg import norm

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability, Smoothness
from skgrad.penalties import NoPenalty, Penalty

# Gradients compared for the largest curvature at the start.
POWER_ITERATIONS = 12
# Step of the difference of two gradients, relative to the size of w: the root of the rounding
# error balances that against the truncation.
GRADIENT_STEP = 1e-6
# A flat start says nothing about the curvature: a rate of at most one is then as good as any.
SMALLEST_CURVATURE = 0.5


class FunctionObjective:
    r"""A function f(w) plus a penalty: :math:`F(w) = f(w) + penalty(w)`.

    Parameters
    ----------
    function : callable
        ``function(w)`` returns f and its gradient, a float and an array like ``w``; or f alone,
        and its gradient is then computed by central differences, 2 evaluations for each parameter.
    w : array
        The start, of any shape: the function gets arrays of this shape.
    penalty : Penalty, optional
        Of all of w, or a constraint.

    Attributes
    ----------
    has_gradient : bool
        Whether the function returns its gradient.
    n_evaluations : int
        Times that the function was called.
    """

    convex = False  # nothing is known about it
    continuous_curvature = True
    n_samples = 1

    def __init__(
        self, function: Callable[[Any], Any], w: FloatArray, penalty: Penalty | None = None
    ) -> None:
        self.function, self.penalty = function, NoPenalty() if penalty is None else penalty
        self.shape, self.n_params, self.dtype = w.shape, w.size, w.dtype
        self.passes = 0.0
        self.n_evaluations = 0
        self._start = w.ravel()
        self.has_gradient = isinstance(self._call(self._start), tuple)

    # -- facts that solvers ask for -----------------------------------------------------------

    @property
    def offers(self) -> frozenset[Capability]:
        """What solvers can rely on."""
        always = {Capability.SMOOTH_LOSS}
        return frozenset(always | {Capability.SMOOTH_PENALTY} if self.penalty.smooth else always)

    def lacks(self, capability: Capability) -> str:
        """Say in a clause why a capability is not offered."""
        if capability is Capability.SMOOTH_PENALTY:
            return f"the {type(self.penalty).__name__} penalty is not smooth"
        return "minimize knows a function's values and gradients only"

    def decorrelated(self) -> FunctionObjective:
        """Keep the coordinates: nothing is known that would make others better."""
        return self

    def for_batches(self, batching: Any) -> FunctionObjective:
        """Keep the coordinates, likewise."""
        return self

    def start(self) -> FloatArray:
        """Where the run began."""
        return self._start

    def random_start(self, w: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
        """Draw a start around w."""
        drawn = w + spread * rng.standard_normal(w.size)
        return drawn.astype(self.dtype, copy=False)

    def gradient_gap(self, w: FloatArray, gradient: FloatArray) -> float:
        """Nothing bounds the distance to the minimum of an unknown function."""
        return math.nan

    def duality_gap(self, w: FloatArray, multipliers: FloatArray | None = None) -> float:
        """Nothing bounds the distance to the minimum of an unknown function."""
        return math.nan

    # -- values and gradients -----------------------------------------------------------------

    def value(self, w: FloatArray) -> float:
        """Compute F."""
        return self._function_value(w) + self.penalty.value(w)

    rough_value = value

    def value_and_gradient(self, w: FloatArray, batch: None = None) -> tuple[float, FloatArray]:
        """Compute value and gradient of the smooth part: f, and the penalty if it is smooth."""
        value, gradient = self.loss_and_gradient(w)
        return value + self.add_penalty(w, gradient), gradient

    def loss_and_gradient(self, w: FloatArray, batch: None = None) -> tuple[float, FloatArray]:
        """Compute f and its gradient."""
        self.passes += 1.0
        if not self.has_gradient:
            return self._function_value(w), self._differences(w)
        value, gradient = self._call(w)
        gradient = np.array(gradient, dtype=self.dtype)
        if gradient.size != self.n_params:
            raise ValueError(
                f"The function's gradient has shape {gradient.shape}, but w has shape {self.shape}."
            )
        return _number(value), gradient.ravel()

    def add_penalty(self, w: FloatArray, gradient: FloatArray) -> float:
        """Add the gradient of a smooth penalty in place and return its value, else 0."""
        if not self.penalty.smooth:
            return 0.0
        gradient += self.penalty.gradient(w)
        return self.penalty.value(w)

    def penalty_value(self, w: FloatArray) -> float:
        """Compute the penalty."""
        return self.penalty.value(w)

    def nonsmooth_value(self, w: FloatArray) -> float:
        """Compute the part of F that `value_and_gradient` leaves out."""
        return 0.0 if self.penalty.smooth else self.penalty.value(w)

    def prox(self, w: FloatArray, step_size: float | FloatArray) -> FloatArray:
        """Apply the proximal operator of a non-smooth penalty."""
        return w if self.penalty.smooth else self.penalty.prox(w, step_size)

    def batches(
        self, batch_size: int, rng: np.random.Generator, *, shuffle: bool
    ) -> Iterator[None]:
        """Yield the whole: a function has no rows."""
        yield None

    def share(self, batch: None) -> float:
        """Return all of it."""
        return 1.0

    # -- scales -------------------------------------------------------------------------------

    def smoothness(self, w: FloatArray) -> Smoothness:
        """Estimate the largest curvature around w by power iterations on gradients' differences."""
        _, gradient = self.value_and_gradient(w)
        length = norm(gradient)
        step = GRADIENT_STEP * max(1.0, float(norm(w)))
        direction = gradient / length if length > 0.0 else np.zeros_like(w)
        largest = 0.0
        for _ in range(POWER_ITERATIONS):
            change = (self.value_and_gradient(w + step * direction)[1] - gradient) / step
            size = float(norm(change))
            largest = max(largest, size)
            if size == 0.0 or not math.isfinite(size):
                break
            direction = change / size
        bound = max(largest, SMALLEST_CURVATURE)
        return Smoothness(bound, bound)

    def row_smoothness(self, w: FloatArray) -> float:
        """Estimate the same: the whole is the only row."""
        return self.smoothness(w).row

    def displacement_scale(self, w: FloatArray) -> float:
        """Guess how far a coordinate has to move."""
        _, gradient = self.value_and_gradient(w)
        return float(np.abs(gradient).max(initial=0.0)) / self.smoothness(w).mean or 1.0

    def _call(self, w: FloatArray) -> Any:
        self.n_evaluations += 1
        return self.function(w.reshape(self.shape))

    def _function_value(self, w: FloatArray) -> float:
        value = self._call(w)
        return _number(value[0] if self.has_gradient else value)

    def _differences(self, w: FloatArray) -> FloatArray:
        """Compute central differences; the cube root of the rounding error is the best step."""
        gradient, moved = np.empty_like(w), w.copy()
        relative = float(np.cbrt(np.finfo(w.dtype).eps))
        for j, here in enumerate(w):
            step = relative * max(1.0, abs(float(here)))
            ends = []
            for moved[j] in (here + step, here - step):
                ends.append((float(moved[j]), self._function_value(moved)))
            (right, upper), (left, lower) = ends
            gradient[j] = (upper - lower) / (right - left)
            moved[j] = here
        return gradient


def _number(value: Any) -> float:
    """Turn what a function returns into a float, or say what is wrong with it."""
    if np.ndim(value) != 0 and np.size(value) != 1:
        raise ValueError(
            "The function must return its value, a number, or its value and its gradient as a"
            f" tuple; got an array of shape {np.shape(value)}."
        )
    return float(np.asarray(value).reshape(()))
