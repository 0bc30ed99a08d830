"""What solver="auto" picks."""

from __future__ import annotations

from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._base import Solver
from skgrad.solvers._working_set import is_crowded
from skgrad.solvers.cocoa import CoCoA
from skgrad.solvers.lbfgs import LBFGS
from skgrad.solvers.newton import Newton
from skgrad.solvers.newton_cg import NewtonCG
from skgrad.solvers.proximal_gradient import ProximalGradient
from skgrad.solvers.proximal_newton import ProximalNewton
from skgrad.solvers.subsampled_newton import LARGEST_FACTOR, SubsampledNewton

# A Newton iteration costs n * block^2 multiplications at the speed of matrix products, a pass of
# L-BFGS n * block * density at the speed of memory, and there are some ten times as many of them.
# Measured on two cores, they break even on dense data at blocks of about this order.
LARGEST_NEWTON_BLOCK = 300
# Sparse products are slower per stored number by about this factor.
SPARSE_SLOWDOWN = 3.0
# From here on a pass over the data costs more than what a sample needs in the interpreter.
LARGE = 1_000_000
# With fewer, directions that a small sample cannot see have curvatures of all sizes, and a thousand
# passes may not do; blocks up to this order are factorised instead.
ROWS_FOR_DIRECTIONS = 5
LARGEST_EXACT_BLOCK = 1600
# A Gram product of so many multiplications takes some 10 ms.
CHEAP_GRAM = 1e9
# Rows per parameter from which a sample that may be copied determines a Hessian.
ROWS_FOR_SAMPLE = 60
# Rows that pull as hard as the penalty alone slow dual coordinate ascent down to a factor of two or
# three for each epoch (tf-idf data, logistic loss: ten at a quarter, C = 1). At twice the pull
# other methods catch up. With a margin most rows soon rest, and epochs over the others are cheap;
# if few rest, as labels are noise, other methods were as fast at a pull of 2, faster at 8.
LARGEST_PULL = 0.5
LARGEST_PULL_WITH_MARGIN = 4.0


def newton_pays(objective: Objective) -> bool:
    """Estimate whether few iterations with a factorised matrix beat many passes over the data.

    With one to ten rows for two parameters many passes are needed: so for larger blocks, too.
    """
    n, size, density = objective.n_samples, objective.block_size, objective.density
    few_rows = size <= 2 * n < 2 * ROWS_FOR_DIRECTIONS * size
    exact = few_rows and density == 1.0 and not objective.coupled
    largest = LARGEST_EXACT_BLOCK if exact else LARGEST_NEWTON_BLOCK
    return size <= largest * min(1.0, SPARSE_SLOWDOWN * density)


def sample_pays(objective: Objective) -> bool:
    """Tell whether a sample of the rows says enough of the Hessian, and the data are large.

    Either there are many rows per parameter, or the outputs are separate: then the dominant
    directions of a small sample serve, or for sparse data the diagonal.
    """
    n, size, density = objective.n_samples, objective.block_size, objective.density
    if n * objective.row_length * density < LARGE:
        return False
    if objective.constant_curvature and newton_pays(objective) and n * size**2 <= CHEAP_GRAM:
        return False  # one exact step
    if n >= ROWS_FOR_SAMPLE * size and size <= LARGEST_FACTOR:
        return True
    if objective.coupled or size <= LARGEST_NEWTON_BLOCK:
        return False
    return density < 1.0 or n >= ROWS_FOR_DIRECTIONS * size or size > LARGEST_EXACT_BLOCK


def rows_matter_little(objective: Objective) -> bool:
    """Tell whether a strong penalty makes dual coordinate ascent on sparse rows converge fast."""
    possible = CoCoA.needs <= objective.offers and objective.density < 1.0
    if not possible or objective.constant_curvature:
        return False  # least squares are asked for every digit
    if objective.has_margin:
        return objective.row_pull() <= LARGEST_PULL_WITH_MARGIN
    return objective.continuous_curvature and objective.row_pull() <= LARGEST_PULL


def choose_for_smooth_loss(objective: Objective) -> Solver:
    """Pick a method of Newton's family where it pays, else one that needs gradients only."""
    if Capability.SMOOTH_PENALTY not in objective.offers:
        return ProximalGradient() if is_crowded(objective) else ProximalNewton()
    if objective.knows_hessian:
        return Newton()
    if sample_pays(objective):
        many_columns = objective.n_samples < ROWS_FOR_SAMPLE * objective.block_size
        if many_columns and rows_matter_little(objective):
            return CoCoA()
        return SubsampledNewton()
    if newton_pays(objective):
        return Newton()
    return NewtonCG() if objective.coupled else LBFGS()
