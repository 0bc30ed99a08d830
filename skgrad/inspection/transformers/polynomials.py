"""Polynomials of the columns."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import PolynomialFeatures

from skgrad._typing import FloatArray, IntArray
from skgrad.inspection.chain import SEVERAL, Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense


@transform_rule(PolynomialFeatures)
def polynomial_features(step: Any, X: Any, walk: Walk) -> Local:
    r"""Differentiate products, one factor after the other.

    .. math:: \frac{\partial}{\partial x_j} \prod_{l=1}^d x_{k_l}
        = \sum_{m: k_m = j} \prod_{l \ne m} x_{k_l}

    which needs no division and no power, so that entries of zero are like all others.
    """
    key, n_in = (*walk.trail, "factors"), step.n_features_in_
    if key not in walk.memory:  # not anew for each chunk of rows
        walk.memory[key] = factors(step)
    groups = walk.memory[key]

    def pull(cotangent: FloatArray) -> FloatArray:
        # With one row for each output, so that factors are whole rows.
        data, outputs = np.ascontiguousarray(dense(X).T), np.ascontiguousarray(cotangent.T)
        total, start = np.zeros((n_in, len(cotangent))), 0
        for columns in groups:
            part = outputs[start : start + len(columns)]
            start += len(columns)
            for m in range(columns.shape[1]):
                others = part
                for k in np.delete(columns, m, axis=1).T:
                    others = others * data[k]
                total += _gather(others, columns[:, m], n_in)
        return np.ascontiguousarray(total.T)

    sources = [
        np.where((columns == columns[:, :1]).all(axis=1), columns[:, 0], SEVERAL)
        if columns.shape[1]
        else [0 if n_in == 1 else SEVERAL]
        for columns in groups
    ]
    affine = all(columns.shape[1] <= 1 for columns in groups)
    return Local(step.transform(X), pull, np.concatenate(sources).astype(np.intp), affine=affine)


def _gather(parts: FloatArray, columns: IntArray, n_in: int) -> FloatArray:
    """Add up parts that belong to the same column."""
    m = len(columns)
    onto = sparse.csr_array((np.ones(m), (columns, np.arange(m))), shape=(n_in, m))
    gathered: FloatArray = onto @ parts
    return gathered


def factors(step: Any) -> list[IntArray]:
    """List the columns that are multiplied, (n_outputs, degree) for each degree in turn.

    `powers_` says the same, in an array of n_outputs x n_features that wide sparse data can't pay.
    """
    lowest, highest = (
        (0, step.degree) if np.ndim(step.degree) == 0 else (step.degree[0], step.degree[1])
    )
    choose = combinations if step.interaction_only else combinations_with_replacement
    degrees = range(max(1, lowest), highest + 1)
    found = [list(choose(range(step.n_features_in_), degree)) for degree in degrees]
    groups: list[IntArray] = [
        np.asarray(chosen, dtype=np.intp).reshape(-1, degree)
        for degree, chosen in zip(degrees, found, strict=True)
    ]
    return [np.empty((1, 0), dtype=np.intp), *groups] if step.include_bias else groups
