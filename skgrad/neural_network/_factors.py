"""Learning-rate and decay factors of groups of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgrad._parameters import unknown_name
from skgrad._typing import FloatArray
from skgrad.models.network import Network, Role

ROLES = {role.value.replace(" ", "_"): role for role in Role}


def group_factors(
    network: Network, parametrization: str, rate: dict[str, float] | None,
    decay: dict[str, float] | None, dtype: Any,
) -> tuple[FloatArray | None, FloatArray | None]:  # fmt: skip
    r"""Spread factors over the parameters; None where all are the defaults.

    In the neural tangent parametrisation weights are :math:`v / \sqrt{n_{in}}`, and v is what is
    trained. For methods whose steps don't depend on the scale of the gradient, such as Adam, this
    is a learning rate of weights that is divided by :math:`\sqrt{n_{in}}`.
    """
    rates = decays = None
    if rate is not None or parametrization == "ntk":
        rates = network.layout.spread(_by_role(rate, "learning_rate_factors"), 1.0)
        if parametrization == "ntk":
            for group in network.layout.of_role(Role.WEIGHTS):
                rates[group.where] /= np.sqrt(group.shape[1])
        rates = rates.astype(dtype)
    if decay is not None:
        factors = {Role.WEIGHTS: 1.0, **_by_role(decay, "decay_factors")}
        decays = network.layout.spread(factors, 0.0).astype(dtype)
    return rates, decays


def _by_role(factors: dict[str, float] | None, parameter: str) -> dict[Role, float]:
    for name, factor in (factors or {}).items():
        if name not in ROLES:
            raise unknown_name(f"group of parameters in {parameter}", name, ROLES, "a dict with")
        if not factor >= 0.0:
            raise ValueError(f"{parameter}[{name!r}]={factor!r} must not be negative.")
    return {ROLES[name]: float(factor) for name, factor in (factors or {}).items()}
