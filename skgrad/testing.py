"""Checkers for authors of losses, penalties and solvers.

Each takes an object, tries it on small problems, and raises an AssertionError that says what does
not hold and where. They need no test framework; call them from a test of your own.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from skgrad._typing import Array, FloatArray
from skgrad.losses import Loss
from skgrad.models import LinearModel
from skgrad.objective import Objective
from skgrad.penalties import L2, Penalty
from skgrad.penalties.constraints import Constraint
from skgrad.solvers import Solver, choose_solver

__all__ = ["check_constraint", "check_loss", "check_penalty", "check_solver"]

# Central differences with a step of 1e-6: truncation 1e-12, rounding 1e-10.
STEP, DIFFERENCES = 1e-6, 1e-6
EXACT = 1e-9
N_CLASSES = 3


def check_loss(loss: Loss) -> None:
    r"""Check a loss against its definition.

    That its gradient and curvature are derivatives, that it is convex, that Fenchel's inequality
    :math:`l(z) + l^*(u) \ge u z` holds and is an equality at the gradient, that its `prox` (if it
    has one) is a minimiser, that large predictions don't overflow, that float32 stays float32 and
    inputs stay as they are, and that clones and pickles are the same loss.

    Parameters
    ----------
    loss : Loss
        With the hyper-parameters to check; try several, away from the defaults.

    Raises
    ------
    AssertionError
        Naming what does not hold.

    Examples
    --------
    >>> from skgrad.losses import Huber
    >>> from skgrad.testing import check_loss
    >>> check_loss(Huber(delta=0.7))
    """
    rng = np.random.default_rng(0)
    y, raw = _targets(loss, rng), 1.5 * rng.normal(size=(60, N_CLASSES))
    name = repr(loss)
    _check_derivatives(loss, y, raw, rng)
    other = raw + rng.normal(size=raw.shape)
    middle = loss.value(y, 0.5 * (raw + other))
    chord = 0.5 * (loss.value(y, raw) + loss.value(y, other))
    _require(middle <= chord + EXACT * (1.0 + np.abs(chord)), f"{name} is not convex")
    _check_conjugate(loss, y, raw, other)
    if loss.has_prox:
        _check_prox(lambda z: loss.value(y, z), lambda z, s: loss.prox(y, z, s), raw, rng, name)
    if np.isfinite(loss.max_curvature):  # others, such as exp(raw), may well overflow there
        far = loss.value(y, 1e3 * np.sign(raw))
        _require(np.isfinite(far), f"{name}: the value at raw predictions of 1000 overflows")
    _check_arrays(name, y, raw, {"value": loss.value, "gradient": loss.gradient})
    _check_copies(loss)


def check_penalty(penalty: Penalty, *, shape: tuple[int, int] = (2, 6)) -> None:
    r"""Check a penalty or constraint against its definition.

    That it is convex (as strongly as it says), that its gradient (if it is smooth) is a derivative,
    that `prox` minimises :math:`s\,penalty(v) + |v - w|^2 / 2`, that it is zero at a
    fixed point of the proximal step where `minimum_norm_subgradient` is, that Fenchel's inequality
    holds, that float32 stays float32 and inputs stay as they are, and that clones and pickles are
    the same penalty.

    Parameters
    ----------
    penalty : Penalty
        With the hyper-parameters to check.
    shape : (int, int), default=(2, 6)
        Of the coefficients to try, (n_outputs, n_features).

    Raises
    ------
    AssertionError
        Naming what does not hold.

    Examples
    --------
    >>> from skgrad.penalties import ElasticNet
    >>> from skgrad.testing import check_penalty
    >>> check_penalty(ElasticNet(0.3, l1_ratio=0.4))
    """
    rng, name = np.random.default_rng(0), repr(penalty)
    # Points where the penalty is finite, whatever it constrains.
    coef, other = (penalty.prox(rng.normal(size=shape), 1.0) for _ in range(2))
    middle = penalty.value(0.5 * (coef + other))
    bend = 0.5 * (penalty.value(coef) + penalty.value(other)) - middle
    distance = float(((coef - other) ** 2).sum())
    promised = penalty.strong_convexity / 8.0 * distance
    _require(bend >= promised - EXACT * (1.0 + abs(middle)), f"{name} is less convex than it says")
    if penalty.smooth:
        direction = rng.normal(size=shape)
        slope = _slope(penalty.value, coef + 0.1, direction)
        claimed = float(np.vdot(penalty.gradient(coef + 0.1), direction))
        _require_close(claimed, slope, DIFFERENCES, f"{name}: the gradient is not a derivative")
    _check_prox(penalty.value, penalty.prox, rng.normal(size=shape), rng, name, total=True)
    dual = rng.normal(size=shape)
    inequality = penalty.value(coef) + penalty.conjugate(dual) - float(np.vdot(coef, dual))
    _require(inequality >= -EXACT, f"{name}: Fenchel's inequality does not hold")
    start = rng.normal(size=shape)
    moved = penalty.prox(start, 1.0)
    left = penalty.minimum_norm_subgradient(moved, moved - start)
    _require(np.abs(left) <= 1e-8, f"{name}: minimum_norm_subgradient is not 0 at a minimum")
    single = penalty.prox(start.astype(np.float32), 0.5)
    _require(single.dtype == np.float32, f"{name}: prox turns float32 into {single.dtype}")
    before = start.copy()
    penalty.prox(start, 0.5)
    _require(start == before, f"{name}: prox changes its input")
    _check_copies(penalty)


def check_constraint(constraint: Constraint, *, shape: tuple[int, int] = (2, 6)) -> None:
    """Check a constraint: all that `check_penalty` does, its projection and its oracle.

    That projections lie in the set, stay where they are and are the nearest points of it, and that
    `lmo`, if the set is bounded, returns a point of the set where a linear function is least.

    Parameters
    ----------
    constraint : Constraint
        With the hyper-parameters to check.
    shape : (int, int), default=(2, 6)
        Of the coefficients to try, (n_outputs, n_features).

    Raises
    ------
    AssertionError
        Naming what does not hold.

    Examples
    --------
    >>> from skgrad.penalties.constraints import L1Ball
    >>> from skgrad.testing import check_constraint
    >>> check_constraint(L1Ball(radius=2.0))
    """
    check_penalty(constraint, shape=shape)
    rng, name = np.random.default_rng(1), repr(constraint)
    points = [constraint.project(5.0 * rng.normal(size=shape)) for _ in range(20)]
    for outside in 3.0 * rng.normal(size=(5, *shape)):
        nearest = constraint.project(outside)
        _require(constraint.violation(nearest) <= 1e-12, f"{name}: a projection is not in the set")
        again = constraint.project(nearest)
        _require_close(again, nearest, EXACT, f"{name}: a projection moves when projected")
        # Beyond the nearest point of a convex set there is none of its points.
        beyond = [float(np.vdot(outside - nearest, point - nearest)) for point in points]
        _require(np.array(beyond) <= EXACT, f"{name}: project does not give the nearest point")
        if constraint.bounded:
            vertex = constraint.lmo(outside)
            _require(constraint.violation(vertex) <= 1e-12, f"{name}: lmo leaves the set")
            least = float(np.vdot(outside, vertex))
            others = np.array([float(np.vdot(outside, point)) for point in points])
            _require(others >= least - EXACT, f"{name}: lmo does not minimise")
            support = constraint.conjugate(-outside)
            _require_close(-least, support, EXACT, f"{name}: lmo and conjugate disagree")


def check_solver(solver: Solver, *, max_iter: int = 3000) -> None:
    """Check a solver on every kind of objective that it can minimise.

    That it reaches the minimum of least squares, logistic and hinge losses with penalties with and
    without kinks and with a constraint, as far as it takes them, to the accuracy that it claims
    (`acceptable_gap`); that runs are reproducible, change neither the solver nor the start, and
    keep float32; and that clones and pickles are the same solver. What it does not take it must
    refuse.

    Parameters
    ----------
    solver : Solver
        With the hyper-parameters to check.
    max_iter : int, default=3000
        Most iterations of a run.

    Raises
    ------
    AssertionError
        Naming the objective and how far off the solver was.

    Examples
    --------
    >>> from skgrad.solvers import LBFGS
    >>> from skgrad.testing import check_solver
    >>> check_solver(LBFGS(memory=5))
    """
    from skgrad.losses import Hinge, Logistic, Multinomial, SquaredError
    from skgrad.penalties import L1, NoPenalty
    from skgrad.penalties.constraints import L1Ball

    n_tried = 0
    for loss in (SquaredError(), Logistic(), Multinomial(), Hinge()):
        for penalty in (L2(0.05), L1(0.02), NoPenalty(), L1Ball(0.5)):
            objective = _objective(loss, penalty, np.float64)
            if solver.needs <= objective.offers:
                _check_minimum(solver, loss, penalty, max_iter)
                n_tried += 1
    _require(n_tried > 0, f"{solver!r} needs {solver.needs}, which no objective here offers")
    _check_copies(solver)


# Parts of the checks


def _check_derivatives(loss: Loss, y: Array, raw: FloatArray, rng: np.random.Generator) -> None:
    direction = rng.normal(size=raw.shape)
    slope = _slope(lambda z: loss.value(y, z), raw, direction)
    claimed = loss.gradient(y, raw) * direction
    if loss.coupled:
        claimed = claimed.sum(axis=1, keepdims=True)
    _require_close(claimed, slope, DIFFERENCES, f"{loss!r}: the gradient is not a derivative")
    if not loss.smooth:
        return
    change = _slope(lambda z: loss.gradient(y, z), raw, direction)
    product = loss.curvature_product(loss.curvature_state(y, raw), direction)
    # Where the curvature jumps between both ends of the difference, there is none.
    state = [loss.curvature_state(y, raw + h) for h in (-10.0 * STEP, 10.0 * STEP)]
    left, right = (loss.curvature_product(s, direction) for s in state)
    steady = np.isclose(left, right, atol=1e-3)
    _require_close(
        product[steady], change[steady], DIFFERENCES,
        f"{loss!r}: the curvature is not the gradient's derivative",
    )  # fmt: skip
    steepest = np.abs(product).max() / np.abs(direction).max()
    _require(
        steepest <= loss.max_curvature * (1.0 + EXACT) or loss.coupled,
        f"{loss!r}: the curvature {steepest:.3g} is larger than max_curvature",
    )


def _check_conjugate(loss: Loss, y: Array, raw: FloatArray, other: FloatArray) -> None:
    dual = loss.gradient(y, raw)
    conjugate = loss.conjugate(y, dual)
    pairing = dual * raw
    elsewhere = dual * other
    if loss.coupled:
        pairing = pairing.sum(axis=1, keepdims=True)
        elsewhere = elsewhere.sum(axis=1, keepdims=True)
    _require_close(
        loss.value(y, raw) + conjugate, pairing, EXACT,
        f"{loss!r}: Fenchel's equality does not hold at the gradient",
    )  # fmt: skip
    slack = loss.value(y, other) + conjugate - elsewhere
    _require(slack >= -EXACT, f"{loss!r}: Fenchel's inequality does not hold")


def _check_prox(
    value: Callable[[FloatArray], Any], prox: Callable[[FloatArray, Any], FloatArray],
    start: FloatArray, rng: np.random.Generator, name: str, *, total: bool = False,
) -> None:  # fmt: skip
    """Compare with points around: a convex function that is least there is least everywhere."""
    for step in (0.3, 2.0):
        found = prox(start, step)

        def cost(at: FloatArray, step: float = step) -> Any:
            squares = 0.5 * (at - start) ** 2
            return step * value(at) + (squares.sum() if total else squares)

        least = cost(found)
        units = np.eye(start.size).reshape(-1, *start.shape)
        random = rng.normal(size=(10, *start.shape))
        for direction in (*units, *random) if total else random:
            for size in (1e-1, 1e-2, 1e-4, -1e-4, -1e-2, -1e-1):
                around = cost(found + size * direction)
                worse = around >= least - EXACT * (1.0 + np.abs(least))
                _require(worse, f"{name}: prox with step {step} is not a minimiser")


def _check_arrays(
    name: str, y: Array, raw: FloatArray, functions: dict[str, Callable[..., FloatArray]]
) -> None:
    y32 = y if y.dtype.kind in "iu" else y.astype(np.float32)
    for what, function in functions.items():
        dtype = function(y32, raw.astype(np.float32)).dtype
        _require(dtype == np.float32, f"{name}: {what} turns float32 into {dtype}")
        before = raw.copy()
        function(y, raw)
        _require(raw == before, f"{name}: {what} changes its input")


def _check_copies(thing: Any) -> None:
    for copy in (clone(thing), pickle.loads(pickle.dumps(thing))):
        _require(repr(copy) == repr(thing), f"{thing!r}: a copy is {copy!r}")


def _check_minimum(solver: Solver, loss: Loss, penalty: Penalty, max_iter: int) -> None:
    where = f"{solver!r} on {loss!r} with {penalty!r}"
    exact = _objective(loss, penalty, np.float64)
    reference = choose_solver(exact).run(exact, exact.start(), tol=1e-12, max_iter=10_000)
    for dtype, allowed in ((np.float64, solver.acceptable_gap), (np.float32, 1e-4)):
        objective = _objective(loss, penalty, dtype)
        start, before = objective.start(), repr(vars(solver))
        runs = [
            solver.run(objective, start, tol=1e-9, max_iter=max_iter, rng=np.random.default_rng(0))
            for _ in range(2)
        ]
        _require(runs[0].w == runs[1].w, f"{where}: two runs with one seed differ")
        _require(start == objective.start(), f"{where}: the start is changed")
        _require(repr(vars(solver)) == before, f"{where}: a run changes the solver")
        _require(runs[0].w.dtype == dtype, f"{where}: {dtype.__name__} does not stay")
        user = objective.to_user(runs[0].w).astype(np.float64)
        w = exact.from_user(user)
        # Feasible to the precision of the run so far.
        value = exact.value(w if penalty.region is None else exact.feasible.project(w))
        excess = (value - reference.value) / abs(reference.value)
        bound = max(allowed, solver.acceptable_gap)
        _require(excess <= bound, f"{where}: ends {excess:.1e} above the minimum, not {bound:.0e}")


def _objective(loss: Loss, penalty: Penalty, dtype: type) -> Objective:
    """Build a problem of 80 rows and 4 columns of different scales."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 4)) * [1.0, 3.0, 0.3, 1.0] + [0.0, 1.0, 0.0, -2.0]
    score = X @ [1.0, -0.5, 2.0, 0.0] + rng.normal(size=80)
    n_outputs = N_CLASSES if loss.coupled else 1
    if loss.target == "class_index":
        y: Array = np.digitize(score, [-1.0, 1.0])
    elif loss.target == "continuous":
        y = score[:, None].astype(dtype)
    else:
        low = -1.0 if loss.target == "sign" else 0.0
        y = np.where(score > 0.0, 1.0, low)[:, None].astype(dtype)
    model = LinearModel(4, n_outputs, fit_intercept=True)
    return Objective(model, loss, penalty, X.astype(dtype), y)


def _targets(loss: Loss, rng: np.random.Generator) -> Array:
    size = (60, N_CLASSES)
    if loss.target == "class_index":
        return rng.integers(N_CLASSES, size=60)
    if loss.target == "probabilities":
        return rng.dirichlet(np.ones(N_CLASSES), size=60)
    if loss.target == "binary01":
        return rng.integers(2, size=size).astype(np.float64)
    if loss.target == "sign":
        return rng.choice([-1.0, 1.0], size=size)
    y = rng.normal(size=size)
    try:
        loss.check_target(y)
    except ValueError:  # counts, or other numbers that are not negative
        y = np.abs(y)
    return y


def _slope(function: Callable[[FloatArray], Any], at: FloatArray, direction: FloatArray) -> Any:
    ahead, behind = function(at + STEP * direction), function(at - STEP * direction)
    return (ahead - behind) / (2.0 * STEP)


def _require(condition: Any, message: str) -> None:
    if not np.all(condition):
        raise AssertionError(message + ".")


def _require_close(found: Any, expected: Any, rtol: float, message: str) -> None:
    error = np.abs(np.asarray(found) - expected) / (1.0 + np.abs(expected))
    worst = float(np.max(error, initial=0.0))
    if not worst <= rtol:
        raise AssertionError(f"{message}: off by {worst:.1e} in one of {np.size(error)} entries.")
