"""Every solver by its name, and the choice among them."""

from skgrad._parameters import plug_in, unknown_name
from skgrad.capabilities import Capability
from skgrad.objective import Objective
from skgrad.solvers._auto import choose_for_smooth_loss
from skgrad.solvers._base import (
    Solver,
)
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

# The interior point method factorises some fifteen times, the alternative makes hundreds of passes.
LARGEST_INTERIOR_BLOCK = 1000
# Entries from which on compiled loops are worth the half second that importing numba takes; sparse
# data have so few stored ones at least.
MANY_ENTRIES, MANY_STORED = 1e6, 1e5

SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver
    for solver in (
        GradientDescent,
        SGD,
        AdaGrad,
        RMSProp,
        Adadelta,
        Adam,
        AdamW,
        Adamax,
        AMSGrad,
        Nadam,
        NaturalGradient,
        BFGS,
        LBFGS,
        Newton,
        SubsampledNewton,
        NewtonCG,
        TrustRegion,
        ProjectedGradient,
        ProximalGradient,
        ProximalNewton,
        FrankWolfe,
        InteriorPoint,
        AugmentedLagrangian,
        DualCoordinateAscent,
        CoCoA,
        SAG,
        SAGA,
        SVRG,
        SDCA,
        Subgradient,
        Smoothing,
        Chain,
        MultiStart,
    )
}
# Names that scikit-learn's linear models know, and the solver here that is most like them.
SCIKIT_LEARN_NAMES = {
    "svd": "newton",
    "cholesky": "newton",
    "newton-cholesky": "newton",
    "newton-cg": "newton_cg",
    "lsqr": "lbfgs",
    "sparse_cg": "lbfgs",
    "liblinear": "proximal_newton",
    "highs": "interior_point",
    "highs-ds": "interior_point",
    "highs-ipm": "interior_point",
}


def get_solver(solver: str | Solver) -> Solver:
    """Turn a name into its solver with default parameters; a solver object is kept.

    Parameters
    ----------
    solver : str or Solver
        A key of `SOLVERS`, a name that another package registers under the entry point
        "skgrad.solvers", or an object.

    Returns
    -------
    Solver

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and the closest match, also for
        the names of scikit-learn's solvers.

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
    if isinstance(solver, str) and solver in SCIKIT_LEARN_NAMES:
        raise ValueError(
            f"solver={solver!r} is a solver of scikit-learn, not of skgrad. Leave the choice to "
            f"solver='auto', or take the most similar one, {SCIKIT_LEARN_NAMES[solver]!r}; the "
            f"minimum is the same. All names: {', '.join(map(repr, sorted(SOLVERS)))}."
        )
    plugged: type[Solver] | None = plug_in("skgrad.solvers", solver)
    if plugged is not None:
        return plugged()
    raise unknown_name("solver", solver, SOLVERS, "'auto', a Solver object")


def choose_solver(objective: Objective) -> Solver:
    """Pick a solver for an objective: the rule behind ``solver="auto"``.

    Smooth objectives go to `Newton` while the data and the blocks of the Hessian are small, or if
    its moments are known already (least squares on large arrays), to `SubsampledNewton` if the data
    are large (`CoCoA` if they are sparse and the penalty is not weak for single rows), else to
    `NewtonCG` (multinomial loss) or `LBFGS`; with penalties that have kinks, to `ProximalNewton`,
    or to `ProximalGradient` where many outputs are coupled and for penalties that are more than L1
    and L2 terms; with constraints, to `ProjectedGradient`. Losses with kinks go to `InteriorPoint`
    while the blocks are small, else to `DualCoordinateAscent` if the penalty is L2 and the data are
    large, else to `AugmentedLagrangian`.

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
    if DualCoordinateAscent.needs <= objective.offers and _is_large(objective):
        return DualCoordinateAscent()
    return AugmentedLagrangian()


def _is_large(objective: Objective) -> bool:
    entries = objective.n_samples * objective.model.n_features
    return entries >= MANY_ENTRIES and entries * objective.density >= MANY_STORED
