"""Shares of the response that add up over columns: from gradients times differences."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skgrad.inspection.baselines import BACKGROUND_ROWS, background
from skgrad.inspection.chain import Local
from skgrad.inspection.chain.columns import take_rows
from skgrad.inspection.methods._base import Explained, Method, Task
from skgrad.inspection.paths import COMPLETE, Line
from skgrad.inspection.points import Point


class GradientTimesInput(Method):
    """The gradient at each row times the entry, indicators of categories included."""

    name: ClassVar[str] = "gradient_x_input"
    additive: ClassVar[bool] = True

    def explain(self, rows: slice) -> Explained:
        """Pull each output back and multiply."""
        question, X = self.task.question, take_rows(self.task.X, rows)
        point, _ = Point.of(question, X)
        origin = point.zero()
        local, walk = point.evaluate(question)
        values = [
            origin.contributions(point, local.pull(cotangent), walk)
            for cotangent in question.cotangents(point.n_samples)
        ]
        return Explained(np.stack(values, axis=2))


class Integrated(Method):
    r"""Integrated gradients: the gradient along the straight way from a baseline x'.

    .. math:: (x_j - x'_j) \int_0^1 \partial_j f(x' + t (x - x'))\, dt

    They are complete: they add up to f(x) - f(x').
    """

    name: ClassVar[str] = "integrated"
    additive: ClassVar[bool] = True
    complete: ClassVar[float] = COMPLETE

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.points = self._baseline_points()

    def _baseline_points(self) -> list[tuple[Point, Local]]:
        """Find where the paths begin, and the response there."""
        task = self.task
        middle = isinstance(task.baseline, str) and task.baseline == "background"
        baseline = "mean" if middle else task.baseline
        rows = background(task.question, task.X, baseline, task.rng, task.X.shape[0])
        if rows.shape[0] != 1:
            raise ValueError(
                f'method="integrated" takes a baseline of one row, got {rows.shape[0]}. Use'
                ' method="expected" for several.'
            )
        return [Point.of(task.question, rows)]

    def explain(self, rows: slice) -> Explained:
        """Average the way from all rows of the baseline."""
        task = self.task
        end, at_end = Point.of(task.question, take_rows(task.X, rows))
        n = end.n_samples
        integrals = []
        for point, local in self.points:
            start = point.take(np.zeros(n, dtype=np.intp))
            at_start = local if n == 1 else start.evaluate(task.question)[0]
            line = Line(task.question, start, end, at_start, at_end)
            integrals.append(line.integrate(task.n_steps, complete=self.complete))
        return Explained(
            np.mean([integral.values for integral in integrals], axis=0),
            np.mean([integral.delta for integral in integrals], axis=0),
            np.mean([integral.start[0] for integral in integrals], axis=0),
        )


class Expected(Integrated):
    r"""Expected gradients: integrated gradients averaged over the rows of a background.

    They are complete: they add up to f(x) less the mean of f over the background. The path from
    each row of the background is integrated as exactly as `integrated` does; nothing is drawn but
    the background itself, and an affine response needs only its mean.
    """

    name: ClassVar[str] = "expected"
    complete: ClassVar[float] = 1e-4  # of each path: their mean is better, and there are many

    def _baseline_points(self) -> list[tuple[Point, Local]]:
        """Draw the background, or average all of it where that is the same."""
        task, question = self.task, self.task.question
        _, local = Point.of(question, take_rows(task.X, slice(0, 1)))
        n_rows = task.X.shape[0] if local.affine else BACKGROUND_ROWS
        rows = background(question, task.X, task.baseline, task.rng, n_rows)
        if local.affine:
            mean = Point.mean(question, rows)
            return [(mean, mean.evaluate(question)[0])]
        return [Point.of(question, take_rows(rows, slice(k, k + 1))) for k in range(rows.shape[0])]
