"""A gap that is called certified is an upper bound of the distance to the minimum."""

import numpy as np
import pytest
from problems import LINEAR_LOSSES, Variant, make_loss, make_objective, make_penalty, minimise

from skgrad.penalties import L1, L2, ElasticNet, NonNegative, NoPenalty

PENALTIES = [L1, L2, ElasticNet, NonNegative]
VARIANTS = [Variant(), Variant(intercept=False), Variant(weights="rows", layout="csr")]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("kind", PENALTIES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("loss_name", LINEAR_LOSSES)
def test_bound_holds_everywhere(loss_name, kind, variant, rng):
    objective = make_objective(make_loss(loss_name), make_penalty(kind), variant)
    best = minimise(objective).w
    minimum = objective.value(best)
    for distance in (1.0, 1e-1, 1e-3, 0.0):
        w = objective.prox(best + distance * rng.normal(size=len(best)), 0.0 * best)
        excess = objective.value(w) - minimum
        assert objective.certified_gap(w) >= excess - 1e-12 * abs(minimum), distance


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("kind", PENALTIES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "loss_name", [name for name in LINEAR_LOSSES if LINEAR_LOSSES[name].smooth]
)
def test_bound_is_tight_at_the_minimum(loss_name, kind, variant):
    objective = make_objective(make_loss(loss_name), make_penalty(kind), variant)
    best = minimise(objective).w
    assert objective.certified_gap(best) <= 1e-6 * abs(objective.value(best))


def test_there_is_no_bound_without_a_penalty():
    objective = make_objective(make_loss("logistic"), make_penalty(NoPenalty), Variant())
    assert np.isnan(objective.certified_gap(objective.start()))
