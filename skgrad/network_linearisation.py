"""A network's objective at a point: products with its Hessian and its Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skgrad._threads import map_in_order
from skgrad._typing import Array, FloatArray
from skgrad.losses import Loss
from skgrad.models.network import (
    FirstDerivatives,
    KroneckerFactors,
    KroneckerInverse,
    Network,
    Parameters,
    SecondDerivatives,
    Tangent,
    kronecker_factors,
)

# Forward passes are kept for all products with one matrix, unless their buffers need more memory
# than this; then each product makes them again, and takes a third longer.
KEPT_BYTES = 1 << 28
# Buffers of a hidden layer that a product works on.
BUFFERS = 4


class Block(NamedTuple):
    """A block of rows at the point; ``weight`` broadcasts with arrays of raw's shape."""

    first: FirstDerivatives
    y: Array
    weight: Any
    state: FloatArray

    def curve(self, loss: Loss, change: FloatArray) -> FloatArray:
        """Multiply a change of raw by the loss's weighted curvature."""
        curved = loss.curvature_product(self.state, change.T).T
        return curved * self.weight


class NetworkLinearisation:
    r"""The Hessian of a network's objective, and the part of it that is never negative.

    .. math:: \nabla^2 F = \underbrace{J^T C J + \nabla^2 penalty}_{\text{Gauss-Newton}}
              + \sum_{ik} \frac{\partial loss_i}{\partial raw_{ik}} \nabla^2 raw_{ik}

    with the Jacobian J of the raw predictions and the curvature C of the loss. For losses that are
    negative log-likelihoods, the Gauss-Newton matrix is the Fisher information.

    Parameters
    ----------
    network, loss
        Of the objective.
    w : array of shape (n_params,)
        The point.
    blocks : sequence of slice
        All rows.
    rows : callable
        Returns the data, targets and weights (None for ``share`` each) of a block.
    share : float
        Weight of a row where there are none.
    ridge : float
        Curvature of the penalty.
    add_penalty : callable
        ``add_penalty(v, product)`` adds the penalty's curvature times v.
    count : callable
        Told the passes over the data.
    """

    def __init__(
        self, network: Network, loss: Loss, w: FloatArray, blocks: Sequence[slice],
        rows: Callable[[slice], Sequence[Any]], share: float,
        ridge: float, add_penalty: Callable[[FloatArray, FloatArray], None],
        count: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.network, self.loss, self.w = network, loss, w
        self._rows, self._share, self._add_penalty = rows, share, add_penalty
        self._ridge, self._count = ridge, count
        n_rows = sum(block.stop - block.start for block in blocks)
        needed = BUFFERS * n_rows * sum(network.sizes[1:]) * w.itemsize
        self._parts: list[Callable[[], Block]]
        if needed > KEPT_BYTES:
            self._parts = [lambda rows=rows: self._at(rows) for rows in blocks]  # type: ignore[misc]
        else:
            kept = map_in_order(self._at, blocks)
            self._parts = [lambda block=block: block for block in kept]  # type: ignore[misc]
        count(0.5)

    def _at(self, rows: slice) -> Block:
        """Go forward through a block of rows."""
        X, y, weight, *_ = self._rows(rows)
        first = FirstDerivatives(self.network, self.network.layout.parameters(self.w), X)
        state = self.loss.curvature_state(y, first.raw.T)
        return Block(first, y, self._share if weight is None else weight.T, state)

    def gauss_newton_vec(self, v: FloatArray) -> FloatArray:
        """Multiply by the Gauss-Newton matrix."""

        def product(block: Block, direction: Parameters, into: Parameters) -> None:
            change = block.curve(self.loss, block.first.push_forward(direction))
            block.first.pull_back(change, into)

        return self._sum(product, v)

    def hess_vec(self, v: FloatArray) -> FloatArray:
        """Multiply by the Hessian."""

        def product(block: Block, direction: Parameters, into: Parameters) -> None:
            trace: list[Tangent] = []
            change = block.curve(self.loss, block.first.push_forward(direction, trace))
            slopes = self.loss.gradient(block.y, block.first.raw.T).T * block.weight
            SecondDerivatives(block.first, slopes).pull_back(direction, trace, change, into)

        return self._sum(product, v)

    def _sum(
        self, product: Callable[[Block, Parameters, Parameters], None], v: FloatArray
    ) -> FloatArray:
        """Add up products over the blocks, always in the same order, and the penalty's."""
        self._count(1.0)
        layout = self.network.layout
        direction = layout.parameters(v)

        def part(at: Callable[[], Block]) -> FloatArray:
            result = np.empty_like(v)
            product(at(), direction, layout.parameters(result))
            return result

        total = np.zeros_like(v)
        for result in map_in_order(part, self._parts):
            total += result
        self._add_penalty(v, total)
        return total

    def kronecker_factors(self, rng: np.random.Generator | None = None) -> KroneckerFactors:
        """Compute the Kronecker factors of the loss's part of the Gauss-Newton matrix.

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Source of random signs, for one backward pass (exact for a single output); by default
            the curvature is written as a sum over outputs, and each of them takes a pass.
        """
        self._count(0.5)

        def part(at: Callable[[], Block]) -> KroneckerFactors:
            block = at()
            roots = curvature_roots(self.loss, block.state, block.weight, rng)
            weight = np.broadcast_to(block.weight, block.first.raw.shape).max(axis=0)
            first = block.first
            return kronecker_factors(self.network, first.parameters, first.ws, roots, weight)

        # Random signs have to be drawn in the blocks' order.
        parts = map_in_order(part, self._parts) if rng is None else map(part, self._parts)
        total: KroneckerFactors | None = None
        for factors in parts:
            total = factors if total is None else total + factors
        assert total is not None
        return total

    def kronecker_inverse(self, rng: np.random.Generator | None = None) -> KroneckerInverse:
        """Approximate the inverse of the Gauss-Newton matrix, for any damping."""
        return KroneckerInverse(self.network.layout, self.kronecker_factors(rng), self._ridge)



def curvature_roots(
    loss: Loss, state: FloatArray, weight: Any, rng: np.random.Generator | None
) -> list[FloatArray]:
    """Write weighted curvatures as sums of outer products of columns, shape (n_outputs, n_rows).

    With random signs a single column will do: its outer product is right in expectation. They beat
    labels drawn from the model: of all such columns they have the least variance, and none with a
    single output.
    """
    scale = np.sqrt(weight)
    n_outputs = state.shape[1]
    if rng is not None:
        signs = rng.integers(0, 2, size=(n_outputs, len(state))).astype(state.dtype)
        signs *= 2.0
        signs -= 1.0
        return [loss.curvature_root(state, signs.T).T * scale]
    unit = np.eye(n_outputs, dtype=state.dtype)
    return [
        loss.curvature_root(state, np.broadcast_to(unit[k], state.shape)).T * scale
        for k in range(n_outputs)
    ]
