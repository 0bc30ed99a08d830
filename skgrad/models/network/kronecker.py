"""Kronecker-factored curvature of a network, and its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh

from skgrad._typing import FloatArray, Matrix
from skgrad.models.network.derivatives import Adjoint, adjoints
from skgrad.models.network.layout import Layout, Parameters, Role
from skgrad.models.network.network import Network
from skgrad.models.network.workspace import Workspace

# Of a larger factor only the diagonal is kept: a decomposition of order 2000 takes a second.
LARGEST_FACTOR = 2000


class KroneckerFactors(NamedTuple):
    r"""Curvature of each layer as a Kronecker product, that of everything else as a diagonal.

    .. math:: E[(a a^T) \otimes (g g^T)] \approx A \otimes G

    with the inputs a of a layer, a one for the biases included, and the columns g of a square root
    of the curvature, led back to its pre-activations.

    Attributes
    ----------
    inputs : tuple of arrays of shape (n_in + 1, n_in + 1)
        A of each layer; only the diagonal, shape (n_in + 1,), if that is large.
    outputs : tuple of arrays of shape (n_out, n_out)
        G of each layer, likewise.
    diagonal : array of shape (n_params,)
        Curvature of gains, shifts and scales of inputs; 0 for weights and biases.
    """

    inputs: tuple[FloatArray, ...]
    outputs: tuple[FloatArray, ...]
    diagonal: FloatArray

    def flat(self) -> tuple[FloatArray, ...]:
        """List all arrays."""
        return (self.diagonal, *self.inputs, *self.outputs)

    @classmethod
    def from_flat(cls, arrays: Sequence[FloatArray]) -> KroneckerFactors:
        """Undo `flat`."""
        n_layers = (len(arrays) - 1) // 2
        return cls(tuple(arrays[1 : n_layers + 1]), tuple(arrays[n_layers + 1 :]), arrays[0])

    def mixed(self, other: KroneckerFactors, share: float) -> KroneckerFactors:
        """Add a share of other factors to the rest of these."""
        pairs = zip(self.flat(), other.flat(), strict=True)
        return self.from_flat([mine + share * (new - mine) for mine, new in pairs])

    def __add__(self, other: KroneckerFactors) -> KroneckerFactors:  # type: ignore[override]
        """Add factors of other rows."""
        pairs = zip(self.flat(), other.flat(), strict=True)
        return self.from_flat([mine + new for mine, new in pairs])


def kronecker_factors(
    network: Network, parameters: Parameters, ws: Workspace, roots: Sequence[FloatArray],
    weight: FloatArray,
) -> KroneckerFactors:  # fmt: skip
    """Sum up the factors of a batch, after a `forward`.

    Parameters
    ----------
    network : Network
        The model.
    parameters : Parameters
        The point.
    ws : Workspace
        As the forward pass left it.
    roots : sequence of arrays of shape (n_outputs, n_rows)
        Their outer products add up, in expectation if they are random, to the rows' weighted
        curvatures in the raw predictions.
    weight : array of shape (n_rows,)
        The rows' weights.

    Returns
    -------
    KroneckerFactors

    References
    ----------
    J. Martens and R. Grosse (2015). Optimizing neural networks with Kronecker-factored approximate
    curvature. ICML 2015, arXiv:1503.05671v7, section 3 and appendix.
    """
    diagonal = np.zeros(network.n_params, ws.raw.dtype)
    outputs: list[FloatArray] = []
    for root in roots:
        layers = adjoints(network, parameters, ws, root)
        new = [_second_moment(z) for z in (*(adjoint.z for adjoint in layers), root)]
        outputs = [a + b for a, b in zip(outputs, new, strict=True)] if outputs else new
        _add_diagonal(network, parameters, ws, layers, root, network.layout.parameters(diagonal))
    inputs = [_input_moment(ws.X, weight, parameters.input_scale)]
    inputs += [_homogeneous_moment(hidden.out, weight) for hidden in ws.hidden]
    return KroneckerFactors(tuple(inputs), tuple(outputs), diagonal)


def _second_moment(a: FloatArray, weight: FloatArray | None = None) -> FloatArray:
    """Weighted sum of outer products of columns; only its diagonal if that is large."""
    weighted = a if weight is None else a * weight
    if len(a) > LARGEST_FACTOR:
        return np.einsum("ui,ui->u", a, weighted)
    return weighted @ a.T


def _homogeneous_moment(a: FloatArray, weight: FloatArray) -> FloatArray:
    """Second moment of columns with a one below."""
    return _with_ones(_second_moment(a, weight), a @ weight, weight)


def _with_ones(moment: FloatArray, mean: FloatArray, weight: FloatArray) -> FloatArray:
    total = weight.sum()
    if moment.ndim == 1:
        return np.append(moment, total)
    bordered = np.empty((len(moment) + 1, len(moment) + 1), moment.dtype)
    bordered[:-1, :-1] = moment
    bordered[:-1, -1] = bordered[-1, :-1] = mean
    bordered[-1, -1] = total
    return bordered


def _input_moment(X: Matrix, weight: FloatArray, scale: FloatArray | None) -> FloatArray:
    """Second moment of the rows of a batch, with a one."""
    if isinstance(X, np.ndarray):
        return _homogeneous_moment(X.T if scale is None else X.T * scale[:, None], weight)
    rows: Any = X if scale is None else X.multiply(scale).tocsr()
    mean = rows.T @ weight
    if X.shape[1] > LARGEST_FACTOR:
        return _with_ones(rows.multiply(rows).T @ weight, mean, weight)
    return _with_ones((rows.T @ (rows.multiply(weight[:, None]))).toarray(), mean, weight)


def _add_diagonal(
    network: Network, parameters: Parameters, ws: Workspace, layers: list[Adjoint],
    root: FloatArray, into: Parameters,
) -> None:  # fmt: skip
    """Add the sums of squares of the rows' derivatives by gains, shifts and scales."""
    if network.normalization is not None:
        for adjoint, hidden, target in zip(layers, ws.hidden, into.layers[:-1], strict=True):
            assert target.gain is not None and target.shift is not None
            square = adjoint.argument * adjoint.argument
            target.shift[...] += square.sum(axis=1, keepdims=True)
            square *= hidden.normalized
            square *= hidden.normalized
            target.gain[...] += square.sum(axis=1, keepdims=True)
    if into.input_scale is not None:
        slope = parameters.layers[0].weights.T @ (layers[0].z if layers else root)
        slope *= slope
        X: Any = ws.X
        if isinstance(X, np.ndarray):
            into.input_scale[...] += np.einsum("ji,ij->j", slope, X * X)
        else:
            squares = X.multiply(X).multiply(slope.T)
            into.input_scale[...] += np.asarray(squares.sum(axis=0)).ravel()


class Spectrum(NamedTuple):
    """Eigenvalues of a factor, and eigenvectors as columns; None where the factor is diagonal."""

    values: FloatArray
    vectors: FloatArray | None

    @classmethod
    def of(cls, factor: FloatArray) -> Spectrum:
        """Decompose a factor; eigenvalues below zero are rounding."""
        if factor.ndim == 1:
            return cls(np.maximum(factor, 0.0), None)
        values, vectors = eigh(factor, check_finite=False)
        return cls(np.maximum(values, 0.0), vectors)

    def rotate(self, v: FloatArray) -> FloatArray:
        """Express the rows of v, as columns, in eigenvectors: V' v."""
        return v if self.vectors is None else self.vectors.T @ v

    def rotate_back(self, v: FloatArray) -> FloatArray:
        """Undo `rotate`."""
        return v if self.vectors is None else self.vectors @ v


class KroneckerInverse:
    r"""Inverse of the damped Kronecker-factored curvature, in the factors' eigenbases.

    .. math:: (A \otimes G + \lambda I)^{-1} vec(V)
              = vec\left(Q_G \left[ \frac{Q_G^T V Q_A}{\lambda_G \lambda_A^T + \lambda} \right]
                Q_A^T\right)

    exact for any damping, which factored damping (Martens and Grosse 2015, section 6.3) is not.

    Parameters
    ----------
    layout : Layout
        Places of the parameters.
    factors : KroneckerFactors
        The curvature of the loss.
    ridge : float
        That of the penalty, counted for biases, too: they share a factor with the weights.
    """

    def __init__(self, layout: Layout, factors: KroneckerFactors, ridge: float = 0.0) -> None:
        self.layout, self.diagonal, self.ridge = layout, factors.diagonal, ridge
        self.inputs = [Spectrum.of(factor) for factor in factors.inputs]
        self.outputs = [Spectrum.of(factor) for factor in factors.outputs]
        self._others = [
            group.where for group in layout.groups if group.role not in (Role.WEIGHTS, Role.BIASES)
        ]

    def solve(self, gradient: FloatArray, damping: float) -> FloatArray:
        """Multiply by the inverse."""
        solution = np.empty_like(gradient)
        given, into = self.layout.parameters(gradient), self.layout.parameters(solution)
        for layer, (A, G) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            whole = np.hstack([given.layers[layer].weights, given.layers[layer].biases])
            turned = A.rotate(G.rotate(whole).T).T
            curvature = np.outer(G.values, A.values)
            # Eigenvalues of this size are rounding.
            least = float(np.finfo(curvature.dtype).eps) * float(curvature.max())
            turned /= curvature + max(damping + self.ridge, least)
            turned = A.rotate_back(G.rotate_back(turned).T).T
            into.layers[layer].weights[...] = turned[:, :-1]
            into.layers[layer].biases[...] = turned[:, -1:]
        for where in self._others:
            solution[where] = gradient[where] / (self.diagonal[where] + damping)
        return solution
