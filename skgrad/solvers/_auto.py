"""What solver="auto" picks."""

from __future__ import annotations

from skgrad.objective import Capability, Objective
from skgrad.solvers._base import Solver
from skgrad.solvers._working_set import is_crowded
from skgrad.solvers.lbfgs import LBFGS
from skgrad.solvers.newton import Newton
from skgrad.solvers.proximal_gradient import ProximalGradient
from skgrad.solvers.proximal_newton import ProximalNewton

# A Newton iteration costs n * block^2 multiplications at the speed of matrix products, a pass of
# L-BFGS n * block * density at the speed of memory, and there are some ten times as many of them.
# Measured on two cores, they break even on dense data at blocks of about this order.
LARGEST_NEWTON_BLOCK = 300
# Sparse products are slower per stored number by about this factor.
SPARSE_SLOWDOWN = 3.0


def newton_pays(objective: Objective) -> bool:
    """Estimate whether few iterations with a factorised matrix beat many passes over the data."""
    speed = min(1.0, SPARSE_SLOWDOWN * objective.density)
    return objective.block_size <= LARGEST_NEWTON_BLOCK * speed


def choose_for_smooth_loss(objective: Objective) -> Solver:
    """Pick a method of Newton's family where it pays, else one that needs gradients only."""
    if Capability.SMOOTH_PENALTY not in objective.offers:
        return ProximalGradient() if is_crowded(objective) else ProximalNewton()
    return Newton() if newton_pays(objective) else LBFGS()
