"""Maps into the feature space of a kernel, exact or approximate."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import KernelPCA
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    RBFSampler,
    SkewedChi2Sampler,
)

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Local, Walk, transform_rule
from skgrad.inspection.chain.columns import dense
from skgrad.inspection.transformers.kernels import KERNELS, kernel_pull

UNKNOWN_KERNEL = "has a kernel whose derivative is not known"


@transform_rule(RBFSampler)
def rbf_sampler(step: Any, X: Any, walk: Walk) -> Local:
    r"""Differentiate :math:`\sqrt{2/k} \cos(W^\top x + b)`."""
    return Local(step.transform(X), lambda c: _waves(step, dense(X), c))


@transform_rule(SkewedChi2Sampler)
def skewed_chi2_sampler(step: Any, X: Any, walk: Walk) -> Local:
    """Differentiate the same waves of the logarithms of x + skewedness."""

    def pull(cotangent: FloatArray) -> FloatArray:
        shifted = dense(X) + step.skewedness
        return _waves(step, np.log(shifted), cotangent) / shifted

    return Local(step.transform(X), pull)


def _waves(step: Any, x: FloatArray, cotangent: FloatArray) -> FloatArray:
    weights = np.asarray(step.random_weights_, dtype=np.float64)
    phases = x @ weights + step.random_offset_
    amplitude = np.sqrt(2.0 / weights.shape[1])
    pulled: FloatArray = -amplitude * (cotangent * np.sin(phases)) @ weights.T
    return pulled


@transform_rule(AdditiveChi2Sampler)
def additive_chi2_sampler(step: Any, X: Any, walk: Walk) -> Local:
    r"""Differentiate :math:`\sqrt{x L}` and its products with waves of log x."""
    x = dense(X)
    if (x == 0.0).any():
        return walk.difference(step, X, "has infinite slopes where entries are 0, as some are")
    interval = step.sample_interval or {1: 0.8, 2: 0.5, 3: 0.4}[step.sample_steps]
    value = step.transform(X)

    def pull(cotangent: FloatArray) -> FloatArray:
        parts = np.split(cotangent, 2 * step.sample_steps - 1, axis=1)
        total = parts[0] * np.sqrt(interval / x) / 2.0
        for j in range(1, step.sample_steps):
            cosine, sine = parts[2 * j - 1 : 2 * j + 1]
            omega, phase = j * interval, j * interval * np.log(x)
            size = np.sqrt(2.0 * interval / x / np.cosh(np.pi * omega))
            total += size * cosine * (0.5 * np.cos(phase) - omega * np.sin(phase))
            total += size * sine * (0.5 * np.sin(phase) + omega * np.cos(phase))
        return total

    return Local(value, pull, np.tile(np.arange(x.shape[1]), 2 * step.sample_steps - 1))


@transform_rule(Nystroem)
def nystroem(step: Any, X: Any, walk: Walk) -> Local:
    """Differentiate the kernel with the landmarks, and map that as their kernel matrix says."""
    if step.kernel == "precomputed":
        return walk.probe(step, X, "is not affine here")
    if step.kernel not in KERNELS:
        return walk.difference(step, X, UNKNOWN_KERNEL)
    own = {"gamma": step.gamma, "degree": step.degree, "coef0": step.coef0}
    given = {name: value for name, value in own.items() if value is not None}
    pull = kernel_pull(step.kernel, X, step.components_, {**(step.kernel_params or {}), **given})
    return Local(step.transform(X), lambda c: pull(c @ step.normalization_))


@transform_rule(KernelPCA)
def kernel_pca(step: Any, X: Any, walk: Walk) -> Local:
    """Differentiate the kernel with the training data.

    Centring the kernel subtracts the same from all entries of a row; as eigenvectors sum to 0, it
    does not matter here.
    """
    if step.kernel == "precomputed":
        return walk.probe(step, X, "is not affine here")
    if step.kernel not in KERNELS:
        return walk.difference(step, X, UNKNOWN_KERNEL)
    values = step.eigenvalues_
    scale = np.where(values == 0.0, 0.0, 1.0 / np.sqrt(np.where(values == 0.0, 1.0, values)))
    weights = step.eigenvectors_ * scale
    params = {"gamma": step.gamma_, "degree": step.degree, "coef0": step.coef0}
    pull = kernel_pull(step.kernel, X, step.X_fit_, params)
    return Local(step.transform(X), lambda c: pull(c @ weights.T))
