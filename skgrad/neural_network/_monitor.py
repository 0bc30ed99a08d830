"""When training ends, and which parameters it returns."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from skgrad._typing import FloatArray
from skgrad.solvers import DivergenceError, Iteration, Result, State, Status

Score = Callable[[FloatArray], float]


class Monitor:
    """Stop when training no longer improves, by the loss or by a validation score.

    An epoch counts as progress if it improves on the best one by more than ``tol``, as in
    scikit-learn. A loss that is computed exactly has to fall by the fraction ``tol`` only, and a
    gradient no longer than that ends the training. With a validation score the best parameters are
    kept.

    Parameters
    ----------
    tol : float
        Absolute improvement that counts.
    n_iter_no_change : float
        More epochs than this without progress end the training; inf never does.
    score : callable, optional
        Maps parameters to a validation score, larger is better; by default the training loss
        counts.
    noisy : bool
        Whether losses are estimates by mini-batches.

    Attributes
    ----------
    losses, scores : list of float
        Training loss and validation score of every epoch.
    best_w : array or None
        Parameters with the best validation score so far, of equal ones the latest.
    best_score : float
        That score; NaN counts as -inf.
    n_bad : int
        Epochs since the last progress.
    error : DivergenceError or None
        How training ended, if the best parameters were saved from it.
    """

    def __init__(
        self, tol: float, n_iter_no_change: float, score: Score | None = None, *, noisy: bool
    ) -> None:
        self.tol, self.n_iter_no_change, self.score = tol, n_iter_no_change, score
        self.noisy = noisy
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.best_w: FloatArray | None = None
        self.n_bad = 0
        self.error: DivergenceError | None = None
        self._best = self.best_score = -math.inf

    def __call__(self, iteration: Iteration) -> bool:
        """Take note of an epoch; True asks to stop."""
        self.losses.append(iteration.state.value)
        merit = -iteration.state.value
        if self.score is not None:
            merit = self.score(iteration.w)
            self.scores.append(merit)
            # Of equal scores the latest counts: few validation rows are soon all predicted right,
            # long before training is done (iris, 12 rows: accuracy 0.87 with the first).
            comparable = -math.inf if math.isnan(merit) else merit
            if comparable >= self.best_score:
                self.best_score, self.best_w = comparable, iteration.w.copy()
        exact = self.score is None and not self.noisy
        needed = self.tol * abs(self._best) if exact and self._best > -math.inf else self.tol
        # NaN is no progress.
        self.n_bad = 0 if merit > self._best + needed else self.n_bad + 1
        self._best = max(self._best, merit)
        flat = exact and iteration.state.gradient_norm <= self.tol
        return flat or self.n_bad > self.n_iter_no_change

    def salvage(self, error: DivergenceError) -> Result:
        """Return the best parameters of a run that diverged; raise if there are none."""
        if self.best_w is None or not math.isfinite(self.best_score):
            raise error
        self.error = error
        history = {"loss": np.array(self.losses)}
        return Result(
            self.best_w, self.losses[-1], math.nan, math.nan, len(self.losses), Status.DIVERGED,
            history, State(self.losses[-1]),
        )  # fmt: skip
