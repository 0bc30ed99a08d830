"""Rows divided by their norms, and weights of terms."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import Normalizer

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense

ORDERS = {"l2": 2, "l1": 1, "max": np.inf}


@transform_rule(Normalizer)
def normalizer(step: Any, X: Any, walk: Walk) -> Local:
    """Divide each row by its norm."""
    return Local(step.transform(X), lambda c: normalised_pull(dense(X), step.norm, c))


@transform_rule(TfidfTransformer)
def tfidf(step: Any, X: Any, walk: Walk) -> Local:
    """Weight counts, and divide each row by its norm.

    With ``sublinear_tf`` the weight jumps from 0 to 1 at the first occurrence of a term: only the
    terms that a row has move.
    """
    weights = step.idf_ if step.use_idf else 1.0

    def pull(cotangent: FloatArray) -> FloatArray:
        counts = dense(X)
        present = counts != 0.0
        safe = np.where(present, counts, 1.0)
        terms = np.where(present, 1.0 + np.log(safe), 0.0) if step.sublinear_tf else counts
        slope = present / safe if step.sublinear_tf else 1.0
        if step.norm is not None:
            cotangent = normalised_pull(terms * weights, step.norm, cotangent)
        return cotangent * weights * slope

    value = step.transform(X)
    columnwise = step.norm is None
    return Local(
        value.tocsr() if sparse.issparse(value) else value,
        pull,
        np.arange(X.shape[1]) if columnwise else None,
        affine=columnwise and not step.sublinear_tf,
    )


def normalised_pull(x: FloatArray, norm: str, cotangent: FloatArray) -> FloatArray:
    r"""Pull through :math:`u = x / r`, :math:`r = \|x\|`.

    .. math:: \frac{1}{r} (c - (u^\top c) \nabla r)

    where :math:`\nabla r` is u itself for "l2", the signs of x for "l1", and the sign of its
    largest entry for "max". A row of zeros, which has no direction, is divided by 1, as
    scikit-learn does.
    """
    size = np.linalg.norm(x, ord=ORDERS[norm], axis=1, keepdims=True)
    size[size == 0.0] = 1.0
    u = x / size
    along = np.einsum("nj,nj->n", u, cotangent)[:, None]
    if norm == "l2":
        return (cotangent - u * along) / size
    if norm == "l1":
        return (cotangent - np.sign(x) * along) / size
    total = cotangent.copy()
    rows, largest = np.arange(len(x)), np.abs(x).argmax(axis=1)
    total[rows, largest] -= np.sign(x[rows, largest]) * along[:, 0]
    return total / size
