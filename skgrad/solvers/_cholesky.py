"""Cholesky factors of block-diagonal matrices, singular ones included."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy.linalg import lapack

from skgrad._typing import FloatArray
from skgrad.solvers._base import DivergenceError

# A squared ratio of pivots below this says that the smallest is the rounding error of zero: the
# matrix is singular.
SINGULAR_PIVOT = 1e-14
# First ridge, relative to the largest diagonal entry: far above rounding, far below any curvature
# that could matter for convergence (the directions that it governs have no gradient).
FIRST_RIDGE = 1e-12
RIDGE_GROWTH = 100.0

# Lower triangles; what is above them may be anything.
Factors: TypeAlias = FloatArray | list[FloatArray]


def factorise(blocks: FloatArray) -> tuple[FloatArray, bool]:
    """Compute lower Cholesky factors of symmetric blocks, each plus the smallest ridge it needs.

    In float64 for float32 data too: the condition number of a Hessian is beyond seven digits soon.
    Tells also whether any block was singular.
    """
    blocks = blocks.astype(np.float64, copy=False)
    try:
        factors = np.linalg.cholesky(blocks)
    except np.linalg.LinAlgError:
        return _factorise_singly(blocks)
    if _regular(factors):
        return factors, False
    return _factorise_singly(blocks)


def _factorise_singly(blocks: FloatArray) -> tuple[FloatArray, bool]:
    factors, ridges = zip(*(_factorise_singular(block) for block in blocks), strict=True)
    return np.stack(factors), any(ridges)


def factorise_and_solve(blocks: FloatArray, right: FloatArray) -> tuple[Factors, FloatArray, bool]:
    """Compute `factorise` and `solve` at once: with small blocks the calls are what takes time."""
    wide = blocks.astype(np.float64, copy=False)
    groups = right.astype(np.float64, copy=False).reshape(-1, blocks.shape[-1])
    each = groups if len(blocks) > 1 else [groups.T]
    # A transposed block is the same block, in the order that LAPACK reads.
    parts = [lapack.dposv(block.T, b, lower=1) for block, b in zip(wide, each, strict=True)]
    factors = [factor for factor, _, _ in parts]
    if any(failed for _, _, failed in parts) or not _regular(factors):
        regular, singular = _factorise_singly(wide)
        return regular, solve(regular, right), singular
    solution = np.concatenate([x for _, x, _ in parts]) if len(parts) > 1 else parts[0][1].T.ravel()
    return factors, solution.astype(right.dtype, copy=False), False


def _regular(factors: Factors) -> bool:
    """Compare all pivots at once; a false alarm only means that the blocks are looked at singly."""
    pivots = [pivot for factor in factors for pivot in factor.diagonal().tolist()]
    return bool(min(pivots) ** 2 > SINGULAR_PIVOT * max(pivots) ** 2)


def _factorise_singular(block: FloatArray) -> tuple[FloatArray, float]:
    """Factorise one block plus the ridge that is returned beside the factor."""
    if not np.isfinite(block).all():
        raise DivergenceError(
            "The Hessian became infinite or NaN. Check X for huge values, strengthen the penalty, "
            "or use a first-order solver."
        )
    block = block.copy()
    diagonal = np.einsum("ii->i", block)
    largest = float(diagonal.max(initial=0.0)) or 1.0
    ridge = 0.0
    while True:
        factor, failed = lapack.dpotrf(block, lower=1, clean=1)
        if not failed and _regular([factor]):
            return np.asarray(factor), ridge
        step = (ridge * RIDGE_GROWTH or FIRST_RIDGE) - ridge
        ridge += step
        diagonal += step * largest


def solve(factors: Factors, gradient: FloatArray) -> FloatArray:
    """Solve with block-diagonal Cholesky factors; a single factor may serve several blocks."""
    groups = gradient.astype(np.float64, copy=False).reshape(-1, len(factors[0]))
    solution = np.empty_like(groups)
    if len(factors) == 1:
        solution[...] = lapack.dpotrs(factors[0], groups.T, lower=1)[0].T
    else:
        for k, (factor, group) in enumerate(zip(factors, groups, strict=True)):
            solution[k] = lapack.dpotrs(factor, group, lower=1)[0]
    return solution.ravel().astype(gradient.dtype, copy=False)
