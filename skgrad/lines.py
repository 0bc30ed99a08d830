"""A function along lines: points, trials on a line, and lines that evaluate the function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from skgrad._typing import FloatArray, IntArray


class Predictions(NamedTuple):
    """What is known of the rows at a point: of small data, as it takes n_samples x n_outputs.

    Attributes
    ----------
    raw : array of shape (n_samples, n_outputs)
        Raw predictions.
    losses : array of shape (n_outputs,), or (1,) for coupled losses
        Weighted sums of the losses; None where products with the data are cheap.
    pulled : array of shape (n_outputs, row_length)
        Gradient of their total; None likewise.
    """

    raw: FloatArray
    losses: FloatArray | None = None
    pulled: FloatArray | None = None


class Point(NamedTuple):
    """Parameters, value and gradient of the smooth part there, and what else is known."""

    w: FloatArray
    value: float
    gradient: FloatArray
    predictions: Predictions | None = None


Evaluate: TypeAlias = Callable[[FloatArray], Point]


class Trial(NamedTuple):
    """A point on a line: the steps of the blocks, the value, the blocks' slopes, and the rest."""

    steps: list[float]
    value: float
    slopes: list[float]
    found: Any


class Line(ABC):
    """A convex function along one direction for each of its blocks, with a step for each.

    Attributes
    ----------
    slopes : list of float
        Of the blocks, where all steps are zero.
    enough_trials : int
        After this many any decrease will do: ten classes rarely agree on when to stop.
    """

    slopes: list[float]
    enough_trials: ClassVar[int]

    @abstractmethod
    def at(self, steps: list[float]) -> Trial:
        """Compute value and slopes."""

    @abstractmethod
    def land(self, trial: Trial) -> Point:
        """Compute the point that a trial is at."""


class SweptLine(Line):
    """A line on which every trial evaluates the function.

    Parameters
    ----------
    function : callable
        Computes the `Point` at w.
    point : Point
        Where all steps are zero.
    along : array of shape (n_blocks, size)
        Directions.
    blocks : array of int or None
        Blocks that the directions belong to; None for all of them.
    """

    enough_trials: ClassVar[int] = 4

    def __init__(
        self, function: Evaluate, point: Point, along: FloatArray, blocks: IntArray | None
    ) -> None:
        self.function, self.w, self.along = function, point.w, along
        self.blocks: Any = slice(None) if blocks is None else blocks
        self.slopes = self._slopes(point.gradient)

    def at(self, steps: list[float]) -> Trial:
        point = self.function(moved(self.w, self.along, self.blocks, steps))
        return Trial(steps, point.value, self._slopes(point.gradient), point)

    def land(self, trial: Trial) -> Point:
        point: Point = trial.found
        return point

    def _slopes(self, gradient: FloatArray) -> list[float]:
        rows = gradient.reshape(-1, self.along.shape[1])[self.blocks]
        slopes: list[float] = np.vecdot(rows, self.along).tolist()
        return slopes


def moved(w: FloatArray, along: FloatArray, blocks: Any, steps: list[float]) -> FloatArray:
    """Go from w along the directions of some blocks, or of all."""
    move = np.array(steps, dtype=w.dtype)[:, None] * along
    if move.size == w.size:
        return w + move.ravel()
    target = w.copy()
    target.reshape(-1, along.shape[1])[blocks] += move
    return target
