"""How the coordinates that solvers walk in are chosen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_array, csr_matrix

from skgrad._typing import Array, FloatArray, Matrix
from skgrad.importances import without_rounding
from skgrad.losses import Loss
from skgrad.models import Standardization
from skgrad.moments import column_moments, nonzero_sizes
from skgrad.penalties import Penalty
from skgrad.rows import Batch

# Rows that estimate the largest eigenvalue of A'A / n. The estimate is within a few per cent for
# spectra that matter (a dominant direction); who relies on it keeps a margin.
SPECTRUM_ROWS = 2000
POWER_ITERATIONS = 12
# Decorrelation costs n * p^2 once and p^2 per evaluation.
LARGEST_ROTATION = 300
# Columns per row of a batch up to which a rotation (p^2 per batch, in cache) costs less than the
# rows (p each, out of memory).
ROTATED_COLUMNS = 8
# Columns whose non-zeros differ by more than this factor need a scale each.
LARGEST_SPREAD = 30.0
# Least curvature that decorrelation divides by, relative to the largest: smaller ones are rounding.
FLATTEST = 1e-9
# An eigendecomposition of this order takes about a second.
LARGEST_NULL_SPACE = 1000


class Batching(NamedTuple):
    """Batches that a solver makes: rows in each, and whether it only follows their gradients."""

    size: int
    plain: bool


class HugeColumnError(ValueError):
    """A column's second moment is no finite number."""


def standardize(
    X: Matrix, weight: FloatArray | None, *, centered: bool, ridge: float
) -> Standardization:
    """Centre columns and scale each to the curvature of the loss plus the penalty.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Data.
    weight : array of shape (n_samples, n_weights), optional
        Weights of the rows.
    centered : bool
        Whether the model has an intercept, which absorbs the centres.
    ridge : float
        Curvature of the penalty relative to the loss's. With 1 / std alone, a column of tiny scale
        under a strong L2 penalty would get a huge curvature in the new coordinates.

    Raises
    ------
    HugeColumnError
        If the squares of a column overflow, or if it holds NaN.
    """
    row_weight = None if weight is None else weight.mean(axis=1, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance = column_moments(X, row_weight, centered=centered)
    # Also one whose scale would not be a normal number in the precision of the data.
    deviation = np.sqrt(variance)
    huge = ~(deviation < 1.0 / float(np.finfo(X.dtype).tiny))
    if huge.any():
        raise HugeColumnError(
            f"Column {int(np.argmax(huge))} of X holds values so large that their squares "
            "overflow. Rescale it, for example with sklearn.preprocessing.StandardScaler."
        )
    # A constant column deviates from its mean by rounding only.
    constant = variance <= (10 * float(np.finfo(X.dtype).eps) * mean) ** 2
    variance += ridge
    variance[constant] = np.inf
    deviation = without_rounding(deviation, mean, X)
    scale = (1.0 / np.sqrt(variance)).astype(X.dtype)
    return Standardization(mean.astype(X.dtype), scale, deviation=deviation if centered else None)


def suited(scaling: Standardization, penalty: Penalty) -> Standardization:
    """Adapt coordinates to what a penalty can do.

    A constraint may have no place for zero: constant columns, which are pinned to it otherwise, get
    the scale of a typical column. One that knows a single step size needs columns scaled alike.
    """
    if penalty.region is None and penalty.per_coordinate:
        return scaling
    scale = scaling.scale
    typical = np.median(scale[scale > 0]) if scale.any() else scale.dtype.type(1.0)
    scale = np.where(scale > 0, scale, typical)
    if not penalty.per_coordinate:
        scale = np.full_like(scale, typical)
    return Standardization(scaling.center, scale.astype(scaling.scale.dtype, copy=False))


def uniform(X: csr_array | csr_matrix) -> Standardization | None:
    """Scale all columns of a CSR matrix alike, to non-zeros of about one; None if they are unalike.

    None also if squares overflow, which `standardize` can explain.

    Sparse rows stay sparse, and rare features keep the long way that a single row moves them:
    divided by their standard deviation, they would make rows longer, and steps shorter, a
    hundredfold.
    """
    largest = max(float(X.data.max(initial=0.0)), -float(X.data.min(initial=0.0)))
    if not largest < float(np.sqrt(np.finfo(X.dtype).max / max(1, len(X.data)))):
        return None
    sizes = nonzero_sizes(X)
    if sizes.max(initial=1.0) > LARGEST_SPREAD * sizes.min(initial=1.0):
        return None
    scale = 1.0 / float(np.median(sizes)) if len(sizes) else 1.0
    p = X.shape[1]
    return Standardization(np.zeros(p, dtype=X.dtype), np.full(p, scale, dtype=X.dtype))


def scale_nonzeros(X: csr_array | csr_matrix) -> Standardization:
    """Scale each column of a CSR matrix to non-zeros of about one, and centre none.

    For columns that are unalike. As in `uniform`, rare features are not divided by their standard
    deviation. A column without non-zeros is pinned.
    """
    p = X.shape[1]
    squares = np.bincount(X.indices, np.square(X.data, dtype=np.float64), p)
    counts = np.bincount(X.indices, X.data != 0.0, p)
    scale = np.sqrt(np.divide(counts, squares, out=np.zeros(p), where=squares > 0.0))
    return Standardization(np.zeros(p, dtype=X.dtype), scale.astype(X.dtype))


def typical_curvature(loss: Loss, y: Array, weight: FloatArray | None, n_outputs: int) -> float:
    """Bound the loss's second derivative; where no bound exists, take gradient^2 / value at start.

    For a piecewise linear loss that ratio is the curvature of its smoothing over the width of the
    data (hinge 1, absolute error 1 / mean deviation); for the Poisson loss it is about the mean.
    """
    if np.isfinite(loss.max_curvature):
        return loss.max_curvature
    row_weight = None if weight is None else weight.max(axis=1)
    constant = loss.constant(y, row_weight, n_outputs=n_outputs).astype(y.dtype)
    value, gradient = loss.value_and_gradient(y, np.tile(constant, (len(y), 1)))
    squares = float(np.sum(gradient**2, dtype=np.float64))
    total = float(np.sum(value, dtype=np.float64))
    return squares / total if squares > 0 and total > 0 else 1.0


def decorrelate(data: Batch, scaling: Standardization, *, ridge: float) -> Standardization:
    """Rotate coordinates so that loss and penalty together curve the same in all directions.

    The second moments come from some of the rows, 20 per feature at least.
    """
    p = len(scaling.scale)
    step = max(1, data.A.n_samples // (20 * p + SPECTRUM_ROWS))
    rows = data.take(slice(0, data.A.n_samples, step))
    moments = rows.A.gram(_shares(rows))[:p, :p].astype(np.float64)
    diagonal = np.einsum("ii->i", moments)
    diagonal += ridge * scaling.scale**2 + FLATTEST * float(moments.max(initial=0.0))
    lower = np.linalg.cholesky(moments)
    rotation = np.triu(lapack.dtrtri(lower, lower=1)[0].T).astype(scaling.scale.dtype)
    return Standardization(scaling.center, scaling.scale, rotation, scaling.deviation)


def some_rows(data: Batch) -> Batch:
    """Copy rows from all over the data, some thousand of them."""
    step = data.A.n_samples // SPECTRUM_ROWS
    return data.take(np.arange(0, data.A.n_samples, step)) if step > 1 else data


def largest_eigenvalue(data: Batch, row_length: int) -> float:
    """Estimate the largest eigenvalue of A'A / n by power iteration on some of the rows."""
    rows = some_rows(data)
    share = _shares(rows)[:, None]
    v = np.random.default_rng(0).standard_normal((1, row_length)).astype(share.dtype)
    norm = float(np.linalg.norm(v))
    for _ in range(POWER_ITERATIONS):
        v = rows.A.rmatmul(share * rows.A.matmul(v / norm))
        norm = float(np.linalg.norm(v))
        if norm == 0.0:
            return 1.0
    return norm


def largest_row(data: Batch, *, rotated: bool) -> float:
    """Compute the largest s_i |a_i|^2, s_i the rows' shares of all weight.

    After a rotation, which takes p^2 operations a row, only rows are tried that are among the
    longest before it, and some others. A longer one must combine columns as no others do; to
    overlook it makes a step too long, once an epoch.
    """
    if rotated and data.A.n_samples > 2 * SPECTRUM_ROWS:
        sizes = _weigh(data, data.A.unrotated_norms())
        longest = np.argpartition(sizes, -SPECTRUM_ROWS)[-SPECTRUM_ROWS:]
        others = np.arange(0, len(sizes), len(sizes) // SPECTRUM_ROWS)
        data = data.take(np.union1d(longest, others))
    return float(np.max(_weigh(data, data.A.squared_row_norms())))


def _weigh(rows: Batch, sizes: FloatArray) -> FloatArray:
    """Multiply numbers by the rows' shares of all weight."""
    weight = rows.row_weights()
    return sizes * (rows.share if weight is None else weight)


def shortest(data: Batch, scaling: Standardization, rows: FloatArray) -> FloatArray:
    """Take the user's smallest coefficients (in norm) that predict the same as these parameters.

    A move along the null space changes no centred prediction; the intercept absorbs the rest.
    Returned as they are if there are too many columns to tell.
    """
    p = len(scaling.scale)
    if p > LARGEST_NULL_SPACE:
        return rows
    moments = data.A.gram(_shares(data))[:p, :p].astype(np.float64)
    # A pinned column has no coefficient to choose; in the null space it would mix with the others.
    diagonal = np.einsum("ii->i", moments)
    diagonal[scaling.scale == 0] = diagonal.max(initial=1.0)
    values, vectors = np.linalg.eigh(moments)
    cutoff = 10 * p * float(np.finfo(rows.dtype).eps) * float(values.max(initial=0.0))
    basis, _ = np.linalg.qr(scaling.coef_to_user(vectors[:, values <= cutoff].T).T)
    user = scaling.to_user(rows).astype(np.float64)
    surplus = (user[:, :p] @ basis) @ basis.T
    user[:, :p] -= surplus
    user[:, p:] += surplus @ scaling.center[:, None]
    return scaling.from_user(user.astype(rows.dtype))


def _shares(rows: Batch) -> FloatArray:
    """Weights of the rows, summing to one."""
    dtype = rows.A.dtype
    if rows.weight is None:
        return np.full(rows.A.n_samples, 1.0 / rows.A.n_samples, dtype=dtype)
    share = rows.weight.mean(axis=1)
    return np.asarray(share / share.sum(), dtype=dtype)
