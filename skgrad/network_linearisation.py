"""A network's objective at a point: products with its Hessian and its Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

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
    Workspace,
    kronecker_factors,
)
from skgrad.network_batch import NetworkBatch
from skgrad.penalties import Penalty

# Forward passes are kept for all products with one matrix, unless their buffers need more memory
# than this; then each product makes them again, and takes a third longer.
KEPT_BYTES = 1 << 28
# Buffers of a hidden layer that a product works on.
BUFFERS = 4


class RowBlock(NamedTuple):
    """Some rows at a point; ``weight`` broadcasts with (n_outputs, n_rows)."""

    first: FirstDerivatives
    loss: Loss
    y: Array
    weight: Any
    state: FloatArray

    @classmethod
    def of(
        cls, network: Network, loss: Loss, parameters: Parameters, ws: Workspace, y: Array,
        weight: Any,
    ) -> RowBlock:  # fmt: skip
        """Take up a forward pass."""
        state = loss.curvature_state(y, ws.raw.T)
        return cls(FirstDerivatives(network, parameters, ws), loss, y, weight, state)

    def value_at(self, parameters: Parameters) -> float:
        """Compute the rows' part of the loss elsewhere, leaving no unit out."""
        ws = self.first.network.workspace(len(self.y), self.state.dtype)
        raw = self.first.network.forward(parameters, self.first.ws.X, ws)
        values = self.loss.value(self.y, raw.T).T * self.weight
        return float(np.add.reduce(values, axis=None, dtype=np.float64))

    def curve(self, change: FloatArray) -> FloatArray:
        """Multiply a change of raw by the loss's weighted curvature."""
        curved: FloatArray = self.loss.curvature_product(self.state, change.T).T * self.weight
        return curved

    def gauss_newton(self, v: Parameters, into: Parameters) -> None:
        """Write the product of the loss's Gauss-Newton matrix with v."""
        self.first.pull_back(self.curve(self.first.push_forward(v)), into)

    def hessian(self, v: Parameters, into: Parameters) -> None:
        """Write the product of the loss's Hessian with v."""
        trace: list[Tangent] = []
        change = self.curve(self.first.push_forward(v, trace))
        slopes = self.loss.gradient(self.y, self.first.ws.raw.T).T * self.weight
        SecondDerivatives(self.first, slopes).pull_back(v, trace, change, into)

    def forms(self, directions: Sequence[Parameters]) -> FloatArray:
        """Compute all products v' G u of directions with the loss's Gauss-Newton matrix."""
        changes = [self.first.push_forward(v) for v in directions]
        curved = [self.curve(change) for change in changes]
        return np.array([[float(np.vdot(a, b)) for b in curved] for a in changes])

    def kronecker_factors(self, rng: np.random.Generator | None) -> KroneckerFactors:
        """Compute Kronecker factors; see `NetworkLinearisation.kronecker_factors`."""
        first, roots = self.first, self._roots(rng)
        weight = np.broadcast_to(self.weight, first.ws.raw.shape).max(axis=0)
        weight = weight.astype(self.state.dtype, copy=False)
        return kronecker_factors(first.network, first.parameters, first.ws, roots, weight)

    def _roots(self, rng: np.random.Generator | None) -> list[FloatArray]:
        """Write weighted curvatures as sums of outer products of columns."""
        n_rows, n_outputs = self.state.shape
        scale = np.sqrt(self.weight)
        if rng is not None:
            signs = 2.0 * rng.integers(0, 2, size=(n_outputs, n_rows)) - 1.0
            directions = [signs.astype(self.state.dtype).T]
        else:
            unit = np.eye(n_outputs, dtype=self.state.dtype)
            directions = [np.broadcast_to(row, self.state.shape) for row in unit]
        return [self.loss.curvature_root(self.state, v).T * scale for v in directions]


class Rows(Protocol):
    """What a linearisation needs of the objective that it belongs to."""

    network: Network
    loss: Loss
    penalty: Penalty
    share: float
    passes: float

    def rows(self, rows: slice) -> NetworkBatch:
        """Take some rows, as the network sees them."""

    def add_penalty_gradient(self, w: FloatArray, gradient: FloatArray) -> None:
        """Add the gradient of the penalty; as that is quadratic, its curvature times w."""


class NetworkLinearisation:
    r"""The Hessian of a network's objective, and the part of it that is never negative.

    .. math:: \nabla^2 F = \underbrace{J^T C J + \nabla^2 penalty}_{\text{Gauss-Newton}}
              + \sum_{ik} \frac{\partial loss_i}{\partial raw_{ik}} \nabla^2 raw_{ik}

    with the Jacobian J of the raw predictions and the curvature C of the loss. For losses that are
    negative log-likelihoods, the Gauss-Newton matrix is the Fisher information.

    Parameters
    ----------
    objective : NetworkObjective
        Where it comes from, and where passes are counted.
    w : array of shape (n_params,)
        The point.
    blocks : sequence of slice
        All rows.
    """

    def __init__(self, objective: Rows, w: FloatArray, blocks: Sequence[slice]) -> None:
        self.objective, self.w = objective, w
        self.layout = objective.network.layout
        n_rows = sum(block.stop - block.start for block in blocks)
        needed = BUFFERS * n_rows * sum(objective.network.sizes[1:]) * w.itemsize
        self._blocks, self._kept = blocks, None
        if needed <= KEPT_BYTES:
            self._kept = list(map_in_order(self._at, blocks))
            objective.passes += 0.5

    def _at(self, rows: slice) -> RowBlock:
        """Go forward through a block of rows."""
        objective, network = self.objective, self.objective.network
        X, y, weight, _ = objective.rows(rows)
        ws, parameters = network.workspace(len(y), self.w.dtype), self.layout.parameters(self.w)
        network.forward(parameters, X, ws)
        broadcast = objective.share if weight is None else weight.T
        return RowBlock.of(network, objective.loss, parameters, ws, y, broadcast)

    def gauss_newton_vec(self, v: FloatArray) -> FloatArray:
        """Multiply by the Gauss-Newton matrix."""
        return self._sum(RowBlock.gauss_newton, v)

    def hess_vec(self, v: FloatArray) -> FloatArray:
        """Multiply by the Hessian."""
        return self._sum(RowBlock.hessian, v)

    def _sum(
        self, multiply: Callable[[RowBlock, Parameters, Parameters], None], v: FloatArray
    ) -> FloatArray:
        """Add up products over the blocks, always in the same order, and the penalty's."""
        direction = self.layout.parameters(v)

        def part(block: RowBlock) -> FloatArray:
            product = np.empty_like(v)
            multiply(block, direction, self.layout.parameters(product))
            return product

        total = np.zeros_like(v)
        for product in self._map(part):
            total += product
        self.objective.add_penalty_gradient(v, total)
        return total

    def _map(self, function: Callable[[RowBlock], Any]) -> Iterable[Any]:
        """Apply a function to all blocks, in threads."""
        self.objective.passes += 1.0
        if self._kept is not None:
            return map_in_order(function, self._kept)
        return map_in_order(lambda rows: function(self._at(rows)), self._blocks)

    def kronecker_factors(self, seed: int | None = None) -> KroneckerFactors:
        """Compute the Kronecker factors of the loss's part of the Gauss-Newton matrix.

        Parameters
        ----------
        seed : int, optional
            Of random signs, with which one backward pass will do (exactly, for a single output): of
            all random columns whose outer product is the curvature in expectation, they have the
            least variance, less than gradients at labels drawn from the model. By default each
            output takes a pass.
        """

        def part(block: RowBlock) -> KroneckerFactors:
            return block.kronecker_factors(None if seed is None else np.random.default_rng(seed))

        parts = iter(self._map(part))
        total: KroneckerFactors = next(parts)
        for factors in parts:
            total = total + factors
        return total

    def kronecker_inverse(self, seed: int | None = None) -> KroneckerInverse:
        """Approximate the inverse of the Gauss-Newton matrix, for any damping."""
        ridge = self.objective.penalty.strong_convexity
        return KroneckerInverse(self.layout, self.kronecker_factors(seed), ridge)
