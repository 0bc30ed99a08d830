"""What an objective has to offer, and how it says what it lacks."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from skgrad._typing import Array, Matrix
from skgrad.duals import has_box_dual
from skgrad.linalg import has_contiguous_rows
from skgrad.losses import Loss
from skgrad.penalties import Penalty
from skgrad.row_duals import has_row_dual
from skgrad.smooth_duals import has_smooth_dual


class Capability(Enum):
    """What a solver may need of an objective; the value completes "the solver needs ..."."""

    # An enumeration hashes names in Python, which small fits would notice; members are unique.
    __hash__ = object.__hash__

    SMOOTH_LOSS = "a smooth loss"
    SMOOTH_PENALTY = "a smooth penalty"
    LOSS_PROX = "a loss with a proximal operator"
    HINGES = "a piecewise linear loss with an L1, L2, elastic-net, sign or no penalty"
    ROW_EPOCHS = "a loss with a compiled formula and an L1, L2, elastic-net, sign or no penalty"
    LAYERS = "a network of layers"
    LINEAR = "a linear model"
    HESSIAN_PRODUCTS = "products with the Hessian"
    BOX_DUAL = "a loss with one kink or two, an L2 penalty and data stored by rows"
    ROW_DUAL = "a loss that single dual variables suit, an L2 part in the penalty and data by rows"
    SMOOTH_DUAL = "a smooth loss with a compiled formula, an L2 penalty and data stored by rows"
    CONVEX_PENALTY = "a convex penalty"
    ZERO_KINKS = "a convex penalty of single coefficients, with kinks at zero only"
    COORDINATE_STEPS = "a penalty whose proximal operator takes a step for each coefficient"
    CONSTRAINT = "a constraint, and besides it no penalty but a smooth one"
    BOUNDED_CONSTRAINT = "a bounded constraint, and besides it no penalty but a smooth one"


class Smoothness(NamedTuple):
    """Curvature bounds: ``mean`` of the whole objective, ``row`` of any single row's term."""

    mean: float
    row: float


def offered(loss: Loss, penalty: Penalty, X: Matrix, y: Array) -> frozenset[Capability]:
    """Tell what solvers can rely on."""
    shrinkage = penalty.l1_strength is not None
    in_rows = has_contiguous_rows(X)
    region, rest = penalty.region, penalty.finite_part
    constrained = region is not None and (rest is None or rest.smooth)
    return frozenset(
        capability
        for capability, holds in (
            (Capability.LINEAR, True),
            (Capability.HESSIAN_PRODUCTS, loss.smooth),
            (Capability.SMOOTH_LOSS, loss.smooth),
            (Capability.SMOOTH_PENALTY, penalty.smooth),
            (Capability.LOSS_PROX, loss.has_prox),
            (Capability.HINGES, loss.piecewise_linear and shrinkage),
            (Capability.ROW_EPOCHS, loss.formula is not None and shrinkage),
            (Capability.BOX_DUAL, in_rows and has_box_dual(loss, penalty, y)),
            (Capability.ROW_DUAL, in_rows and has_row_dual(loss, penalty)),
            (Capability.SMOOTH_DUAL, in_rows and has_smooth_dual(loss, penalty)),
            (Capability.CONVEX_PENALTY, penalty.convex),
            (Capability.ZERO_KINKS, penalty.separable and penalty.convex and region is None),
            (Capability.COORDINATE_STEPS, penalty.per_coordinate),
            (Capability.CONSTRAINT, constrained),
            (Capability.BOUNDED_CONSTRAINT, constrained and region is not None and region.bounded),
        )
        if holds
    )


def lack(capability: Capability, loss: Loss, penalty: Penalty, X: Matrix) -> str:
    """Say in a clause why a capability is not offered."""
    loss_name, penalty_name = type(loss).__name__, type(penalty).__name__
    both = f"the loss is {loss_name} and the penalty {penalty_name}"
    order = "rows" if has_contiguous_rows(X) else "columns"
    return {
        Capability.SMOOTH_LOSS: f"the {loss_name} loss is not smooth",
        Capability.SMOOTH_PENALTY: f"the {penalty_name} penalty is not smooth",
        Capability.LOSS_PROX: f"the {loss_name} loss has none",
        Capability.HINGES: both,
        Capability.ROW_EPOCHS: both,
        Capability.LAYERS: "the model is linear",
        Capability.LINEAR: "the model is a network",
        Capability.HESSIAN_PRODUCTS: f"the {loss_name} loss is not smooth",
        Capability.BOX_DUAL: f"{both}, and X is stored by {order}",
        Capability.ROW_DUAL: f"{both}, and X is stored by {order}",
        Capability.SMOOTH_DUAL: f"{both}, and X is stored by {order}",
        Capability.CONVEX_PENALTY: f"the {penalty_name} penalty is not convex",
        Capability.ZERO_KINKS: f"the penalty is {penalty_name}",
        Capability.COORDINATE_STEPS: f"that of {penalty_name} does not",
        Capability.CONSTRAINT: _lack_of_constraint(penalty),
        Capability.BOUNDED_CONSTRAINT: _lack_of_constraint(penalty),
    }[capability]


def _lack_of_constraint(penalty: Penalty) -> str:
    region, rest = penalty.region, penalty.finite_part
    if region is None:
        return f"the penalty is {type(penalty).__name__}"
    if rest is not None and not rest.smooth:
        return f"the {type(rest).__name__} penalty is not smooth"
    return f"the {type(region).__name__} is not bounded"
