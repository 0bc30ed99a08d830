"""Separated classes: without a penalty, the optimum of a log loss is at infinity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skgrad._typing import Array, FloatArray, IntArray, Matrix
from skgrad.linalg import column_extremes
from skgrad.losses import Loss
from skgrad.objective import Objective
from skgrad.solvers import Iteration

# A run that ends because all rows are on their side should leave no doubt, neither by rounding nor
# because a stochastic solver's parameters moved while it summed the losses.
CERTAIN = 0.1
# Probability of a row's own class from which on a single column may be what separates it.
NEARLY_ONE = 0.999
# Columns named where it takes several.
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Separation:
    """What to look for in a fit without penalty, and how to say it.

    Complete separation, of all classes, is certain as soon as an iterate separates them. Of
    separation up to ties, or of some classes only, one kind is looked for: that by a single column,
    such as an indicator that is never set in one class.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        Labels.
    names : array of shape (n_features,), optional
        Names of the columns.
    fit_intercept : bool
        Without intercept a column separates at zero only.
    """

    classes: Array
    names: Array | None
    fit_intercept: bool

    def stop(
        self, loss: Loss, sample_weight: FloatArray | None, total: float
    ) -> Callable[[Iteration], bool]:
        """Build the callback that ends a run once all classes are separated for certain.

        The objective is the mean of the losses: if it is below the smallest row's share of
        `Loss.separated_below`, then so is every row's loss. Costs nothing, and on separable data it
        must happen, as the objective goes to zero.
        """
        smallest = 1.0 if sample_weight is None else float(sample_weight.min())
        limit = CERTAIN * loss.separated_below * smallest / total

        def separated(iteration: Iteration) -> bool:
            return iteration.state.value < limit

        return separated

    def notice(
        self, X: Matrix, y: Array, sample_weight: FloatArray | None, objective: Objective,
        w: FloatArray,
    ) -> str | None:  # fmt: skip
        """Say that the optimum is at infinity, and why, if that is certain."""
        codes = y.astype(np.intp).ravel()
        lead, own = margins(objective.multipliers(w), codes)
        counts = np.ones(len(codes), bool) if sample_weight is None else sample_weight[:, 0] > 0
        complete = bool((lead[counts] > np.sqrt(np.finfo(w.dtype).eps)).all())
        finding = None
        if len(self.classes) == 2 if complete else (own[counts] > NEARLY_ONE).any():
            finding = self._split(X, codes, counts, complete=complete)
        if finding is None and complete:
            finding = (
                "The classes are perfectly separated by a combination of columns (foremost "
                f"{self._heaviest(X, objective, w)})"
            )
        if finding is None:
            return None
        return (
            f"{finding}: without a penalty (C=inf) the optimum is at infinity, and coef_ is only "
            "where the fit stopped. Use a finite C."
        )

    def _split(self, X: Matrix, codes: IntArray, counts: Array, *, complete: bool) -> str | None:
        """Find a single column that separates a class from the rest; if not complete, up to ties.

        Raising that class's score with the column (less the border) then costs no row anything.
        """
        present = np.unique(codes[counts])
        low, high = np.empty((2, len(present), X.shape[1]))
        for k, code in enumerate(present):
            low[k], high[k] = column_extremes(X, np.flatnonzero((codes == code) & counts))
        best, found = 0, None
        for k, label in enumerate(self.classes[present].tolist()):
            what = "The classes are perfectly" if complete else f"Class {label!r} is"
            rest = np.arange(len(present)) != k
            rest_low = low[rest].min(axis=0, initial=np.inf)
            rest_high = high[rest].max(axis=0, initial=-np.inf)
            for sides, ways in (
                (np.stack([low[k], high[k], rest_high, rest_low]), ("more", "less")),
                (np.stack([high[k], low[k], rest_low, rest_high]), ("less", "more")),
            ):
                clarity = self._clarity(sides if ways[0] == "more" else -sides, complete=complete)
                j = int(np.argmax(clarity))
                if clarity[j] > best:
                    best, (near, _, border, _) = clarity[j], sides[:, j]
                    found = (
                        f"{what} separated by {self._name(j)} ({near:.6g} or {ways[0]} for "
                        f"{label!r}, {border:.6g} or {ways[1]} for the rest)"
                    )
        return found

    def _clarity(self, sides: FloatArray, *, complete: bool) -> IntArray:
        """Rate how far each column separates a class, 0 for not at all.

        The class lies from near to far, the rest from its border down to its own far side. Without
        ties is best, then with rows of the class beyond the tie, then with others beyond it.
        """
        near, far, border, rest_far = sides
        clarity = 3 * (near > border)
        if not complete:
            clarity += (near == border) * np.where(far > near, 2, rest_far < border)
        if not self.fit_intercept:
            clarity *= (near >= 0) & (border <= 0)
        return clarity

    def _heaviest(self, X: Matrix, objective: Objective, w: FloatArray) -> str:
        """Name the columns that can move a score the most."""
        low, high = column_extremes(X, np.arange(X.shape[0]))
        reach = (high - low) * np.abs(objective.user_model.coef(objective.to_user(w)))
        heaviest = np.argsort(-reach.max(axis=0), kind="stable")[:MOST_NAMED]
        return ", ".join(self._name(int(j)) for j in heaviest)

    def _name(self, j: int) -> str:
        return f"column {j}" if self.names is None else f"column {str(self.names[j])!r}"


def margins(slopes: FloatArray, codes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Recover probabilities from the slopes of a log loss, which are probability less label.

    Returns each row's probability of its own class less the largest other one, and the former.
    """
    if slopes.shape[1] == 1:
        other = np.abs(slopes[:, 0])
        return 1.0 - 2.0 * other, 1.0 - other
    rows = np.arange(len(codes))
    own = 1.0 + slopes[rows, codes]
    others = slopes.copy()
    others[rows, codes] = -np.inf
    return own - others.max(axis=1), own
