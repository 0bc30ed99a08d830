"""Line searches: Armijo backtracking and the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray

SUFFICIENT_DECREASE = 1e-4
MAX_TRIALS = 30
# Steps from here on are checked for having moved at all.
SHORTEST_STEP = 1e-6
# Growth of the step while the function still falls.
EXTENSION = 4.0


class Trial(NamedTuple):
    """A point on the line: step, value, slope along the direction, gradient and parameters."""

    step: float
    value: float
    slope: float
    gradient: FloatArray
    w: FloatArray


Evaluate = Callable[[float], Trial]


def along(
    function: Callable[[FloatArray], tuple[float, FloatArray]], w: FloatArray, direction: FloatArray
) -> Evaluate:
    """Restrict a function that returns value and gradient to the line w + step * direction."""

    def evaluate(step: float) -> Trial:
        moved = w + step * direction
        value, gradient = function(moved)
        return Trial(step, value, float(gradient @ direction), gradient, moved)

    return evaluate


def _enough(trial: Trial, start: Trial) -> bool:
    """Armijo's condition, or (Hager and Zhang 2005, eq. 4.1) its slope form where values are noise.

    Near the optimum the decrease drops below the rounding error of the value, long before the
    gradient does; the slope form then still tells progress from its absence.
    """
    if trial.value <= start.value + SUFFICIENT_DECREASE * trial.step * start.slope:
        return True
    approximate = trial.slope <= (2 * SUFFICIENT_DECREASE - 1) * start.slope
    return bool(approximate) and trial.value <= start.value + rounding_noise(start)


def _stuck(trial: Trial, start: Trial) -> bool:
    """Tell whether the step is so short that rounding swallowed it."""
    return trial.step < SHORTEST_STEP and np.array_equal(trial.w, start.w)


def rounding_noise(start: Trial) -> float:
    """Estimate the rounding error of a value: a few units in the last place of its precision."""
    return 10 * float(np.finfo(start.gradient.dtype).eps) * abs(start.value)


def backtracking(evaluate: Evaluate, start: Trial, step: float) -> Trial | None:
    """Shrink the step until the decrease suffices (Nocedal and Wright 2006, algorithm 3.1).

    Parameters
    ----------
    evaluate : callable
        From `along`.
    start : Trial
        The point with step 0.
    step : float
        First trial step.

    Returns
    -------
    Trial or None
        None if no step decreases the function.
    """
    for _ in range(MAX_TRIALS):
        trial = evaluate(step)
        if _stuck(trial, start):
            return None
        if _enough(trial, start):
            return trial
        # Minimiser of the parabola through value, slope at 0 and value at the trial, kept sane.
        excess = trial.value - start.value - step * start.slope
        shrunk = -start.slope * step**2 / (2 * excess) if np.isfinite(excess) else 0.0
        step = min(max(shrunk, 0.1 * step), 0.5 * step)
    return None


def strong_wolfe(
    evaluate: Evaluate, start: Trial, step: float, *, curvature: float = 0.9
) -> Trial | None:
    """Find a step with enough decrease and a small slope (Nocedal and Wright 2006, alg. 3.5, 3.6).

    Parameters
    ----------
    evaluate : callable
        From `along`.
    start : Trial
        The point with step 0.
    step : float
        First trial step.
    curvature : float
        Accept slopes up to this fraction of the start's.

    Returns
    -------
    Trial or None
        The best point found with sufficient decrease; None if there is none.
    """
    noise = rounding_noise(start)
    low: Trial = start
    high: Trial | None = None  # the bracket's other end, once there is one
    for _ in range(MAX_TRIALS):
        trial = evaluate(step)
        if _stuck(trial, start):
            break
        if not _enough(trial, start) or trial.value > low.value + noise:
            high = trial
        elif abs(trial.slope) <= -curvature * start.slope:
            return trial
        else:
            ahead = 1.0 if high is None else high.step - low.step
            if trial.slope * ahead >= 0:
                high = low
            low = trial
        step = EXTENSION * low.step if high is None else _interpolate(low, high)
        if high is not None and abs(high.step - low.step) <= 1e-12 * max(high.step, low.step):
            break
    return low if low.step > 0 else None


def exact(evaluate: Evaluate, start: Trial) -> Trial | None:
    """Find the minimum of a quadratic on the line.

    Its gradient is linear along a line, so a single evaluation gives it everywhere.
    """
    end = evaluate(1.0)
    curvature = end.slope - start.slope
    if not curvature > 0.0 or not start.slope < 0.0:
        return None
    step = -start.slope / curvature
    return Trial(
        step, start.value + 0.5 * step * start.slope, 0.0,
        start.gradient + step * (end.gradient - start.gradient),
        start.w + step * (end.w - start.w),
    )  # fmt: skip


def _interpolate(low: Trial, high: Trial) -> float:
    """Minimise the cubic through two values and slopes, away from the ends of the bracket."""
    left, width = min(low.step, high.step), abs(high.step - low.step)
    step = float("nan")
    if np.isfinite(high.value) and np.isfinite(high.slope):
        span = high.step - low.step
        d1 = low.slope + high.slope - 3 * (low.value - high.value) / (low.step - high.step)
        root = d1 * d1 - low.slope * high.slope
        if root >= 0:
            d2 = np.sign(span) * np.sqrt(root)
            bottom = high.slope - low.slope + 2 * d2
            if bottom != 0:
                step = float(high.step - span * (high.slope + d2 - d1) / bottom)
    if np.isnan(step):
        return left + 0.5 * width
    return min(max(step, left + 0.1 * width), left + 0.9 * width)
