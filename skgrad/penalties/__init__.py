"""Penalties: what a coefficient costs, whatever the data."""

from skgrad.penalties._base import Penalty
from skgrad.penalties.elastic_net import ElasticNet
from skgrad.penalties.group_lasso import GroupLasso
from skgrad.penalties.l1 import L1
from skgrad.penalties.l2 import L2
from skgrad.penalties.mcp import MCP
from skgrad.penalties.none import NoPenalty
from skgrad.penalties.nonnegative import NonNegative

__all__ = ["L1", "L2", "MCP", "ElasticNet", "GroupLasso", "NoPenalty", "NonNegative", "Penalty"]
