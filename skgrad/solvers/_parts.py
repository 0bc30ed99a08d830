"""Solvers that are made of others: what they need and report follows from their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Generic, TypeVar

from skgrad.capabilities import Capability
from skgrad.solvers._base import Solver, State

Fact = TypeVar("Fact")


class OfParts(Generic[Fact]):
    """Class fact that is computed from an object's parts; from the default ones on the class.

    Parameters
    ----------
    compute : callable
        Maps the parts to the fact.
    """

    def __init__(self, compute: Callable[[Sequence[Solver]], Fact]) -> None:
        self.compute = compute

    def __get__(self, composite: Any, owner: Any) -> Fact:
        """Compute the fact."""
        return self.compute((owner() if composite is None else composite).parts())


def needs_of(parts: Sequence[Solver]) -> frozenset[Capability]:
    """Collect what any part needs."""
    return frozenset[Capability]().union(*(part.needs for part in parts))


def report(part: State) -> dict[str, Any]:
    """Copy what the loop reads of a part's state."""
    return {field.name: getattr(part, field.name) for field in fields(State)}
