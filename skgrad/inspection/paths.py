"""Integrals of gradients along straight lines between two inputs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection._question import Question
from skgrad.inspection.chain import Local, Pieces
from skgrad.inspection.points import Point

# Gauss-Legendre nodes: 16 leave 1e-7 of a smooth network and nothing of a logistic model. Rows
# that are not complete then get twice as many, again and again: across kinks the error only falls
# like 1/n.
FIRST_NODES, MAX_NODES = 16, 256
# Error of completeness that is not worth more nodes, relative to 1 + |f(x) - f(x')|.
COMPLETE = 1e-6
# Stretches of lines at a time.
STRETCHES = 4096


@dataclass(frozen=True)
class Integral:
    """What each column contributes on the way from one input to another.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features, n_asked)
        Contributions.
    start, end : ndarray of shape (n_samples, n_asked)
        The response at both ends.
    """

    values: FloatArray
    start: FloatArray
    end: FloatArray

    @property
    def delta(self) -> FloatArray:
        """What is missing to completeness: f(x) - f(x') minus the sum of the contributions."""
        return self.end - self.start - self.values.sum(axis=1)


class Line:
    """Straight lines from one point to another, row by row.

    Parameters
    ----------
    question : Question
        What is differentiated.
    start, end : Point
        Both ends.
    at_start, at_end : Local
        The response there.
    """

    def __init__(
        self, question: Question, start: Point, end: Point, at_start: Local, at_end: Local
    ) -> None:
        self.question, self.start, self.end = question, start, end
        self.at_start, self.at_end = at_start, at_end

    def integrate(self, n_steps: int | Literal["auto"]) -> Integral:
        """Integrate the gradient: exactly where that is possible, by quadrature elsewhere."""
        question, raw = self.question, self.at_end.raw or self.at_end
        n, d = self.end.n_samples, len(question.names)
        integral = Integral(
            np.zeros((n, d, len(question.picks))),
            question.select(self.at_start.value), question.select(self.at_end.value),
        )  # fmt: skip
        everything = np.arange(n)
        if n_steps != "auto":
            integral.values[...] = self._quadrature(everything, n_steps)
        elif raw.affine:
            integral.values[...] = self._stretches(everything, np.zeros(n), np.ones(n))
        elif raw.pieces is not None:
            self._sum_stretches(integral.values, raw.pieces)
        else:
            self._refine(integral)
        return integral

    def _quadrature(self, rows: IntArray, n_nodes: int) -> FloatArray:
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        start, end = self.start.take(rows), self.end.take(rows)
        total = np.zeros((len(rows), len(self.question.names), len(self.question.picks)))
        for node, weight in zip(0.5 * (1.0 + nodes), 0.5 * weights, strict=True):
            local, walk = start.towards(end, np.full((len(rows), 1), node)).evaluate(self.question)
            for k, cotangent in enumerate(self.question.cotangents(len(rows))):
                pulled = local.pull(cotangent)
                total[:, :, k] += weight * start.contributions(end, pulled, walk)
        return total

    def _refine(self, integral: Integral) -> None:
        """Double the number of nodes for the rows that are not complete yet."""
        rows, n_nodes = np.arange(self.end.n_samples), FIRST_NODES
        allowed = COMPLETE * (1.0 + np.abs(integral.end - integral.start))
        while len(rows) and n_nodes <= MAX_NODES:
            integral.values[rows] = self._quadrature(rows, n_nodes)
            rows = np.flatnonzero((np.abs(integral.delta) > allowed).any(axis=1))
            n_nodes *= 2
        if len(rows):
            missing = np.abs(integral.delta).max(axis=1)
            worst = int(missing.argmax())
            warnings.warn(
                f"With {MAX_NODES} steps the attributions of {len(rows)} rows don't sum up yet:"
                f" {missing[worst]:.1e} is missing in row {worst}. The response has kinks; `delta`"
                " holds what is missing in each row.",
                stacklevel=2,
            )

    def _stretches(self, rows: IntArray, t0: FloatArray, t1: FloatArray) -> FloatArray:
        """Integrate over stretches on which the raw prediction is linear, in closed form.

        There its gradient is constant, and that of the link depends on the raw prediction alone.
        """
        question, start, end = self.question, self.start.take(rows), self.end.take(rows)
        local, walk = start.towards(end, 0.5 * (t0 + t1)[:, None]).evaluate(question)
        raw, link = local.raw or local, local.link
        total = np.empty((len(rows), len(question.names), len(question.picks)))
        if link is not None:
            z0, z1 = (self._raw(start, end, t) for t in (t0, t1))
        for k, cotangent in enumerate(question.cotangents(len(rows))):
            mean = cotangent if link is None else link.mean_pull(z0, z1, cotangent)
            total[:, :, k] = start.contributions(end, raw.pull(mean), walk)
        total *= (t1 - t0)[:, None, None]
        return total

    def _raw(self, start: Point, end: Point, t: FloatArray) -> FloatArray:
        local, _ = start.towards(end, t[:, None]).evaluate(self.question)
        value: FloatArray = (local.raw or local).value
        return value

    def _sum_stretches(self, values: FloatArray, pieces: Pieces) -> None:
        at_start = (self.at_start.raw or self.at_start).pieces
        assert at_start is not None
        rows, t0, t1 = pieces.split(at_start.input, pieces.input)
        for first in range(0, len(rows), STRETCHES):
            part = slice(first, first + STRETCHES)
            np.add.at(values, rows[part], self._stretches(rows[part], t0[part], t1[part]))
