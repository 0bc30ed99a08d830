"""Refits of a whole pipeline on rows drawn with replacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.inspection.chain.columns import take_rows

# Draws without one of the classes are thrown away; so many in a row mean that a class is too rare.
MAX_DRAWS = 100


def bootstrap_covariance(
    estimator: Any, X: Any, y: Any, sample_weight: FloatArray | None, *,
    clusters: Array | None, n_bootstrap: int, rng: Any,
    effects: Callable[[Any, Any, IntArray], FloatArray],
) -> FloatArray:  # fmt: skip
    """Compute the covariance of effects over refits.

    Rows, or whole clusters, are drawn with replacement and keep their weights.

    Parameters
    ----------
    effects : callable
        Computes the flat vector of effects from a refitted estimator, the rows that it was fitted
        on, and their numbers.
    """
    members: list[IntArray] | None = None
    if clusters is not None:
        members = [np.flatnonzero(clusters == k) for k in range(int(clusters.max()) + 1)]
    labels = np.asarray(y) if is_classifier(estimator) else None
    found = []
    for _ in range(n_bootstrap):
        rows = _draw(X.shape[0], members, labels, rng)
        weight = None if sample_weight is None else sample_weight[rows]
        refitted = clone(estimator)
        here = take_rows(X, rows)
        refitted.fit(here, take_rows(np.asarray(y), rows), **weight_argument(refitted, weight))
        found.append(effects(refitted, here, rows))
    covariance: FloatArray = np.atleast_2d(np.cov(np.stack(found), rowvar=False))
    return covariance


def _draw(n: int, members: list[IntArray] | None, labels: Array | None, rng: Any) -> IntArray:
    needed = 0 if labels is None else len(np.unique(labels))
    for _ in range(MAX_DRAWS):
        if members is None:
            rows = rng.randint(0, n, n)
        else:
            drawn = rng.randint(0, len(members), len(members))
            rows = np.concatenate([members[k] for k in drawn])
        if labels is None or len(np.unique(labels[rows])) == needed:
            return np.asarray(rows)
    raise ValueError(
        f"{MAX_DRAWS} bootstrap samples in a row lacked one of the {needed} classes: it is too rare"
        " to be resampled. Leave it out, or use another vcov."
    )


def weight_argument(estimator: Any, weight: FloatArray | None) -> dict[str, Any]:
    """Name the argument of `fit` that takes the weights."""
    if weight is None:
        return {}
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = weight_argument(last, weight)
        return {f"{name}__{key}": value for key, value in inner.items()}
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f'{type(estimator).__name__}.fit takes no sample_weight, which vcov="bootstrap" would'
            " hand on to it. Repeat the rows instead."
        )
    return {"sample_weight": weight}
