"""What solver="auto" picks."""

from __future__ import annotations

from skgrad.objective import Capability, Objective
from skgrad.solvers._base import Solver
from skgrad.solvers.lbfgs import LBFGS
from skgrad.solvers.newton import Newton
from skgrad.solvers.proximal_gradient import ProximalGradient

# Newton's factorisation costs block^3 / 3 and its Hessian n * block^2, LBFGS some fifty passes of
# n * block; measured on two cores they break even at blocks of about this order.
LARGEST_NEWTON_BLOCK = 400


def choose_for_smooth_loss(objective: Objective) -> Solver:
    """Pick Newton for small Hessian blocks, L-BFGS for large ones, a proximal method for kinks."""
    if Capability.SMOOTH_PENALTY not in objective.offers:
        return ProximalGradient()
    return Newton() if objective.block_size <= LARGEST_NEWTON_BLOCK else LBFGS()
