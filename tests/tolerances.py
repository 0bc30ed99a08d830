"""How closely numbers must agree, by dtype and by the order of the solver that found them."""

import numpy as np

from skgrad.solvers import (
    BFGS,
    LBFGS,
    AugmentedLagrangian,
    InteriorPoint,
    Newton,
    NewtonCG,
    ProximalNewton,
    Smoothing,
    Solver,
    Subgradient,
    TrustRegion,
)

SECOND_ORDER = (Newton, NewtonCG, ProximalNewton, BFGS, LBFGS, InteriorPoint, TrustRegion)

# Largest relative suboptimality (F(w) - min F) / |min F| of a solver's answer.
SUBOPTIMALITY = {
    ("float64", "first"): 1e-6,
    ("float64", "second"): 1e-6,
    ("float64", "multipliers"): 1e-6,
    ("float64", "stochastic"): 1e-3,
    ("float64", "subgradient"): 1e-3,
    ("float32", "first"): 1e-5,
    ("float32", "second"): 1e-5,
    # Multipliers are differences divided by the width of a smoothing that goes to zero.
    ("float32", "multipliers"): 1e-3,
    ("float32", "stochastic"): 1e-3,
    ("float32", "subgradient"): 1e-3,
}
# At a kink gradients stay as large as ever: only a decaying rate ends there.
KINKED_SUBOPTIMALITY = 5e-3
# How far an estimate of the gap, where no bound exists, may be from the truth.
GAP_ESTIMATE = {"first": 10.0, "second": 10.0, "stochastic": 10.0, "heavy ball": 30.0}
# Relative error of one pass over the data: a product, a sum, a derivative in closed form.
ARITHMETIC = {"float64": 1e-11, "float32": 2e-5}
# Relative error of coefficients against a peer that was asked for every digit.
COEFFICIENTS = {"float64": 1e-6, "float32": 1e-3}
# The same where the peer's solver is a general one, which stops where its line search fails.
GENERAL_PURPOSE_PEER = 1e-3
# Relative error of a central difference of float64 values.
FINITE_DIFFERENCE = 1e-6
# The largest eigenvalue is estimated by power iteration: it may be low by this share.
SPECTRUM = 0.05


def order(solver: Solver) -> str:
    """Tell which row of the table is a solver's."""
    if solver.stochastic:
        return "stochastic"
    if isinstance(solver, AugmentedLagrangian | Smoothing):
        return "multipliers"
    if isinstance(solver, Subgradient):
        return "subgradient"
    return "second" if isinstance(solver, SECOND_ORDER) else "first"


def suboptimality(solver: Solver, dtype) -> float:
    """Look up the largest relative suboptimality."""
    return SUBOPTIMALITY[np.dtype(dtype).name, order(solver)]


def arithmetic(dtype) -> float:
    """Look up the relative error of one pass."""
    return ARITHMETIC[np.dtype(dtype).name]


def coefficients(dtype) -> float:
    """Look up the relative error of coefficients."""
    return COEFFICIENTS[np.dtype(dtype).name]
