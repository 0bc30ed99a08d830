"""Distances from centres."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import Birch, BisectingKMeans, KMeans, MiniBatchKMeans

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense


@transform_rule(KMeans, MiniBatchKMeans, BisectingKMeans, Birch)
def distances(step: Any, X: Any, walk: Walk) -> Local:
    r"""Differentiate :math:`\|x - m_k\|`: the direction away from the centre, and 0 on it."""
    centres = dense(step.subcluster_centers_ if isinstance(step, Birch) else step.cluster_centers_)
    value = step.transform(X)

    def pull(cotangent: FloatArray) -> FloatArray:
        distance = dense(value)
        weights = np.divide(cotangent, distance, out=np.zeros_like(distance), where=distance > 0.0)
        # Differences of coordinates far from the origin would cancel.
        origin = centres.mean(axis=0)
        away = (dense(X) - origin) * weights.sum(axis=1, keepdims=True)
        pulled: FloatArray = away - weights @ (centres - origin)
        return pulled

    return Local(value, pull)
