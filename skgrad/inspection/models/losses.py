"""From a loss to the link between raw predictions and predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from skgrad.inspection.chain import Link
from skgrad.inspection.models.links import EXP, SIGMOID, Softmax
from skgrad.losses import Logistic, Loss, Multinomial, Poisson

UNKNOWN = "has a loss with an inverse link of its own, whose derivative is not known"
# Keyed by the method, so that a loss that inherits or replaces it gets what is right.
_LINKS: dict[Callable[..., Any], Link | None] = {
    Loss.inverse_link: None,
    Poisson.inverse_link: EXP,
    Logistic.inverse_link: SIGMOID,
    Multinomial.inverse_link: Softmax(),
}


def link_of(loss: Loss) -> Link | Literal["unknown"] | None:
    """Find the link of a loss; None stands for the identity."""
    return _LINKS.get(type(loss).inverse_link, "unknown")
