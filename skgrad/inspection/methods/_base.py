"""The contract of a method of attribution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from skgrad._typing import Array, FloatArray
from skgrad.inspection._question import Question


@dataclass(frozen=True)
class Task:
    """What is to be explained, and how.

    Parameters
    ----------
    question : Question
        The response.
    X : DataFrame, array or sparse matrix
        All rows.
    y : array or None
        Their targets.
    weight : ndarray or None
        Weights of the rows.
    scale : {"std", "iqr", "input"} or None
        What slopes are multiplied by.
    baseline : str or rows
        What rows are compared with.
    n_steps : int or "auto"
        Steps of a path, or draws of noise.
    rng : RandomState
        Draws rows and noise.
    """

    question: Question
    X: Any
    y: Array | None
    weight: FloatArray | None
    scale: str | None
    baseline: Any
    n_steps: int | Literal["auto"]
    rng: np.random.RandomState


@dataclass(frozen=True)
class Explained:
    """Attributions of some rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features, n_asked)
        In columns of categories sizes, without a sign, unless the method is additive.
    delta : ndarray of shape (n_rows, n_asked) or None
        What additive attributions miss to completeness.
    base : ndarray of shape (n_asked,) or None
        The response that complete attributions start from.
    """

    values: FloatArray
    delta: FloatArray | None = None
    base: FloatArray | None = None


class Method(ABC):
    """A way to share a response out among the columns, prepared for all rows of a task.

    Attributes
    ----------
    name : str
        Value of ``method``.
    additive : bool
        Whether the values are parts of the response, which add up over columns, signs and all.
    """

    name: ClassVar[str]
    additive: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def explain(self, rows: slice) -> Explained:
        """Explain some rows."""
