"""From an estimator's parameters to a solver, a network and an objective."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from skgrad._typing import Matrix
from skgrad.augmentation import get_augmentation
from skgrad.models.network import (
    Activation,
    ColumnScaler,
    Network,
    get_activation,
    get_input_scaling,
    get_normalization,
)
from skgrad.network_objective import NetworkObjective
from skgrad.neural_network._factors import group_factors
from skgrad.neural_network._task import Task, hidden_sizes
from skgrad.penalties.mixed import elastic_net
from skgrad.solvers import SGD, Solver, get_solver

# Rows of a batch by default, as in scikit-learn.
BATCH_SIZE = 200


def network_solver(solver: str | Solver) -> Solver:
    """Resolve a solver; "sgd" has Nesterov momentum here, as in scikit-learn's networks."""
    if solver == "sgd":
        return SGD(momentum=0.9, nesterov=True)
    return get_solver("adam" if solver == "auto" else solver)


def resolve_solver(estimator: Any, task: Task) -> Solver:
    """Resolve the solver; the estimator's own parameters fill what it leaves open."""
    solver = network_solver(estimator.solver)
    if not solver.stochastic:
        _refuse_chance(estimator, solver)
        return solver
    n_samples = task.X.shape[0]
    settings: dict[str, Any] = {"shuffle": bool(solver.shuffle and estimator.shuffle)}
    if solver.batch_size == "auto":
        wanted = BATCH_SIZE if estimator.batch_size == "auto" else int(estimator.batch_size)
        settings["batch_size"] = min(wanted, n_samples)
    if estimator.learning_rate_init is not None:
        settings["learning_rate"] = estimator.learning_rate_init
    return clone(solver).set_params(**settings)


def _refuse_chance(estimator: Any, solver: Solver) -> None:
    """Raise if a full-batch solver is asked to do something at random."""
    for name in ("dropout", "augment"):
        if value := getattr(estimator, name):
            raise ValueError(
                f"{name}={value!r} changes mini-batches at random; {type(solver).__name__} "
                "passes over all rows at once and needs the same loss every time. Use 'adam' "
                f"or another stochastic solver, or leave {name} at its default."
            )


def _build_network(estimator: Any, task: Task) -> Network:
    """Build the network that the parameters describe."""
    hidden = hidden_sizes(estimator.hidden_layer_sizes)
    kinds = estimator.activation
    names = [kinds] * len(hidden) if isinstance(kinds, str | Activation) else list(kinds)
    if len(names) != len(hidden):
        raise ValueError(
            f"activation={kinds!r} names {len(names)} activations, but hidden_layer_sizes="
            f"{estimator.hidden_layer_sizes!r} has {len(hidden)} layers. Give one name, or one for "
            "each."
        )
    sizes = (task.X.shape[1], *hidden, task.n_outputs)
    return Network(
        sizes, tuple(get_activation(name) for name in names),
        get_normalization(estimator.normalization), float(estimator.dropout),
        bool(estimator.residual), bool(estimator.learn_input_scale),
    )  # fmt: skip


def _arithmetic(estimator: Any, task: Task, solver: Solver) -> Any:
    """Choose the type of parameters and arithmetic.

    Noise of mini-batches drowns float32's rounding; without it, float64 data deserve float64.
    """
    if estimator.dtype != "auto":
        return np.dtype(estimator.dtype)
    exact = not solver.stochastic or solver.batch_size >= task.X.shape[0]
    return np.dtype(task.X.dtype if exact else np.float32)


def build_objective(
    estimator: Any, task: Task, solver: Solver, scaler: ColumnScaler | None
) -> NetworkObjective:
    """Build the function that a solver minimises."""
    dtype = _arithmetic(estimator, task, solver)
    total = len(task.y) if task.weight is None else float(task.weight.sum())
    y = task.y.astype(dtype, copy=False) if task.y.dtype.kind == "f" else task.y
    network = _build_network(estimator, task)
    mixes = network.normalization is not None and network.normalization.mixes_rows
    if mixes and 1 in (len(task.y), getattr(solver, "batch_size", None)):
        raise ValueError(
            f"normalization={estimator.normalization!r} needs batches of at least two rows: in a "
            "batch of one every unit is at its mean. Raise batch_size, or use 'layer'."
        )
    rates, decays = group_factors(
        network,
        estimator.parametrization,
        estimator.learning_rate_factors,
        estimator.decay_factors,
        dtype,
    )
    return NetworkObjective(
        network, task.loss, elastic_net(estimator.alpha / total, estimator.l1_ratio),
        task.X, y, task.weight, dtype=dtype, scaler=scaler,
        augmentation=get_augmentation(estimator.augment), rate_factors=rates, decay_factors=decays,
    )  # fmt: skip


def learn_scaler(estimator: Any, X: Matrix) -> ColumnScaler | None:
    """Learn centre and scale of the columns, if asked to."""
    scaling = get_input_scaling(estimator.input_scaling)
    if scaling is None:
        return None
    if not isinstance(X, np.ndarray):
        raise ValueError(
            f"input_scaling={estimator.input_scaling!r} centres columns, which sparse X would lose "
            "its zeros by. Use input_scaling=None, and MaxAbsScaler before the network."
        )
    return scaling.fit(X)
