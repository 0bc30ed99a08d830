"""How loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])

# Sums may be reordered and multiplications fused, but NaN and infinity keep their meaning: they are
# how a run that diverges is noticed.
FAST_MATH = {"reassoc", "contract", "nsz", "arcp"}


def compiled(function: Loop) -> Loop:
    """Compile a loop without the interpreter's lock, and keep the machine code on disk."""
    options: dict[str, Any] = {"nogil": True, "fastmath": FAST_MATH, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        # No folder for machine code can be written: compile in every process.
        return njit(**options)(function)
