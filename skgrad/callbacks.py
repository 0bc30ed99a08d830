"""Callbacks of a solver's run."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from skgrad._typing import FloatArray
from skgrad.objective import Objective


class Iterate(Protocol):
    """The part of a solver's report that these callbacks read."""

    @property
    def w(self) -> FloatArray:
        """Parameters after the iteration."""


class EarlyStopping:
    """Stop when a validation objective no longer improves, and remember the best parameters.

    Parameters
    ----------
    validation : Objective
        Unpenalised loss on held-out rows, in the coordinates of the training objective.
    n_iter_no_change : int
        Iterations without improvement that end the run.
    tol : float
        Relative improvement that counts.

    Attributes
    ----------
    best_w : array or None
        Parameters with the lowest validation loss so far.
    losses : list of float
        Validation loss of every iteration.
    """

    def __init__(self, validation: Objective, *, n_iter_no_change: int, tol: float) -> None:
        self.validation = validation
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.best_w: FloatArray | None = None
        self.losses: list[float] = []
        self._best = float("inf")
        self._n_bad = 0

    def __call__(self, iteration: Iterate) -> bool:
        """Evaluate the validation loss; True asks to stop."""
        loss = self.validation.value(iteration.w)
        self.losses.append(loss)
        progress = not np.isfinite(self._best) or loss < self._best - self.tol * abs(self._best)
        self._n_bad = 0 if progress else self._n_bad + 1
        if loss < self._best:
            self._best, self.best_w = loss, iteration.w.copy()
        return self._n_bad >= self.n_iter_no_change
