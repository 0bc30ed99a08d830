"""The chain rule through fitted pipelines, from the response back to the user's columns.

A fitted step at the rows at hand is a `Local`: its output, and the pull of cotangents from its
output to its input. Rules, one for each class, build them; `Walk` finds the rule of each step, and
the rules of containers (`compose`) walk on into their parts.
"""

from skgrad.inspection.chain.errors import FiniteDifferenceWarning, NonDifferentiableError
from skgrad.inspection.chain.local import SEVERAL, Leaf, Link, Local, Pieces, linked
from skgrad.inspection.chain.rules import (
    from_jacobian,
    register_jacobian,
    rule,
    transform_rule,
)
from skgrad.inspection.chain.walk import WIDEST, Response, Walk

__all__ = [
    "SEVERAL",
    "WIDEST",
    "FiniteDifferenceWarning",
    "Leaf",
    "Link",
    "Local",
    "NonDifferentiableError",
    "Pieces",
    "Response",
    "Walk",
    "from_jacobian",
    "linked",
    "register_jacobian",
    "rule",
    "transform_rule",
]
