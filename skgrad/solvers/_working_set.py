"""Which columns a step may change: those in use, and those that are farthest from optimal."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray, IntArray
from skgrad.capabilities import Capability
from skgrad.columns import ColumnWalk
from skgrad.objective import Objective

# So few columns are all taken: nothing is gained by leaving some out.
SMALL = 50
# The same where the data are small, and one Gram matrix serves the whole run (1800 x 64: 3 -> 1
# milliseconds).
SMALL_GRAM = 100
# The Gram matrix of sqrt(10 p) of p columns costs about a pass over all of them: it multiplies
# some ten times as many numbers a second as a product with a vector reads.
PASS_WORTH = 10.0
# Beyond that, the set may be this much larger than the support: it is found in a few rounds.
GROWTH = 3
# Up to this order the Hessian of a working set is built and factorised.
LARGEST_EXPLICIT = 2000
# Coupled outputs take a Gram product for each pair of them: for more outputs than these, and an
# order beyond this, products of the Hessian with vectors are cheaper.
MOST_TOGETHER = 16
SMALL_ORDER = 300
# Coordinate descent beats the Gram matrix of more columns of sparse data than these; than so many
# times as many where the Gram matrix serves all iterations.
LARGEST_GRAM = 300
REUSED = 3
# Either takes columns along that would violate their condition if their slope were this many times
# as large: gathering columns anew, or another Gram matrix, costs as much as several passes.
NEAR = 1.5
# Beyond this share of the columns, all are gathered, once for the whole run.
MOST = 0.3
# A set that has become too large by this factor is chosen anew.
SLACK = 2


class Part(NamedTuple):
    """An objective restricted to some columns (None: all), and the places of its parameters."""

    objective: Objective
    columns: IntArray | None = None
    places: IntArray | slice = slice(None)
    walk: ColumnWalk | None = None


def together(objective: Objective) -> int:
    """Count the outputs that share a block of the Hessian."""
    return objective.block_size // objective.model.row_length


def is_crowded(objective: Objective) -> bool:
    """Tell whether too many outputs are coupled for their Hessian to be built."""
    return together(objective) > MOST_TOGETHER and objective.block_size > SMALL_ORDER


def is_explicit(objective: Objective) -> bool:
    """Tell whether the Hessian is to be built."""
    return objective.block_size <= LARGEST_EXPLICIT and not is_crowded(objective)


def choose_part(
    objective: Objective, w: FloatArray, gradient: FloatArray, previous: Part | None
) -> Part:
    """Restrict the objective to a working set; the previous part is kept if its columns are."""
    columns = working_set(objective, w, gradient, None if previous is None else previous.columns)
    if columns is None:
        return Part(objective)
    if previous is not None and columns is previous.columns:
        return previous
    restricted, places = objective.restrict(columns)
    walk = None
    if objective.columns.can_be_walked and len(columns) > largest_gram(objective):
        walk = objective.columns.walk(columns)
    return Part(restricted, columns, places, walk)


def largest_gram(objective: Objective) -> int:
    """Count the columns whose Gram matrix beats coordinate descent, if they can be walked."""
    return LARGEST_GRAM * (REUSED if objective.constant_curvature else 1)


def working_set(
    objective: Objective, w: FloatArray, gradient: FloatArray, previous: IntArray | None
) -> IntArray | None:
    """Choose columns, in ascending order; None for all of them.

    All columns with coefficients, and of those whose optimality condition is violated the worst.
    The previous set is kept while it holds all that is wanted.
    """
    n_columns = objective.model.n_features
    if n_columns <= SMALL or Capability.SMOOTH_PENALTY in objective.offers:
        return None
    columns = objective.columns
    if objective.constant_curvature and n_columns <= SMALL_GRAM and not columns.are_many:
        return None
    support, violation = columns.support(w), columns.violation(w, gradient)
    wanted, n_support = (violation > 0.0) | support, int(support.sum())
    n_outputs = together(objective)
    budget = max(10, int(math.sqrt(PASS_WORTH * n_columns)) // n_outputs)
    largest = max(n_support + budget, LARGEST_EXPLICIT // n_outputs - 1)
    room = max(budget, min(GROWTH * n_support, largest))
    bounded = not (is_crowded(objective) or columns.can_be_walked)
    if bounded and wanted.sum() > room:
        violation[support] = np.inf
        wanted[:] = False
        wanted[np.argpartition(violation, -room)[-room:]] = True
    size = int(wanted.sum())
    few = size <= largest_gram(objective)
    if previous is not None:
        # So few are left that their Gram matrix, which serves from here on, is the better way.
        shrunk = few and len(previous) > largest_gram(objective) and objective.constant_curvature
        kept = int(wanted[previous].sum())
        slack = columns.can_be_walked or len(previous) <= SLACK * max(size, budget)
        if kept == size and slack and not shrunk:
            return previous
        if size - kept + len(previous) <= room and not shrunk:
            wanted[previous] = True
    if columns.can_be_walked:
        near = wanted | (columns.violation(w, NEAR * gradient) > 0.0)
        if not few:
            near[[] if previous is None else previous] = True
            near |= near.sum() > MOST * n_columns
        if not few or near.sum() <= largest_gram(objective):
            wanted = near
    return np.flatnonzero(wanted)
