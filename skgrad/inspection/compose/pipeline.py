"""Pipelines, searches, and other wrappers of one fitted estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from skgrad.inspection.chain import Local, Walk, rule
from skgrad.inspection.chain.columns import width


@rule(Pipeline)
def pipeline(step: Any, X: Any, walk: Walk) -> Local:
    """Chain all steps; the last one may be a predictor."""
    *transformers, (name, last) = step.steps
    local = Local(X, lambda cotangent: cotangent, np.arange(width(X)), affine=True)
    sources = walk.sources
    for part, transformer in transformers:
        inside = walk.into(part, sources)
        following = inside.transform(transformer, local.value)
        local, sources = following.after(local), inside.past(following)
    inside = walk.into(name, sources)
    predicts = walk.response != "transform" and hasattr(last, "predict")
    return (inside.respond if predicts else inside.transform)(last, local.value).after(local)


@rule(BaseSearchCV)
def search(step: Any, X: Any, walk: Walk) -> Local:
    """Go on into the best estimator, refitted on all data."""
    inside = walk.into("best_estimator_")
    transforms = walk.response == "transform"
    return (inside.transform if transforms else inside.respond)(step.best_estimator_, X)


@rule(FrozenEstimator)
def frozen(step: Any, X: Any, walk: Walk) -> Local:
    """Go on into the estimator that is kept from being fitted again."""
    transforms = walk.response == "transform"
    return (walk.transform if transforms else walk.respond)(step.estimator, X)
