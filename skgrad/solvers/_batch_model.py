"""The damped quadratic model of a batch, and its minimum in the span of a few directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skgrad._typing import FloatArray
from skgrad.network_linearisation import RowBlock
from skgrad.network_objective import NetworkObjective


class ModelStep(NamedTuple):
    """A displacement in the span of directions, and their factors.

    ``value`` is the model's value there, ``predicted`` that of the model without damping: the
    change of the objective that is to be expected.
    """

    displacement: FloatArray
    factors: FloatArray
    value: float
    predicted: float


class BatchModel:
    r"""Quadratic model :math:`g'd + d'(G + \lambda I)d / 2` with a batch's Gauss-Newton matrix G.

    Parameters
    ----------
    objective : NetworkObjective
        Whose penalty is part of the model.
    block : RowBlock
        The batch at the point.
    gradient : array of shape (n_params,)
        g, with the penalty's.
    damping : float
        :math:`\lambda`.

    References
    ----------
    J. Martens and R. Grosse (2015). Optimizing neural networks with Kronecker-factored approximate
    curvature. ICML 2015, arXiv:1503.05671v7, sections 6.4 and 7.
    """

    def __init__(
        self, objective: NetworkObjective, block: RowBlock, gradient: FloatArray, damping: float
    ) -> None:
        self.objective, self.block = objective, block
        self.gradient, self.damping = gradient, damping

    def minimise(self, directions: Sequence[FloatArray], rate: float) -> ModelStep:
        """Find the minimum in the span of directions, and go the share ``rate`` of the way."""
        V = np.array(directions)
        forms = self._forms(V)
        damped = forms + self.damping * (V @ V.T).astype(np.float64)
        slopes = (V @ self.gradient).astype(np.float64)
        # Neighbouring directions may be parallel: least squares takes the shortest solution.
        factors = rate * np.linalg.lstsq(damped, -slopes)[0]
        slope, curvature = float(slopes @ factors), float(factors @ forms @ factors)
        value = slope + 0.5 * float(factors @ damped @ factors)
        displacement = factors.astype(V.dtype) @ V
        return ModelStep(displacement, factors, value, slope + 0.5 * curvature)

    def _forms(self, V: FloatArray) -> FloatArray:
        """Compute V G V', the penalty included."""
        parameters, curved = self.objective.network.layout.parameters, np.zeros_like(V)
        for v, image in zip(V, curved, strict=True):
            self.objective.add_penalty_gradient(v, image)
        return self.block.forms([parameters(v) for v in V]) + V @ curved.T
