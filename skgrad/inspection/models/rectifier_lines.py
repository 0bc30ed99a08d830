"""Networks of rectifiers along straight lines: where they bend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.inspection.chain import Pieces
from skgrad.inspection.chain.columns import numbers
from skgrad.inspection.models.network_passes import FittedNetwork
from skgrad.models.network.activations import Activation, Identity, LeakyReLU, ReLU
from skgrad.models.network.network import first_weights

# Numbers that a layer holds for a block of lines, if every unit bends once on every line.
BLOCK_SIZE = 2**22


class Points(NamedTuple):
    """Points on lines, by line and position; the first and the last of a line are its ends.

    ``line`` and ``t`` have shape (n_points,); between neighbours on one line all ``arrays``, of
    shape (n_points, n_units), are linear.
    """

    line: IntArray
    t: FloatArray
    arrays: tuple[FloatArray, ...]

    def stretches(self) -> Array:
        """Find the points after which a stretch of their line begins."""
        inside = (self.line[1:] == self.line[:-1]) & (self.t[1:] > self.t[:-1])
        return np.flatnonzero(inside)


def pieces(fitted: FittedNetwork, X: Any) -> Pieces | None:
    """Describe where a network bends; None if it is not piecewise linear."""
    network, scaler = fitted.network, fitted.scaler
    linear = all(type(f) in (ReLU, LeakyReLU, Identity) for f in network.activations)
    fixed = network.normalization is None or network.normalization.mixes_rows
    if not (linear and fixed) or (scaler is not None and scaler.bend < np.inf):
        return None

    def split(start: Any, end: Any) -> tuple[IntArray, FloatArray, FloatArray]:
        return _split(fitted, numbers(start), numbers(end))

    return Pieces(X, split)


def _split(fitted: FittedNetwork, start: Any, end: Any) -> tuple[IntArray, FloatArray, FloatArray]:
    r"""Cut lines, :math:`z(t) = (1 - t) z_0 + t z_1`, where some unit of the network bends.

    Layer by layer: between the points found so far the pre-activations of the next layer are
    linear in t, and where the sign of one changes, its root is a point more.
    """
    found = []
    for rows in _blocks(fitted, start.shape[0]):
        points = _bends(fitted, start[rows], end[rows])
        at = points.stretches()
        found.append((points.line[at] + rows.start, points.t[at], points.t[at + 1]))
    line, t0, t1 = (np.concatenate(part) for part in zip(*found, strict=True))
    return line, t0, t1


def _blocks(fitted: FittedNetwork, n_lines: int) -> Iterator[slice]:
    hidden = fitted.network.sizes[1:-1] or (1,)
    size = max(1, BLOCK_SIZE // (sum(hidden) * max(hidden)))
    for first in range(0, max(n_lines, 1), size):
        yield slice(first, min(first + size, n_lines))


def _bends(fitted: FittedNetwork, start: Any, end: Any) -> Points:
    network, layers = fitted.network, fitted.parameters.layers
    n = start.shape[0]
    weights = first_weights(fitted.parameters).T
    ends = [np.asarray(fitted.scaled(side) @ weights) for side in (start, end)]
    line, t = np.repeat(np.arange(n), 2), np.tile([0.0, 1.0], n)
    z = np.stack(ends, axis=1).reshape(2 * n, -1)
    inputs: FloatArray | None = None
    for k, activation in enumerate(network.activations):
        z = _argument(fitted, k, z)
        skips = network.adds_input(k) and inputs is not None
        points = Points(line, t, (z, inputs) if skips and inputs is not None else (z,))
        if not isinstance(activation, Identity):
            points = _with_roots(points)
        line, t, (z, *skipped) = points
        out = _activated(activation, z)
        inputs = out + skipped[0] if skips else out
        z = inputs @ layers[k + 1].weights.T
    return Points(line, t, (z,))


def _argument(fitted: FittedNetwork, k: int, z: FloatArray) -> FloatArray:
    """Add the biases, and normalise by the stored moments: an affine map of each unit."""
    layer = fitted.parameters.layers[k]
    z = z + layer.biases[:, 0]
    normalization = fitted.network.normalization
    if normalization is None or fitted.moments is None:
        return z
    assert layer.gain is not None and layer.shift is not None
    columns = np.ascontiguousarray(z.T)
    normalization.normalize(columns, fitted.moments[k])
    return (columns * layer.gain + layer.shift).T


def _activated(activation: Activation, z: FloatArray) -> FloatArray:
    out = np.empty_like(z)
    activation.value(z, out)
    return out


def _with_roots(points: Points) -> Points:
    """Insert the points where an entry of the first array changes its sign."""
    z = points.arrays[0]
    at = points.stretches()
    stretch, unit = np.nonzero((z[at] < 0.0) != (z[at + 1] < 0.0))
    left = at[stretch]
    before, after = z[left, unit], z[left + 1, unit]
    share = before / (before - after)
    lower, upper = points.t[left], points.t[left + 1]
    t = np.minimum(lower + share * (upper - lower), upper)
    new = [part[left] + share[:, None] * (part[left + 1] - part[left]) for part in points.arrays]
    line = np.concatenate([points.line, points.line[left]])
    position = np.concatenate([points.t, t])
    order = np.lexsort((position, line))
    arrays = tuple(np.concatenate(both)[order] for both in zip(points.arrays, new, strict=True))
    return Points(line[order], position[order], arrays)
