"""Projections and other linear maps of all columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import FeatureAgglomeration
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.decomposition import (
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    MiniBatchSparsePCA,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.preprocessing import KernelCenterer
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, from_jacobian, transform_rule


@transform_rule(
    FastICA, TruncatedSVD, NeighborhoodComponentsAnalysis, GaussianRandomProjection,
    SparseRandomProjection,
)  # fmt: skip
def projection(step: Any, X: Any, walk: Walk) -> Local:
    """Project on the components, which may be a sparse matrix."""
    components = step.components_
    return Local(step.transform(X), lambda c: (components.T @ c.T).T, affine=True)


@transform_rule(PCA, IncrementalPCA)
def pca(step: Any, X: Any, walk: Walk) -> Local:
    """Project on the components, and scale the scores if they are whitened."""
    components = np.asarray(step.components_, dtype=np.float64)
    if step.whiten:
        # The floor of scikit-learn, which whitens directions of no variance, too.
        scale = np.sqrt(step.explained_variance_)
        scale = np.maximum(scale, np.finfo(scale.dtype).eps)
        components = components / scale[:, None]
    return from_jacobian(step.transform(X), components)


@transform_rule(FactorAnalysis)
def factor_analysis(step: Any, X: Any, walk: Walk) -> Local:
    r"""Take the mean of the factors given x: :math:`(I + W \Lambda^\top)^{-1} W`."""
    weights = step.components_ / step.noise_variance_
    precision = np.eye(len(weights)) + weights @ step.components_.T
    return from_jacobian(step.transform(X), np.linalg.solve(precision, weights))


@transform_rule(SparsePCA, MiniBatchSparsePCA)
def sparse_pca(step: Any, X: Any, walk: Walk) -> Local:
    """Regress rows on the components, with a ridge."""
    components = np.asarray(step.components_, dtype=np.float64)
    gram = components @ components.T + step.ridge_alpha * np.eye(len(components))
    return from_jacobian(step.transform(X), np.linalg.solve(gram, components))


@transform_rule(LinearDiscriminantAnalysis)
def discriminants(step: Any, X: Any, walk: Walk) -> Local:
    """Project on the discriminant directions that are kept."""
    value = step.transform(X)
    return from_jacobian(value, step.scalings_[:, : value.shape[1]].T)


@transform_rule(PLSRegression, PLSCanonical, CCA, PLSSVD)
def pls(step: Any, X: Any, walk: Walk) -> Local:
    """Find the map by trying it: the scales of the columns are not public."""
    return walk.probe(step, X, "is not affine here")


@transform_rule(KernelCenterer)
def kernel_centerer(step: Any, X: Any, walk: Walk) -> Local:
    """Subtract the mean of each row, and constants."""
    return Local(step.transform(X), lambda c: c - c.mean(axis=1, keepdims=True), affine=True)


@transform_rule(FeatureAgglomeration)
def feature_agglomeration(step: Any, X: Any, walk: Walk) -> Local:
    """Average the columns of each cluster; other ways to pool them may be affine, or not."""
    if step.pooling_func is not np.mean:
        return walk.probe(step, X, "pools columns by a function whose derivative is not known")
    labels = step.labels_
    shares = 1.0 / np.bincount(labels)[labels]

    def pull(cotangent: FloatArray) -> FloatArray:
        return cotangent[:, labels] * shares

    return Local(step.transform(X), pull, affine=True)
