"""Two ways through an epoch of mini-batches: any update in Python, known formulas compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from skgrad._typing import FloatArray
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.row_epochs import Plan, Walk
from skgrad.rows import Batch
from skgrad.solvers._clipping import clipped

Moments = tuple[FloatArray, ...]
Update = Callable[[FloatArray, Moments, int, float], tuple[FloatArray, float | FloatArray, Moments]]

# An update costs some 50 microseconds in Python, importing the compiler half a second. With this
# many updates planned, or data this large (n_samples times parameters of an output), it is worth
# it. The test may not look at whether the compiler is there already: the last digits of a result
# would depend on what the process did before.
MANY_UPDATES = 10_000
MANY_ELEMENTS = 1_000_000


def compiled_pays(objective: Objective, plan: Plan, horizon: int) -> bool:
    """Tell whether an epoch should be compiled; a batch of all rows is one product anyway."""
    n = objective.n_samples
    if Capability.ROW_EPOCHS not in objective.offers or plan.batch_size >= n:
        return False
    large = n * objective.model.row_length >= MANY_ELEMENTS
    return large or -(-n // plan.batch_size) * horizon >= MANY_UPDATES


def walk_batches(
    objective: Objective, walk: Walk, plan: Plan, update: Update, batches: Iterator[Batch | None]
) -> Walk:
    """Make one update per batch."""
    w, average, moments, t = walk.iterate, walk.average, walk.moments, walk.t
    loss, mean_gradient = 0.0, np.zeros_like(w)
    for k, batch in enumerate(batches):
        value, gradient = objective.loss_and_gradient(w, batch)
        share = objective.share(batch)
        loss += share * value
        objective.add_penalty(w, gradient)
        mean_gradient += share * gradient
        gradient = clipped(gradient, plan.largest_norm, plan.largest_entry)
        t += 1
        rate = float(plan.rates[k // plan.every])
        displacement, step_size, moments = update(gradient, moments, t, rate)
        w = objective.prox(w + displacement, step_size)
        if plan.averaging:
            pace = (plan.averaging + 1) / (t + plan.averaging)
            average = average + pace * (w - average)
    return Walk(w, average, moments, t, loss, mean_gradient)
