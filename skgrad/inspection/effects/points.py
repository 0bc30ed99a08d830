"""A response at some rows, with what lies between the parameters of a linear last step and it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from skgrad._typing import FloatArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain import Local, Walk
from skgrad.inspection.chain.columns import dense, width
from skgrad.inspection.effects.bends import bend
from skgrad.inspection.effects.fits import LinearFit


def last_step(estimator: Any) -> Any:
    """Find the predictor at the end of pipelines and searches."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, BaseSearchCV):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            return estimator


def to_last_step(estimator: Any, X: Any, walk: Walk) -> tuple[Local, Walk]:
    """Walk up to the input of the last step."""
    if isinstance(estimator, BaseSearchCV):
        return to_last_step(estimator.best_estimator_, X, walk.into("best_estimator_"))
    if isinstance(estimator, FrozenEstimator):
        return to_last_step(estimator.estimator, X, walk)
    local = walk.transform("passthrough", X)
    if not isinstance(estimator, Pipeline):
        return local, walk
    sources = walk.sources
    for name, transformer in estimator.steps[:-1]:
        inside = walk.into(name, sources)
        following = inside.transform(transformer, local.value)
        local, sources = following.after(local), inside.past(following)
    name, last = estimator.steps[-1]
    inner, walk = to_last_step(last, local.value, walk.into(name, sources))
    return inner.after(local), walk


@dataclass(frozen=True)
class Point:
    """The response at some rows.

    Parameters
    ----------
    question : Question
        What is asked.
    local : Local
        The response there.
    design : Local or None
        The input of the last step, if that is a linear model.
    extended : ndarray of shape (n_samples, n_parameters of an output) or None
        The same as numbers, with a column of ones for the intercept.
    leaves : tuple of Leaf
        Where the chain of derivatives ends before the columns.
    """

    question: Question
    local: Local
    design: Local | None
    extended: FloatArray | None
    leaves: tuple[Any, ...]

    @classmethod
    def at(cls, question: Question, X: Any, fit: LinearFit | None) -> Point:
        """Evaluate."""
        if fit is None:
            local, start = question.walk(X)
            return cls(question, local, None, None, tuple(start.leaves.values()))
        start = Walk(
            np.arange(width(X)), question.names, question.response, question.fallback,
            memory=question.memory,
        )  # fmt: skip
        design, walk = to_last_step(question.estimator, X, start)
        local = walk.respond(fit.estimator, design.value).after(design)
        numbers = dense(design.value).reshape(design.value.shape[0], -1)
        return cls(question, local, design, fit.extended(numbers), tuple(start.leaves.values()))

    @property
    def raw(self) -> Local:
        """The response before its link."""
        return self.local if self.local.raw is None else self.local.raw

    @cached_property
    def value(self) -> FloatArray:
        """Responses that are asked for, shape (n_samples, n_targets)."""
        return self.question.select(self.local.value)

    def cotangent(self, target: int) -> FloatArray:
        """Pick out one of them."""
        return np.tile(self.question.picks[target], (len(self.value), 1))

    def slope(self, target: int, *, log: bool) -> FloatArray:
        """Differentiate a response, or its logarithm, in the raw predictions."""
        slope = self.cotangent(target)
        if self.local.link is not None:
            slope = self.local.link.pull(self.raw.value, slope)
        return slope / self.value[:, [target]] if log else slope

    def curvature(self, target: int, *, log: bool) -> FloatArray | None:
        """Differentiate it twice, shape (n_samples, n_raw, n_raw); None if that is 0."""
        raw, link = self.raw.value, self.local.link
        if link is None and not log:
            return None
        n_samples, n_raw = raw.shape
        curvature = np.zeros((n_samples, n_raw, n_raw))
        for k in range(n_raw if link is not None else 0):
            assert link is not None
            direction = np.zeros((n_samples, n_raw))
            direction[:, k] = 1.0
            curvature[:, :, k] = bend(link, raw, self.cotangent(target), direction)
        if log:
            slope = self.slope(target, log=True)
            curvature /= self.value[:, target, None, None]
            curvature -= slope[:, :, None] * slope[:, None, :]
        return curvature
