"""Solvers side by side on the user's own problem."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgrad.solvers import SOLVERS, DivergenceError, IncompatibleSolverError, Solver

# The reference minimum is known to so many digits more than the solvers are asked for.
REFERENCE = 1e-3


def compare_solvers(
    estimator: Any, X: Any, y: Any, *, solvers: Sequence[Any] | Mapping[str, Any] | None = None,
    tol: float = 1e-6, max_iter: int = 200, **fit_params: Any,
) -> Any:  # fmt: skip
    r"""Fit an estimator with each solver, and record the way to the minimum.

    .. math:: \text{suboptimality} = \frac{F(w) - \min F}{|\min F|}

    Parameters
    ----------
    estimator : estimator of skgrad, or a pipeline that ends in one
        Its parameters make the problem; it is cloned, not changed.
    X : DataFrame, array or sparse matrix of shape (n_samples, n_features)
        Data.
    y : array of shape (n_samples,)
        Targets.
    solvers : list of names and Solver objects, or dict of labels to them, default=None
        What to compare; None for every solver that can minimise this objective.
    tol : float, default=1e-6
        Accuracy that each solver is asked for.
    max_iter : int, default=200
        Most iterations of each.
    **fit_params
        Passed to `fit`, such as ``sample_weight``.

    Returns
    -------
    pandas.DataFrame
        One row for each solver and iteration: ``solver``, ``n_iter``, ``seconds``, ``passes`` over
        the data, ``suboptimality`` relative to the least value that any solver has found, and
        ``gradient_norm``. Its ``attrs["refused"]`` tell for each solver that could not run why.
        Losses of a network and of stochastic solvers are those seen during an epoch.

    Raises
    ------
    ValueError
        If no solver can minimise the objective.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgrad import LogisticRegression
    >>> from skgrad.inspection import compare_solvers
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> table = compare_solvers(LogisticRegression(), X, y, solvers=["newton", "lbfgs"])
    >>> bool((table.groupby("solver")["suboptimality"].last() < 1e-6).all())
    True
    """
    import pandas as pd

    steps, last = _split(estimator)
    Z = X if steps is None else clone(steps).fit_transform(X, y)
    refused: dict[str, str] = {}
    runs: dict[str, Any] = {}
    for label, solver in _labelled(solvers).items():
        try:
            # Once for what is loaded and compiled on the first use, once for the clock.
            _fitted(last, solver, Z, y, tol, 1, fit_params)
            runs[label] = _fitted(last, solver, Z, y, tol, max_iter, fit_params)
        except (IncompatibleSolverError, DivergenceError) as error:
            refused[label] = str(error)
    if not runs:
        raise ValueError(
            f"No solver can minimise the objective of {type(last).__name__}: "
            + " ".join(dict.fromkeys(refused.values()))
        )
    least = min(float(np.nanmin(model.history_["loss"])) for model in runs.values())
    least = min(least, _reference(last, Z, y, tol, max_iter, fit_params))
    tables = [_table(label, model.history_, least) for label, model in runs.items()]
    table = pd.concat(tables, ignore_index=True)
    table.attrs["refused"] = refused
    return table


def _split(estimator: Any) -> tuple[Any, Any]:
    """Separate the steps before the estimator that has a solver."""
    steps = getattr(estimator, "steps", None)
    before, last = (None, estimator) if steps is None else (estimator[:-1], steps[-1][1])
    if not hasattr(last, "solver") or not type(last).__module__.startswith("skgrad"):
        raise ValueError(f"compare_solvers needs an estimator of skgrad, got {last!r}.")
    return (before if before is not None and len(before) else None), last


def _labelled(solvers: Any) -> dict[str, Any]:
    if solvers is None:
        return {name: name for name in SOLVERS}
    if isinstance(solvers, Mapping):
        return {str(label): solver for label, solver in solvers.items()}
    return {solver if isinstance(solver, str) else repr(solver): solver for solver in solvers}


def _fitted(
    estimator: Any, solver: str | Solver, X: Any, y: Any, tol: float, max_iter: int,
    fit_params: dict[str, Any],
) -> Any:  # fmt: skip
    model = clone(estimator).set_params(solver=solver, tol=tol, max_iter=max_iter)
    with warnings.catch_warnings():
        # How far each solver has come is what the table tells.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **fit_params)


def _reference(
    estimator: Any, X: Any, y: Any, tol: float, max_iter: int, fit_params: dict[str, Any]
) -> float:
    """Find the minimum as the estimator's own choice of solver does, to more digits."""
    model = _fitted(estimator, "auto", X, y, REFERENCE * tol, 10 * max_iter, fit_params)
    return float(model.history_["loss"][-1])


def _table(label: str, history: dict[str, Any], least: float) -> Any:
    import pandas as pd

    loss = np.asarray(history["loss"], dtype=np.float64)
    scale = abs(least) or 1.0
    return pd.DataFrame(
        {
            "solver": label,
            "n_iter": np.arange(1, len(loss) + 1),
            "seconds": history["seconds"],
            "passes": history["passes"],
            # The last digits of a minimum are rounding: nothing is below it.
            "suboptimality": np.maximum(loss - least, 0.0) / scale,
            "gradient_norm": history["gradient_norm"],
        }
    )
