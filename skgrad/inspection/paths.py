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

# Gauss-Legendre nodes on a whole line leave 1e-7 of a smooth network and 1e-9 of a logistic model.
# Lines that are not complete then are cut, and again the parts that are not: first in halves, which
# separate the kinks, then where both slopes say that the kink is, which is right to the square of
# the length. Every third cut is in the middle all the same: there may be several kinks. Short parts
# need few nodes.
N_NODES, N_HALVINGS, SHORT_NODES, MAX_CUTS = 8, 3, 4, 20
# A line with more open parts than this has no kinks but a gradient that is wrong, or jumps.
MAX_PARTS = 64
# No part is shorter than this share of the one it is cut from.
SHORTEST = 0.02
# Error of completeness that is not worth more nodes, relative to 1 + |f(x) - f(x')|, of a line; a
# part of one may have this share of it.
COMPLETE, SHARE = 1e-6, 1.0 / 16.0
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

    def integrate(self, n_steps: int | Literal["auto"], *, complete: float = COMPLETE) -> Integral:
        """Integrate the gradient: exactly where that is possible, by quadrature elsewhere."""
        question, raw = self.question, self.at_end.raw or self.at_end
        n, d = self.end.n_samples, len(question.names)
        integral = Integral(
            np.zeros((n, d, len(question.picks))),
            question.select(self.at_start.value), question.select(self.at_end.value),
        )  # fmt: skip
        everything = np.arange(n)
        if n_steps != "auto":
            integral.values[...] = self._quadrature(everything, np.zeros(n), np.ones(n), n_steps)[0]
        elif raw.affine:
            integral.values[...] = self._stretches(everything, np.zeros(n), np.ones(n))
        elif raw.pieces is not None:
            self._sum_stretches(integral.values, raw.pieces)
        else:
            self._refine(integral, complete)
        return integral

    def _quadrature(
        self, rows: IntArray, t0: FloatArray, t1: FloatArray, n_nodes: int
    ) -> tuple[FloatArray, FloatArray]:
        """Integrate over parts of lines; returns the slopes along them at all nodes as well."""
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        start, end = self.start.take(rows), self.end.take(rows)
        total = np.zeros((len(rows), len(self.question.names), len(self.question.picks)))
        slopes = np.empty((n_nodes, len(rows), len(self.question.picks)))
        for i, node in enumerate(0.5 * (1.0 + nodes)):
            t = t0 + node * (t1 - t0)
            local, walk = start.towards(end, t[:, None]).evaluate(self.question)
            for k, cotangent in enumerate(self.question.cotangents(len(rows))):
                here = start.contributions(end, local.pull(cotangent), walk)
                total[:, :, k] += 0.5 * weights[i] * here
                slopes[i, :, k] = here.sum(axis=1)
        total *= (t1 - t0)[:, None, None]
        return total, slopes

    def _response(self, rows: IntArray, t: FloatArray) -> FloatArray:
        start, end = self.start.take(rows), self.end.take(rows)
        local, _ = start.towards(end, t[:, None]).evaluate(self.question)
        return self.question.select(local.value)

    def _refine(self, integral: Integral, complete: float) -> None:
        """Cut the lines, and parts of lines, that are not complete yet."""
        n = self.end.n_samples
        rows, t0, t1 = np.arange(n), np.zeros(n), np.ones(n)
        f0, f1 = integral.start, integral.end
        allowed = complete * (1.0 + np.abs(f1 - f0))
        for n_cuts in range(MAX_CUTS + 1):
            n_nodes = N_NODES if n_cuts <= N_HALVINGS else SHORT_NODES
            parts, slopes = self._quadrature(rows, t0, t1, n_nodes)
            missing = f1 - f0 - parts.sum(axis=1)
            share = 1.0 if n_cuts == 0 else SHARE
            done = (np.abs(missing) <= share * allowed[rows]).all(axis=1) | (n_cuts == MAX_CUTS)
            done |= np.bincount(rows[~done], minlength=n)[rows] > MAX_PARTS
            np.add.at(integral.values, rows[done], parts[done])
            if done.all():
                break
            place = np.full(len(rows), 0.5)
            if n_cuts >= N_HALVINGS and n_cuts % 3 != 2:
                place = _kinks((f1 - f0) / (t1 - t0)[:, None], slopes, missing)
            cut = t0 + place * (t1 - t0)
            rows, t0, t1, f0, f1, cut = (part[~done] for part in (rows, t0, t1, f0, f1, cut))
            f = self._response(rows, cut)
            rows = np.concatenate([rows, rows])
            t0, t1 = np.concatenate([t0, cut]), np.concatenate([cut, t1])
            f0, f1 = np.concatenate([f0, f]), np.concatenate([f, f1])
        self._complain(integral, 4.0 * allowed)

    def _complain(self, integral: Integral, allowed: FloatArray) -> None:
        """Warn of rows that are far from complete."""
        missing = np.abs(integral.delta)
        rows = np.flatnonzero((missing > allowed).any(axis=1))
        if len(rows):
            worst = int(missing.max(axis=1).argmax())
            warnings.warn(
                f"The attributions of {len(rows)} rows don't sum up to the change of the response:"
                f" {missing[worst].max():.1e} is missing in row {worst}. The response jumps, or its"
                " gradient is not right; `delta` holds what is missing in each row.",
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


def _kinks(secant: FloatArray, slopes: FloatArray, missing: FloatArray) -> FloatArray:
    """Guess where, between 0 and 1, parts of lines have a kink, from the slopes on both sides.

    If the slope is s_0 up to the kink u and s_1 from there on, the secant has s_0 u + s_1 (1 - u).
    """
    worst = np.abs(missing).argmax(axis=1)[:, None]
    first, last, mean = (
        np.take_along_axis(each, worst, axis=1)[:, 0] for each in (slopes[0], slopes[-1], secant)
    )
    bend = last - first
    place = (last - mean) / np.where(bend == 0.0, 1.0, bend)
    found = (bend != 0.0) & (place > 0.0) & (place < 1.0)
    return np.where(found, np.clip(place, SHORTEST, 1.0 - SHORTEST), 0.5)
