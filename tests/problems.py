"""Problems with known answers, and objectives of every kind."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from skgrad import penalties
from skgrad.capabilities import Capability
from skgrad.losses import LOSSES
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import (
    L1,
    L2,
    MCP,
    ElasticNet,
    GroupLasso,
    NonNegative,
    NoPenalty,
    Penalty,
    constraints,
)
from skgrad.penalties.constraints import (
    Box,
    Constrained,
    Constraint,
    L1Ball,
    L2Ball,
    NuclearNormBall,
    Simplex,
)
from skgrad.solvers import SOLVERS, choose_solver

N_CLASSES = 3

# Linear estimators pass targets on as they are: not repeated, and classes as codes or signs.
LINEAR_LOSSES = {
    name: loss
    for name, loss in LOSSES.items()
    if not loss.repeats_target and loss.target != "probabilities"
}
# Hyper-parameters away from their defaults.
LOSS_PARAMETERS = {
    "huber": {"delta": 0.7},
    "quantile": {"quantile": 0.7},
    "epsilon_insensitive": {"epsilon": 0.3},
    "squared_epsilon_insensitive": {"epsilon": 0.3},
}
PENALTY_PARAMETERS = {
    L1: {"alpha": 0.05},
    L2: {"alpha": 0.03},
    ElasticNet: {"alpha": 0.08, "l1_ratio": 0.3},
    NonNegative: {"penalty": L1(0.02)},
    NoPenalty: {},
}
# Penalties of other kinds than L1 and L2 terms, and constraints. Some of these are active and some
# are not; the box has no place for zero in one column.
COUPLED_PARAMETERS = {
    GroupLasso: {"groups": [[0, 3], [1, 2], [4]], "alpha": 0.04},
    L1Ball: {"radius": 0.6},
    L2Ball: {"radius": 0.5},
    Simplex: {"radius": 0.8},
    NuclearNormBall: {"radius": 0.5},
    Box: {"lower": [-0.2, -0.1, 0.1, -1.0, -0.3], "upper": 0.4},
    Constrained: {"penalty": L2(0.03), "constraint": L1Ball(0.6)},
}
NOT_CONVEX = {MCP}  # there is no minimum that all solvers find


def exported(module):
    """Classes that a module exports, apart from the base class."""
    kinds = [getattr(module, name) for name in module.__all__]
    return [kind for kind in kinds if kind not in (Penalty, Constraint)]


# An exported penalty without an entry above is an error.
EVERY_PENALTY = [
    kind for kind in exported(penalties) + exported(constraints) if kind not in NOT_CONVEX
]
PENALTIES = [kind for kind in EVERY_PENALTY if kind not in COUPLED_PARAMETERS]


# Solvers of linear models: the others need a network.
LINEAR_SOLVERS = [name for name in SOLVERS if Capability.LAYERS not in SOLVERS[name].needs]


def make_loss(name):
    return LOSSES[name](**LOSS_PARAMETERS.get(name, {}))


def make_penalty(kind):
    return kind(**{**PENALTY_PARAMETERS, **COUPLED_PARAMETERS}[kind])


# Data


def from_singular_values(values, n_samples, rng):
    """Matrix with centred columns and these singular values."""
    Z = rng.normal(size=(n_samples, len(values)))
    left, _ = np.linalg.qr(Z - Z.mean(axis=0))
    right, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return (left * values) @ right.T


def least_squares(values, n_samples, rng):
    """X, y, the least-squares coefficients and intercept, and the minimum of the mean loss."""
    X = from_singular_values(values, n_samples, rng)
    coef, intercept = rng.normal(size=len(values)), 3.0
    noise = rng.normal(size=n_samples)
    A = np.column_stack([X, np.ones(n_samples)])
    noise -= A @ np.linalg.lstsq(A, noise)[0]
    return X, X @ coef + intercept + noise, coef, intercept, 0.5 * float(noise @ noise) / n_samples


def orthogonal_lasso(n_samples, n_features, alpha, rng):
    """X with centred columns and X'X = n I, y, and the lasso's coefficients (soft thresholding)."""
    X = from_singular_values(np.full(n_features, np.sqrt(n_samples)), n_samples, rng)
    y = X @ rng.normal(size=n_features) + rng.normal(size=n_samples)
    plain = X.T @ y / n_samples
    return X, y, np.sign(plain) * np.maximum(np.abs(plain) - alpha, 0.0)


def ill_scaled(n_samples, n_features, rng):
    """Columns with scales from 1e-3 to 1e3, means ten times as large, neighbours correlated."""
    Z = rng.normal(size=(n_samples, n_features))
    Z[:, 1:] += 0.9 * Z[:, :-1]
    return (Z + 10.0 * rng.choice([-1.0, 1.0], n_features)) * np.logspace(-3, 3, n_features)


def sparse_rows(n_samples, n_features, rng, density=0.2):
    """CSR matrix with normal entries."""
    return sparse.random_array(
        (n_samples, n_features), density=density, format="csr", rng=rng, data_sampler=rng.normal
    )


def groups(sizes):
    """One column of zeros and ones per group: without intercept, groups don't interact."""
    return np.repeat(np.eye(len(sizes)), sizes, axis=0)


def draw_target(loss, raw, rng):
    """Targets as the loss expects them, that depend on raw and are never separable."""
    if loss.target == "class_index":
        noisy = raw + rng.gumbel(size=raw.shape)
        return noisy.argmax(axis=1)
    if loss.target == "binary01":
        return (raw + rng.logistic(size=raw.shape) > 0).astype(float)
    if loss.target == "sign":
        return np.where(raw + rng.logistic(size=raw.shape) > 0, 1.0, -1.0)
    if loss.name == "poisson":
        return rng.poisson(np.exp(np.clip(raw, -2, 2))).astype(float)
    return raw + rng.standard_t(4, size=raw.shape)


# Objectives


@dataclass(frozen=True)
class Variant:
    """Kind of data."""

    layout: str = "dense"
    dtype: str = "float64"
    weights: str = "none"
    intercept: bool = True
    n_outputs: int = 1

    def __str__(self) -> str:
        return "-".join(str(value) for value in vars(self).values())


@dataclass
class Data:
    """What an objective is made of."""

    model: LinearModel
    X: object
    y: np.ndarray
    sample_weight: np.ndarray | None

    def objective(self, loss, penalty):
        return Objective(self.model, loss, penalty, self.X, self.y, self.sample_weight)


def make_data(loss, variant, n_samples=80, n_features=5, seed=0):
    """Noisy data for a loss; half of the entries are zero, and columns are off centre."""
    rng = np.random.default_rng(seed)
    K = N_CLASSES if loss.coupled else variant.n_outputs
    X = (rng.normal(size=(n_samples, n_features)) + 0.5) * (
        rng.random((n_samples, n_features)) < 0.5
    )
    X *= np.linspace(0.5, 2.0, n_features)
    coef = rng.normal(size=(K, n_features)) / 2
    y = draw_target(loss, X @ coef.T + 0.3, rng)
    weight = {
        "none": None,
        "rows": rng.integers(1, 4, size=(n_samples, 1)).astype(float),
        "outputs": rng.integers(1, 4, size=(n_samples, 1 if loss.coupled else K)).astype(float),
    }[variant.weights]
    X = X.astype(variant.dtype)
    if y.dtype.kind == "f":
        y = y.astype(variant.dtype)
    weight = None if weight is None else weight.astype(variant.dtype)
    X = sparse.csr_array(X) if variant.layout == "csr" else X
    return Data(LinearModel(n_features, K, variant.intercept), X, y, weight)


def make_objective(loss, penalty, variant, **options):
    return make_data(loss, variant, **options).objective(loss, penalty)


def minimise(objective):
    """Minimum to the last digits that the best solver can give."""
    solver = choose_solver(objective)
    return solver.run(objective, objective.start(), tol=1e-14, max_iter=20_000)


def linear_program(loss_name, kind, weights):
    """Minimum of a piecewise linear loss with an L1, no, or a non-negative L1 penalty, by HiGHS."""
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    data = make_data(loss, Variant(weights=weights))
    n_samples, p = data.X.shape
    sign, offset, cost = (
        np.broadcast_to(part, (len(loss.hinges(data.y)[0]), n_samples, 1))[:, :, 0]
        for part in loss.hinges(data.y)
    )
    weight = np.ones(n_samples) if data.sample_weight is None else data.sample_weight[:, 0]
    cost = (cost * weight / weight.sum()).ravel()
    A = np.column_stack([data.X, -data.X, np.ones(n_samples)])
    # u >= sign (A v) - offset and u >= 0, with coef = v+ - v- and the intercept free.
    rows = np.vstack([s[:, None] * A for s in sign])
    alpha = penalty.value(np.ones((1, p))) / p
    positive = [(0, None)] * p
    negative = [(0, 0)] * p if kind is NonNegative else positive
    program = linprog(
        np.concatenate([np.full(2 * p, alpha), [0.0], cost]),
        A_ub=np.hstack([rows, -np.eye(len(rows))]),
        b_ub=offset.ravel(),
        bounds=[*positive, *negative, (None, None), *[(0, None)] * len(rows)],
    )
    return program.fun


@cache
def minimum(loss_name, kind, weights):
    """Minimum of the default problem of `make_data`, in float64."""
    if LOSSES[loss_name].piecewise_linear and kind in (L1, NonNegative, NoPenalty):
        return linear_program(loss_name, kind, weights)
    variant = Variant(weights=weights)
    return minimise(make_objective(make_loss(loss_name), make_penalty(kind), variant)).value
