"""Every solver reaches the same minimum on every objective that it can minimise."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from problems import (
    EVERY_PENALTY,
    LINEAR_LOSSES,
    PENALTIES,
    Variant,
    make_loss,
    make_objective,
    make_penalty,
    minimum,
)
from tolerances import KINKED_SUBOPTIMALITY, SUBLINEAR_SUBOPTIMALITY, suboptimality

from skgrad.penalties.constraints import NuclearNormBall
from skgrad.schedules import Cosine
from skgrad.solvers import SOLVERS, FrankWolfe, IncompatibleSolverError, Solver

VARIANTS = [
    Variant(layout, dtype, weights)
    for layout, dtype, weights in product(
        ["dense", "csr"], ["float64", "float32"], ["none", "rows"]
    )
]


def combinations():
    """Yield solver, loss and penalty with all kinds of data."""
    yield from product(SOLVERS, LINEAR_LOSSES, EVERY_PENALTY)


def compatible(solver_name, loss_name, kind):
    objective = make_objective(make_loss(loss_name), make_penalty(kind), Variant())
    return SOLVERS[solver_name].needs <= objective.offers


def is_quick(solver_name, loss_name, kind):
    """Leave most of the slow ones out: each solver meets each loss and each penalty."""
    slow = SOLVERS[solver_name].stochastic or solver_name == "augmented_lagrangian"
    if not slow or kind in PENALTIES:
        return True
    if not LINEAR_LOSSES[loss_name].smooth:
        return False
    return (list(LINEAR_LOSSES).index(loss_name) + EVERY_PENALTY.index(kind)) % 6 == 0


COMPATIBLE = [case for case in combinations() if compatible(*case)]
QUICK = [case for case in COMPATIBLE if is_quick(*case)]
# All kinds of data for the quick cases, one kind for each of the others.
ON_ALL_DATA = [(*case, variant) for case in QUICK for variant in VARIANTS] + [
    (*case, VARIANTS[k * 3 % len(VARIANTS)])
    for k, case in enumerate(case for case in COMPATIBLE if case not in QUICK)
]
INCOMPATIBLE = [case for case in combinations() if not compatible(*case)]


def ids(value):
    return getattr(value, "__name__", None) if isinstance(value, type) else str(value)


def assert_minimum(solver, loss_name, kind, variant, max_iter):
    """Compare with the minimum, both evaluated in float64."""
    tolerance = suboptimality(solver, variant.dtype)
    if solver.stochastic and solver.learning_rate == "auto" and not LINEAR_LOSSES[loss_name].smooth:
        tolerance = KINKED_SUBOPTIMALITY
    tol = 0.01 * tolerance
    if isinstance(solver, FrankWolfe) and kind is NuclearNormBall:
        tolerance = tol = SUBLINEAR_SUBOPTIMALITY
    loss, penalty = make_loss(loss_name), make_penalty(kind)
    objective = make_objective(loss, penalty, variant)
    start = objective.start()
    result = solver.run(objective, start, tol=tol, max_iter=max_iter)
    exact = make_objective(loss, penalty, replace(variant, dtype="float64"))
    user = objective.to_user(result.w).astype(np.float64)
    best = minimum(loss_name, kind, variant.weights)
    w = exact.from_user(user)
    if penalty.region is not None and variant.dtype == "float32":
        w = exact.feasible.project(w)  # feasible to single precision so far
    excess = (exact.value(w) - best) / abs(best)
    assert -1e-9 <= excess <= tolerance, (variant, result.status)
    assert result.w.dtype == variant.dtype


@pytest.mark.parametrize(("solver_name", "loss_name", "kind"), QUICK, ids=ids)
def test_minimum(solver_name, loss_name, kind):
    # Each combination takes the next kind of data: all kinds meet every solver, loss and penalty.
    variant = VARIANTS[COMPATIBLE.index((solver_name, loss_name, kind)) * 3 % len(VARIANTS)]
    solver = SOLVERS[solver_name]()
    assert_minimum(solver, loss_name, kind, variant, 300 if solver.stochastic else 3000)


@pytest.mark.slow
@pytest.mark.parametrize(("solver_name", "loss_name", "kind", "variant"), ON_ALL_DATA, ids=ids)
def test_minimum_on_all_kinds_of_data(solver_name, loss_name, kind, variant):
    solver = SOLVERS[solver_name]()
    assert_minimum(solver, loss_name, kind, variant, 1000 if solver.stochastic else 20_000)


@pytest.mark.parametrize(
    ("name", "loss_name", "kind"), [case for case in QUICK if SOLVERS[case[0]].stochastic], ids=ids
)
def test_minimum_with_a_decaying_schedule(name, loss_name, kind):
    solver = SOLVERS[name](learning_rate=Cosine(), batch_size=16)
    assert_minimum(solver, loss_name, kind, Variant(), 300)


@pytest.mark.parametrize(("solver_name", "loss_name", "kind"), INCOMPATIBLE, ids=ids)
def test_incompatible_objectives_are_refused_with_alternatives(solver_name, loss_name, kind):
    objective = make_objective(make_loss(loss_name), make_penalty(kind), Variant())
    solver = SOLVERS[solver_name]()
    before = objective.passes
    with pytest.raises(IncompatibleSolverError, match="solver='auto'") as caught:
        solver.run(objective, objective.start())
    assert objective.passes == before
    message = str(caught.value)
    assert message.startswith(f"{type(solver).__name__} needs ")
    words = re.findall(r"\w+", message.split("Use ")[1])
    named = [name for name in SOLVERS if SOLVERS[name].__name__ in words]
    for name in named:
        assert compatible(name, loss_name, kind), message
    assert named


def test_registry_holds_every_solver():
    def concrete(cls):
        for subclass in cls.__subclasses__():
            if subclass.__module__.startswith("skgrad") and not subclass.__abstractmethods__:
                yield subclass
            yield from concrete(subclass)

    assert set(concrete(Solver)) == set(SOLVERS.values())
