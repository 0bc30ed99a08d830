"""An objective around a point, for Newton's method: its Hessian there, and lines from there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.coordinate_penalty import CoordinatePenalty
from skgrad.lines import Evaluate, Line, Point, Predictions, SweptLine, Trial, moved
from skgrad.losses import Loss
from skgrad.models import LinearModel
from skgrad.rows import Batch

Curve: TypeAlias = Callable[[Point, IntArray | None], FloatArray]


class Expansion(ABC):
    """The smooth part of F around a point, as a function of the parameters of some outputs.

    Attributes
    ----------
    gradient : array of shape (n_outputs, row_length)
        At the point.
    """

    gradient: FloatArray

    @abstractmethod
    def hessian(self) -> FloatArray:
        """Compute the diagonal blocks of the Hessian, (n_blocks, size, size)."""

    @abstractmethod
    def line(self, along: FloatArray) -> Line:
        """Restrict the function to the directions of its blocks, (n_blocks, size)."""


class SweptExpansion(Expansion):
    """An expansion that reads the data for the Hessian and for every trial on a line."""

    def __init__(
        self, function: Evaluate, curve: Curve, model: LinearModel, point: Point,
        outputs: IntArray | None,
    ) -> None:  # fmt: skip
        self.function, self.curve, self.point, self.outputs = function, curve, point, outputs
        rows = model.rows(point.gradient)
        self.gradient = rows if outputs is None else rows[outputs]

    def hessian(self) -> FloatArray:
        return self.curve(self.point, self.outputs)

    def line(self, along: FloatArray) -> Line:
        return SweptLine(self.function, self.point, along, self.outputs)


class SmallData(NamedTuple):
    """Data that fit in cache, and the parts of an objective.

    ``scale`` is the factor of sums over rows: the share of each, unless they have own weights.
    """

    A: FloatArray
    scale: float
    rows: Batch
    model: LinearModel
    loss: Loss
    penalty: CoordinatePenalty

    def point(self, w: FloatArray) -> Point:
        """Evaluate the smooth part of F."""
        raw = (self.model.rows(w) @ self.A.T).T
        return self.complete(w, self.predictions(raw, *self.evaluate(self.select(None), raw)))

    def predictions(self, raw: FloatArray, values: FloatArray, slopes: FloatArray) -> Predictions:
        """Add up what `evaluate` returned."""
        losses = np.add.reduce(values, axis=0, dtype=np.float64)
        return Predictions(raw, losses * self.scale, (slopes.T @ self.A) * self.scale)

    def complete(self, w: FloatArray, predictions: Predictions) -> Point:
        """Add the penalty."""
        assert predictions.pulled is not None and predictions.losses is not None
        gradient = predictions.pulled.ravel().astype(w.dtype)  # a copy
        value = float(predictions.losses.sum()) + self.penalty.add_to(w, gradient)
        return Point(w, value, gradient, predictions)

    def select(self, outputs: IntArray | None) -> Batch:
        """Take targets and weights of some outputs, an output's next to each other.

        As are raw predictions here: sums over an output's rows are up to twice as fast so.
        """
        y, weight = self.rows.y, self.rows.weight
        if outputs is not None:
            y = y[:, outputs]
            weight = weight if weight is None or weight.shape[1] == 1 else weight[:, outputs]
        return Batch(self.rows.A, np.asfortranarray(y), weight, self.rows.share)

    def evaluate(self, block: Batch, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute losses and slopes, both of raw's shape and weighted."""
        values, slopes = self.loss.value_and_gradient(block.y, raw)
        if block.weight is None:
            return values, slopes
        return values * block.weight, slopes * block.weight


class PredictedExpansion(Expansion):
    """An expansion that knows the raw predictions at the point."""

    def __init__(self, data: SmallData, point: Point, outputs: IntArray | None) -> None:
        assert point.predictions is not None
        self.data, self.point, self.predictions = data, point, point.predictions
        self.outputs, self.block = outputs, data.select(outputs)
        self.raw, self.gradient = self.predictions.raw, data.model.rows(point.gradient)
        if outputs is not None:
            self.raw, self.gradient = self.raw.T[outputs].T, self.gradient[outputs]

    def hessian(self) -> FloatArray:
        blocks = loss_hessian(self.data.model, self.data.loss, self.block, lambda: self.raw)
        return self.data.penalty.add_curvature(self.point.w, blocks, self.outputs)

    def line(self, along: FloatArray) -> Line:
        return PredictedLine(self, along)


def loss_hessian(
    model: LinearModel, loss: Loss, block: Batch, predict: Callable[[], FloatArray],
    outputs: IntArray | None = None,
) -> FloatArray:  # fmt: skip
    """Compute the diagonal blocks of the Hessian of a weighted sum of losses, of some outputs.

    Raw predictions are asked for unless the curvature is constant.
    """
    if loss.quadratic and block.weight is None:
        hessian = model.hessian(block.A, None)
        hessian *= block.share
        return hessian
    each = np.ones_like(block.y) if loss.quadratic else loss.curvature(block.y, predict())
    curvature = block.weigh(each)
    return model.hessian(block.A, curvature if outputs is None else curvature[:, outputs])


class PredictedLine(Line):
    """A line whose trials read predictions, n_samples x n_outputs numbers, but not the data.

    Parameters
    ----------
    origin : PredictedExpansion
        At the point where all steps are zero.
    along : array of shape (n_blocks, size)
        Directions. A single one for several outputs means one step for all.
    """

    # Trials cost a tenth of the rest of an iteration (digits: with 4 it takes 39 of these, not 35).
    enough_trials: ClassVar[int] = 10

    def __init__(self, origin: PredictedExpansion, along: FloatArray) -> None:
        self.origin, self.data, self.joint = origin, origin.data, len(along) == 1
        self.along = along.reshape(origin.gradient.shape)
        self.slopes = self._by_block(np.vecdot(origin.gradient, self.along))
        self.ahead = (self.along @ self.data.A.T).T
        self.outputs: Any = slice(None) if origin.outputs is None else origin.outputs
        w, penalty = origin.point.w, self.data.penalty
        self.penalty = penalty.along(w, self.along, self.outputs, joint=self.joint)
        # What the outputs lose that stay where they are.
        self.rest = 0.0
        if origin.outputs is not None:
            assert origin.predictions.losses is not None
            losses = origin.predictions.losses.copy()
            losses[self.outputs] = 0.0
            self.rest = float(losses.sum())

    def at(self, steps: list[float]) -> Trial:
        data, origin = self.data, self.origin
        raw = self.ahead * (steps[0] if self.joint else np.array(steps, dtype=self.ahead.dtype))
        raw += origin.raw
        values, slopes = data.evaluate(origin.block, raw)
        total = float(np.add.reduce(values, axis=None, dtype=np.float64))
        penalty, rises = self.penalty(steps)
        losses = self._by_block(np.vecdot(slopes.T, self.ahead.T))
        changes = [data.scale * loss + rise for loss, rise in zip(losses, rises, strict=True)]
        value = self.rest + data.scale * total + penalty
        return Trial(steps, value, changes, (raw, values, slopes))

    def land(self, trial: Trial) -> Point:
        found = self.data.predictions(*trial.found)
        if self.origin.outputs is not None:
            found = _among(self.origin.predictions, found, self.origin.outputs)
        w = moved(self.origin.point.w, self.along, self.outputs, trial.steps)
        return self.data.complete(w, found)

    def _by_block(self, slopes: FloatArray) -> list[float]:
        by_block: list[float] = [float(slopes.sum())] if self.joint else slopes.tolist()
        return by_block


def _among(known: Predictions, found: Predictions, outputs: IntArray) -> Predictions:
    """Exchange what has been found of some outputs."""
    assert known.losses is not None and known.pulled is not None
    assert found.losses is not None and found.pulled is not None
    raw, losses, pulled = known.raw.copy("F"), known.losses.copy(), known.pulled.copy()
    raw.T[outputs], losses[outputs], pulled[outputs] = found.raw.T, found.losses, found.pulled
    return Predictions(raw, losses, pulled)
