"""Solvers: one algorithm a file, all interchangeable behind an objective."""

from skgrad._parameters import unknown_name
from skgrad.objective import Capability, Objective
from skgrad.solvers._auto import choose_for_smooth_loss
from skgrad.solvers._base import (
    DivergenceError,
    IncompatibleSolverError,
    Iteration,
    Result,
    Solver,
    State,
    Status,
)
from skgrad.solvers._stochastic import StochasticSolver
from skgrad.solvers.adagrad import AdaGrad
from skgrad.solvers.adam import Adam
from skgrad.solvers.augmented_lagrangian import AugmentedLagrangian
from skgrad.solvers.gradient_descent import GradientDescent
from skgrad.solvers.interior_point import InteriorPoint
from skgrad.solvers.lbfgs import LBFGS
from skgrad.solvers.newton import Newton
from skgrad.solvers.proximal_gradient import ProximalGradient
from skgrad.solvers.proximal_newton import ProximalNewton
from skgrad.solvers.rmsprop import RMSProp
from skgrad.solvers.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "SOLVERS",
    "AdaGrad",
    "Adam",
    "AugmentedLagrangian",
    "DivergenceError",
    "GradientDescent",
    "IncompatibleSolverError",
    "InteriorPoint",
    "Iteration",
    "Newton",
    "ProximalGradient",
    "ProximalNewton",
    "RMSProp",
    "Result",
    "Solver",
    "State",
    "Status",
    "StochasticSolver",
    "choose_solver",
    "get_solver",
]

# The interior point method factorises some fifteen times, the alternative makes hundreds of passes.
LARGEST_INTERIOR_BLOCK = 1000

SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver
    for solver in (
        GradientDescent,
        SGD,
        AdaGrad,
        RMSProp,
        Adam,
        LBFGS,
        Newton,
        ProximalGradient,
        ProximalNewton,
        InteriorPoint,
        AugmentedLagrangian,
    )
}


def get_solver(solver: str | Solver) -> Solver:
    """Turn a name into its solver with default parameters; a solver object is kept.

    Parameters
    ----------
    solver : str or Solver
        A key of `SOLVERS`, or an object.

    Returns
    -------
    Solver

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and the closest match.

    Examples
    --------
    >>> from skgrad.solvers import get_solver
    >>> get_solver("adam")
    Adam()
    """
    if isinstance(solver, Solver):
        return solver
    if isinstance(solver, str) and solver in SOLVERS:
        return SOLVERS[solver]()
    raise unknown_name("solver", solver, SOLVERS, "'auto', a Solver object")


def choose_solver(objective: Objective) -> Solver:
    """Pick a solver for an objective: the rule behind ``solver="auto"``.

    Smooth objectives go to `Newton` while the blocks of the Hessian are small, else to `LBFGS`;
    with penalties that have kinks, to `ProximalNewton`, or to `ProximalGradient` where many outputs
    are coupled. Losses with kinks go to `InteriorPoint` while the blocks are small, else to
    `AugmentedLagrangian`.

    Parameters
    ----------
    objective : Objective
        The function to minimise.

    Returns
    -------
    Solver
    """
    if Capability.SMOOTH_LOSS in objective.offers:
        return choose_for_smooth_loss(objective)
    if InteriorPoint.needs <= objective.offers and objective.block_size <= LARGEST_INTERIOR_BLOCK:
        return InteriorPoint()
    return AugmentedLagrangian()
