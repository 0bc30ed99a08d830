"""A fitted step at the rows at hand: its output there, and the transpose of its derivative."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from skgrad._typing import FloatArray, IntArray

# Maps cotangents of the output, shape (n_samples, n_out), to the input's, (n_samples, n_in).
Pull: TypeAlias = Callable[[FloatArray], FloatArray]

SEVERAL = -1  # in place of a column: depends on more than one


class Link(ABC):
    """A smooth map of raw predictions to responses, one row at a time."""

    @abstractmethod
    def value(self, raw: FloatArray) -> FloatArray:
        """Compute the responses, shape (n_samples, n_responses)."""

    @abstractmethod
    def pull(self, raw: FloatArray, cotangent: FloatArray) -> FloatArray:
        """Multiply by the transpose of the derivative at ``raw``; shape of ``raw``."""

    @abstractmethod
    def mean_pull(self, start: FloatArray, end: FloatArray, cotangent: FloatArray) -> FloatArray:
        """Average `pull` over the straight line between two raw predictions."""


@dataclass(frozen=True)
class Pieces:
    """Where a piecewise linear predictor bends.

    Parameters
    ----------
    input : array of shape (n_samples, n_in)
        The predictor's input at the rows at hand.
    split : callable
        Maps two ends of straight lines, arrays like ``input``, to the stretches on which the
        prediction is linear: for each the number of its line, ascending, and both its ends
        t0 < t1 in [0, 1].
    """

    input: Any
    split: Callable[[Any, Any], tuple[IntArray, FloatArray, FloatArray]]


@dataclass(frozen=True)
class Local:
    """What a fitted step does to the rows at hand.

    Parameters
    ----------
    value : array of shape (n_samples, n_out)
        Output; an ndarray, a CSR matrix or a DataFrame.
    pull : callable
        Maps cotangents of the output, a float64 array of shape (n_samples, n_out), to those of the
        input, of shape (n_samples, n_in): row by row the product with the transposed Jacobian.
    sources : ndarray of shape (n_out,), optional
        The column of the input on which each output alone depends, `SEVERAL` if on more than one.
    affine : bool
        Whether the step is affine, and everywhere the same.
    raw : Local, optional
        For predictors: the same without the link, value = link(raw.value).
    link : Link, optional
        For predictors that have one.
    pieces : Pieces, optional
        For piecewise linear predictors behind affine steps.
    """

    value: Any
    pull: Pull
    sources: IntArray | None = None
    affine: bool = False
    raw: Local | None = None
    link: Link | None = None
    pieces: Pieces | None = None

    def after(self, first: Local) -> Local:
        """Compose with the step before, whose value is this one's input."""
        pull, first_pull, sources = self.pull, first.pull, None
        if self.sources is not None and first.sources is not None:
            known = self.sources != SEVERAL
            sources = np.where(known, first.sources[self.sources], SEVERAL)
        return replace(
            self,
            pull=lambda cotangent: first_pull(pull(cotangent)),
            sources=sources,
            affine=self.affine and first.affine,
            raw=None if self.raw is None else self.raw.after(first),
            pieces=self.pieces if first.affine else None,
        )


def linked(raw: Local, link: Link) -> Local:
    """Put a link behind a raw prediction."""
    z = raw.value
    return Local(
        link.value(z), lambda cotangent: raw.pull(link.pull(z, cotangent)), raw=raw, link=link
    )


@dataclass
class Leaf:
    """Where the chain rule ends before the input: variables of their own, behind a discrete step.

    Parameters
    ----------
    step : estimator
        An encoder, an imputer, a vectoriser.
    value : array of shape (n_samples, n_out)
        Its output.
    owners : ndarray of shape (n_out,)
        The original column that each output belongs to, `SEVERAL` if to more than one.
    cotangent : ndarray of shape (n_samples, n_out) or None
        That of the last pull.
    """

    step: Any
    value: Any
    owners: IntArray
    cotangent: FloatArray | None = field(default=None)
