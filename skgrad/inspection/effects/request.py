"""What average marginal effects are asked for, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skgrad._typing import Array, FloatArray
from skgrad.inspection._question import Question, ask
from skgrad.inspection.effects.strata import Stratum
from skgrad.inspection.effects.terms import Terms, resolve_terms

VCOV = ("delta", "sandwich", "cluster", "unconditional", "bootstrap")
WITHOUT_FIT = (None, "bootstrap")
NEEDS_TARGETS = ("sandwich", "cluster", "unconditional", "bootstrap")
TAKES_GROUPS = ("cluster", "unconditional", "bootstrap", None)


@dataclass(frozen=True)
class Data:
    """What was given besides X, checked; ``kind`` is the name of the covariance, or "given"."""

    X: Any
    y: Any
    weight: FloatArray
    clusters: Array | None
    kind: str | None


def ask_effects(
    estimator: Any, X: Any, *, response_method: str, target: Any,
    fallback: Literal["difference"] | None, **options: Any,
) -> tuple[Question, Any, Terms]:  # fmt: skip
    """Check what is asked of which estimator, and find the terms."""
    check_is_fitted(estimator)
    if response_method == "auto" and is_classifier(estimator):
        response_method = "predict_proba" if hasattr(estimator, "predict_proba") else "auto"
    question, X = ask(
        estimator, X, response_method=response_method, target=target, fallback=fallback
    )
    return question, X, resolve_terms(question, X, **options)


def check_data(X: Any, y: Any, sample_weight: Any, groups: Any, vcov: Any) -> Data:
    """Check what is given besides X."""
    kind = "given" if isinstance(vcov, np.ndarray) else vcov
    if kind not in (*VCOV, "given", None):
        raise ValueError(f"vcov must be one of {VCOV}, an array or None, got {vcov!r}.")
    if y is None and kind in NEEDS_TARGETS:
        raise ValueError(f"vcov={kind!r} needs y, the targets that the model was fitted on.")
    n = X.shape[0]
    if y is not None and len(y) != n:
        raise ValueError(f"y has {len(y)} rows, but X has {n}.")
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if groups is None and kind == "cluster":
        raise ValueError('vcov="cluster" needs groups, one label for each row.')
    if groups is not None and kind not in TAKES_GROUPS:
        raise ValueError(f'groups belong to vcov="cluster"; vcov={kind!r} has none.')
    if groups is not None and len(groups) != n:
        raise ValueError(f"groups has {len(groups)} labels, but X has {n} rows.")
    clusters = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if clusters is not None and clusters.max() == 0:
        raise ValueError("groups must name two clusters at least.")
    return Data(X, y, weight, clusters, kind)


def check_points(strata: list[Stratum], kind: str | None) -> None:
    """Refuse what has no meaning at a single point."""
    if kind == "unconditional" and strata[0].is_point:
        raise ValueError(
            'vcov="unconditional" is about averages over rows: use at="overall", or "delta".'
        )


def check_level(confidence_level: float) -> None:
    """Refuse levels that are no probability."""
    if not 0.0 < confidence_level < 1.0:
        raise ValueError(f"confidence_level must be between 0 and 1, got {confidence_level!r}.")
