"""What a network is to learn, and what part of it is held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from skgrad._typing import Array, FloatArray, Matrix
from skgrad.losses import Loss


@dataclass(frozen=True, slots=True)
class Task:
    """Validated data in the loss's coding.

    ``targets`` are y as scores need them; ``weight`` has shape (n_samples, 1) or is None.
    """

    loss: Loss
    X: Matrix
    y: Array
    targets: Array
    weight: FloatArray | None
    n_outputs: int

    def rows(self, rows: Array) -> Task:
        """Restrict to some rows."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(
            self, X=self.X[rows], y=self.y[rows], targets=self.targets[rows], weight=weight
        )


def hidden_sizes(sizes: Any) -> tuple[int, ...]:
    """Check the numbers of units."""
    hidden = np.atleast_1d(sizes).tolist()
    if not hidden or not all(isinstance(size, int) and size > 0 for size in hidden):
        raise ValueError(
            f"hidden_layer_sizes={sizes!r} must be a positive integer, or a sequence of at least "
            "one of them. For no hidden layer use LogisticRegression or LinearRegression."
        )
    return tuple(hidden)


def hold_out(task: Task, fraction: float, seed: int, strata: Array | None) -> tuple[Task, Task]:
    """Split off validation rows, with the shares of the strata preserved."""
    training, held_out = train_test_split(
        np.arange(len(task.y)), test_size=fraction, random_state=seed, stratify=strata
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return task.rows(training), task.rows(held_out)
