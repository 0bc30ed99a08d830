"""What the pictures share: axes, colours, labels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skgrad._typing import FloatArray, IntArray

# Okabe and Ito's palette, which the colour-blind can tell apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"
PALETTE = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
# From blue over white to red: where values have a sign. From dark violet to yellow: where not. (In
# the middle of "cividis" is a grey.)
DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"

LONGEST_LABEL, LONGEST_LINE = 32, 60
# Inches: one line of a list of features, and what is above and below them.
LINE, MARGIN, WIDTH = 0.27, 1.15, 7.0


def new_axes(caller: str, ax: Any, n_lines: int) -> Any:
    """Take the axes that were given, or make some that are high enough for all lines."""
    check_matplotlib_support(caller)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    height = MARGIN + LINE * max(n_lines, 4)
    _, ax = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    return ax


def shortened(name: Any) -> str:
    """Leave out the middle of a long name: beginnings and ends tell columns apart."""
    text = " ".join(str(name).split())
    if len(text) <= LONGEST_LABEL:
        return text
    half = (LONGEST_LABEL - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def literal(text: str) -> str:
    """Keep dollar signs from being read as formulas."""
    return text.replace("$", r"\$")


def name_lines(ax: Any, names: Sequence[Any]) -> None:
    """Write a name at each line, the first one on top."""
    ax.set_yticks(np.arange(len(names)), [literal(shortened(name)) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def axis_label(text: str, note: str = "") -> str:
    """Start with a capital, break long lines, and put a note in brackets below."""
    lines = textwrap.wrap(text[:1].upper() + text[1:], LONGEST_LINE)
    lines += textwrap.wrap(f"({note})", LONGEST_LINE + 5) if note else []
    return literal("\n".join(lines))


def largest(sizes: FloatArray, max_features: int | None) -> tuple[IntArray, IntArray]:
    """Order by size, and cut: those to show, and the others. NaN comes last."""
    if max_features is not None and max_features < 1:
        raise ValueError(f"max_features must be at least 1 or None, got {max_features}.")
    order = np.argsort(-np.abs(sizes), kind="stable")  # NaN is sorted to the end
    n = len(order) if max_features is None else max_features
    # One line for the others is no shorter than the only one of them.
    n = len(order) if len(order) == n + 1 else n
    return order[:n], order[n:]
