"""Points of a feasible set as convex combinations of a few others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from skgrad._typing import FloatArray, IntArray

# The key of the point that a run starts at, which need not be a vertex.
START = b""


@dataclass(frozen=True, slots=True)
class Atom:
    """A point by its coefficients other than zero: where they are and what they are."""

    places: IntArray
    values: FloatArray
    key: bytes

    @classmethod
    def of(cls, point: FloatArray, key: bytes | None = None) -> Atom:
        """Take the coefficients out of a parameter vector."""
        places = np.flatnonzero(point)
        values = point[places]
        if key is None:
            key = blake2b(places.tobytes() + values.tobytes(), digest_size=16).digest()
        return cls(places, values, key)

    def dot(self, gradient: FloatArray) -> float:
        """Compute the inner product with a gradient, in float64."""
        part = gradient[self.places].astype(np.float64, copy=False)
        return float(part @ self.values.astype(np.float64, copy=False))

    def add_to(self, point: FloatArray, factor: float = 1.0) -> FloatArray:
        """Add a multiple of the atom to a point in place; return that."""
        point[self.places] += factor * self.values
        return point


@dataclass(frozen=True, slots=True)
class ActiveSet:
    """Atoms and their weights, which are positive and sum to one; a value: nothing changes it."""

    atoms: tuple[Atom, ...]
    weights: tuple[float, ...]

    @property
    def n_vertices(self) -> int:
        """Number of atoms, the start apart."""
        return sum(atom.key != START for atom in self.atoms)

    def worst(self, gradient: FloatArray) -> int:
        """Find the atom that a linear function is largest at."""
        return int(np.argmax([atom.dot(gradient) for atom in self.atoms]))

    def moved(
        self, factor: float, changes: list[tuple[Atom, float]], leaving: Atom | None
    ) -> ActiveSet:
        """Multiply all weights by a factor, then add to those of some atoms; drop what is zero."""
        known = {atom.key: (atom, factor * weight) for atom, weight in self._pairs()}
        for atom, change in changes:
            before = known.get(atom.key, (atom, 0.0))[1]
            known[atom.key] = (atom, before + change)
        if leaving is not None:
            del known[leaving.key]
        kept = [(atom, weight) for atom, weight in known.values() if weight > 0.0]
        total = sum(weight for _, weight in kept)
        atoms, weights = zip(*((atom, weight / total) for atom, weight in kept), strict=True)
        return replace(self, atoms=atoms, weights=weights)

    def _pairs(self) -> list[tuple[Atom, float]]:
        return list(zip(self.atoms, self.weights, strict=True))

    def point(self, like: FloatArray) -> FloatArray:
        """Add the atoms up: coefficients that none of them has are exactly zero."""
        total = np.zeros(like.shape)
        for atom, weight in self._pairs():
            total[atom.places] += weight * atom.values
        return total.astype(like.dtype, copy=False)
