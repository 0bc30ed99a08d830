"""Imputation by regressions on each other, one column after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# Public only after an import that changes `sklearn.impute`.
from sklearn.impute._iterative import IterativeImputer

from skgrad._typing import Array, FloatArray, IntArray
from skgrad.inspection.chain import SEVERAL, Local, Walk, transform_rule
from skgrad.inspection.chain.columns import as_fitted, dense
from skgrad.inspection.transformers.imputers import held, missing_entries, output_owners


@dataclass(frozen=True)
class Imputation:
    """One regression at the rows in which its column is missing."""

    rows: IntArray
    column: int
    others: IntArray
    local: Local
    inside: Array  # where the prediction is within the imputer's limits


@transform_rule(IterativeImputer)
def iterative_imputer(step: Any, X: Any, walk: Walk) -> Local:
    """Go back through the regressions, the last one first.

    Entries that are there pass on; what is imputed depends on them through all rounds.
    """
    empty = empty_columns(step)
    kept = np.arange(step.n_features_in_) if step.keep_empty_features else np.flatnonzero(~empty)
    owners = output_owners(step, kept)
    if walk.pins is not None:
        return walk.leaf(step, X, owners, step.n_features_in_)
    value, missing = step.transform(X), missing_entries(step, X)
    imputed = (missing & ~empty)[:, kept]
    if step.sample_posterior and imputed.any():
        walk.refuse(step, "draws what it imputes at random, anew each time")
    tape = _impute(step, X, imputed, walk)

    def pull(cotangent: FloatArray) -> FloatArray:
        inner = cotangent[:, : len(kept)].copy()
        for part in reversed(tape):
            arrived = inner[part.rows, part.column] * part.inside
            inner[part.rows, part.column] = 0.0
            inner[np.ix_(part.rows, part.others)] += part.local.pull(arrived[:, None])
        total = np.zeros((len(cotangent), step.n_features_in_))
        total[:, kept] = inner
        return held(total, missing)

    n_kept = len(kept)
    sources = np.where(np.arange(len(owners)) < n_kept, SEVERAL, owners)
    return Local(value, pull, sources, affine=not missing.any())


def _impute(step: Any, X: Any, imputed: Array, walk: Walk) -> list[Imputation]:
    """Repeat the regressions, and keep what the way back needs."""
    if imputed.all():  # as scikit-learn does: no row has anything to predict from
        return []
    first = step.initial_imputer_
    filled = dense(first.transform(as_fitted(first, X))).copy()
    low, high = _limits(step, -np.inf, step.min_value), _limits(step, np.inf, step.max_value)
    walk, tape = replace(walk, response="predict"), []
    for column, others, estimator in step.imputation_sequence_:
        rows = np.flatnonzero(imputed[:, column])
        if len(rows) == 0:
            continue
        local = walk.into(f"column {column}").respond(estimator, filled[np.ix_(rows, others)])
        predicted = dense(local.value)[:, 0]
        filled[rows, column] = np.clip(predicted, low[column], high[column])
        inside = (predicted > low[column]) & (predicted < high[column])
        tape.append(Imputation(rows, column, others, local, inside))
    return tape


def _limits(step: Any, unbounded: float, limit: Any) -> FloatArray:
    """Give each column that is kept its own limit."""
    given = unbounded if limit is None else limit
    limits = np.broadcast_to(np.asarray(given, dtype=np.float64), (step.n_features_in_,))
    return limits if step.keep_empty_features else limits[~empty_columns(step)]


def empty_columns(step: Any) -> Array:
    """Tell which columns had nothing to learn from; scikit-learn keeps it private."""
    return np.asarray(step._is_empty_feature)
