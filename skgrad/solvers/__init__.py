"""Solvers: one algorithm a file, all interchangeable behind an objective."""

from skgrad.solvers._base import (
    DivergenceError,
    IncompatibleSolverError,
    Iteration,
    Result,
    Solver,
    State,
    Status,
)
from skgrad.solvers._minimize import check_gradient, minimize
from skgrad.solvers._registry import SOLVERS, choose_solver, get_solver
from skgrad.solvers._stochastic import StochasticSolver
from skgrad.solvers.adadelta import Adadelta
from skgrad.solvers.adagrad import AdaGrad
from skgrad.solvers.adam import Adam
from skgrad.solvers.adamax import Adamax
from skgrad.solvers.adamw import AdamW
from skgrad.solvers.amsgrad import AMSGrad
from skgrad.solvers.augmented_lagrangian import AugmentedLagrangian
from skgrad.solvers.bfgs import BFGS
from skgrad.solvers.chain import Chain
from skgrad.solvers.cocoa import CoCoA
from skgrad.solvers.dual_coordinate_ascent import DualCoordinateAscent
from skgrad.solvers.frank_wolfe import FrankWolfe
from skgrad.solvers.gradient_descent import GradientDescent
from skgrad.solvers.hessian_spectrum import hessian_eigenvalues
from skgrad.solvers.interior_point import InteriorPoint
from skgrad.solvers.lbfgs import LBFGS
from skgrad.solvers.multi_start import MultiStart
from skgrad.solvers.nadam import Nadam
from skgrad.solvers.natural_gradient import NaturalGradient
from skgrad.solvers.newton import Newton
from skgrad.solvers.newton_cg import NewtonCG
from skgrad.solvers.projected_gradient import ProjectedGradient
from skgrad.solvers.proximal_gradient import ProximalGradient
from skgrad.solvers.proximal_newton import ProximalNewton
from skgrad.solvers.rmsprop import RMSProp
from skgrad.solvers.sag import SAG
from skgrad.solvers.saga import SAGA
from skgrad.solvers.sdca import SDCA
from skgrad.solvers.sgd import SGD
from skgrad.solvers.smoothing import Smoothing
from skgrad.solvers.subgradient import Subgradient
from skgrad.solvers.subsampled_newton import SubsampledNewton
from skgrad.solvers.svrg import SVRG
from skgrad.solvers.trust_region import TrustRegion

__all__ = [
    "BFGS",
    "LBFGS",
    "SAG",
    "SAGA",
    "SDCA",
    "SGD",
    "SOLVERS",
    "SVRG",
    "AMSGrad",
    "AdaGrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "AugmentedLagrangian",
    "Chain",
    "CoCoA",
    "DivergenceError",
    "DualCoordinateAscent",
    "FrankWolfe",
    "GradientDescent",
    "IncompatibleSolverError",
    "InteriorPoint",
    "Iteration",
    "MultiStart",
    "Nadam",
    "NaturalGradient",
    "Newton",
    "NewtonCG",
    "ProjectedGradient",
    "ProximalGradient",
    "ProximalNewton",
    "RMSProp",
    "Result",
    "Smoothing",
    "Solver",
    "State",
    "Status",
    "StochasticSolver",
    "Subgradient",
    "SubsampledNewton",
    "TrustRegion",
    "check_gradient",
    "choose_solver",
    "get_solver",
    "hessian_eigenvalues",
    "minimize",
]
