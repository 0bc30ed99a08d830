"""The simplest penalty for a strength and a share of L1."""

from skgrad.penalties._base import Penalty
from skgrad.penalties.elastic_net import ElasticNet
from skgrad.penalties.l1 import L1
from skgrad.penalties.l2 import L2
from skgrad.penalties.none import NoPenalty
from skgrad.penalties.nonnegative import NonNegative


def elastic_net(alpha: float, l1_ratio: float, *, positive: bool = False) -> Penalty:
    """Build the simplest penalty worth alpha (l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2)."""
    penalty: Penalty
    if alpha == 0:
        penalty = NoPenalty()
    elif l1_ratio == 0:
        penalty = L2(alpha)
    elif l1_ratio == 1:
        penalty = L1(alpha)
    else:
        penalty = ElasticNet(alpha, l1_ratio)
    return NonNegative(penalty) if positive else penalty
