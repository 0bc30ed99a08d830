"""Slopes times typical changes: at the rows, around them, and of the loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from skgrad._typing import FloatArray
from skgrad.inspection.chain.columns import dense, take_rows, width
from skgrad.inspection.contrasts import discrete_columns, levels_of
from skgrad.inspection.methods._base import Explained, Method, Task
from skgrad.inspection.points import numbers_of, with_numbers
from skgrad.inspection.row_loss import RowLoss
from skgrad.inspection.scales import column_scales

# SmoothGrad's noise, in standard deviations of each column, and its draws: pairs x + e, x - e.
NOISE, N_DRAWS = 0.1, 16


class SlopeMethod(Method):
    r"""Derivatives of something in the numeric columns, and its spread over categories.

    A derivative is multiplied by a typical change of its column, so that the values don't depend
    on units. A column of categories has no derivative; it gets :math:`\sqrt{\mathrm{Var}_c f_c}`,
    the spread of the response over its levels c, which for a column of 0 and 1 in a linear model
    is the same as the slope times the standard deviation.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        question, X = task.question, task.X
        _, walk = question.walk(take_rows(X, slice(0, 1)))
        self.scales = column_scales(question, X, task.scale, task.weight)
        self.levels = [
            levels_of(question, X, int(column), task.weight) for column in discrete_columns(walk)
        ]

    def explain(self, rows: slice) -> Explained:
        """Differentiate, scale, and try the categories."""
        task, X = self.task, take_rows(self.task.X, rows)
        values = self.slopes(X, rows)
        if task.scale == "input":
            numbers = dense(numbers_of(X, task.question.numeric))
            values[:, task.question.numeric] *= np.nan_to_num(numbers)[:, :, None]
        else:
            values *= self.scales[:, None]
        for levels in self.levels:
            values[:, levels.column] = levels.spread(X, lambda at: self.response(at, rows))
        return Explained(values)

    @abstractmethod
    def slopes(self, X: Any, rows: slice) -> FloatArray:
        """Differentiate at some rows, shape (n_rows, n_features, n_asked)."""

    def response(self, X: Any, rows: slice) -> FloatArray:
        """Evaluate what is differentiated, shape (n_rows, n_asked)."""
        return self.task.question.value(X)


class Gradient(SlopeMethod):
    """Slopes at the rows themselves."""

    name: ClassVar[str] = "gradient"

    def slopes(self, X: Any, rows: slice) -> FloatArray:
        """Pull each output back."""
        return slopes_of(self.task, X)


class Smooth(SlopeMethod):
    r"""Slopes averaged over noise around each row (SmoothGrad): the gradient of f * N(0, S).

    The noise has a tenth of each numeric column's standard deviation, and comes in pairs of both
    signs, which cancel its first order. Affine responses need none.
    """

    name: ClassVar[str] = "smooth"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        deviations = column_scales(task.question, task.X, "std", task.weight)
        self.noise = NOISE * deviations[task.question.numeric]
        if sparse.issparse(task.X):
            raise ValueError('method="smooth" needs a dense X: noise would fill a sparse one.')

    def slopes(self, X: Any, rows: slice) -> FloatArray:
        """Average over noise."""
        question = self.task.question
        local, _ = question.walk(X)
        if local.affine:
            return slopes_of(self.task, X)
        n_draws = N_DRAWS if self.task.n_steps == "auto" else self.task.n_steps
        numbers = dense(numbers_of(X, question.numeric))
        total = np.zeros((X.shape[0], width(X), len(question.picks)))
        noise = np.empty(0)
        for draw in range(n_draws):
            if draw % 2 == 0:
                noise = self.noise * self.task.rng.standard_normal(numbers.shape)
            moved = numbers + noise if draw % 2 == 0 else numbers - noise
            total += slopes_of(self.task, with_numbers(X, question.numeric, moved))
        return total / n_draws


class Loss(SlopeMethod):
    """Slopes of each row's loss. Their signed mean is zero at the optimum: look at the sizes."""

    name: ClassVar[str] = "loss"

    def __init__(self, task: Task) -> None:
        if task.y is None:
            raise ValueError('method="loss" needs y.')
        self.loss = RowLoss(task.question.estimator, task.y)
        super().__init__(task)

    def slopes(self, X: Any, rows: slice) -> FloatArray:
        """Pull the derivative of the loss back."""
        question = self.loss.question(self.task.question)
        local, _ = question.walk(X)
        _, cotangent = self.loss.value_and_gradient(local.value, rows)
        return local.pull(cotangent)[:, :, None]

    def response(self, X: Any, rows: slice) -> FloatArray:
        """Evaluate the loss."""
        question = self.loss.question(self.task.question)
        return self.loss.value_and_gradient(question.walk(X)[0].value, rows)[0]


def slopes_of(task: Task, X: Any) -> FloatArray:
    """Differentiate every output that is asked for."""
    local, _ = task.question.walk(X)
    pulled = [local.pull(cotangent) for cotangent in task.question.cotangents(X.shape[0])]
    return np.stack(pulled, axis=2)
