"""Constraints: sets that coefficients have to be in."""

from skgrad.penalties._base import Constraint
from skgrad.penalties.constraints.box import Box
from skgrad.penalties.constraints.constrained import Constrained
from skgrad.penalties.constraints.l1_ball import L1Ball
from skgrad.penalties.constraints.l2_ball import L2Ball
from skgrad.penalties.constraints.nuclear_norm_ball import NuclearNormBall
from skgrad.penalties.constraints.simplex import Simplex

__all__ = ["Box", "Constrained", "Constraint", "L1Ball", "L2Ball", "NuclearNormBall", "Simplex"]
