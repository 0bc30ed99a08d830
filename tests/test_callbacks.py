"""Callbacks of a solver's run."""

from types import SimpleNamespace

import numpy as np
import pytest

from skgrad.callbacks import EarlyStopping


def watch(losses, **options):
    """Show iterates with these validation losses until asked to stop."""
    validation = SimpleNamespace(value=lambda w: float(w[0]))
    stopping = EarlyStopping(validation, **options)
    for n_seen, loss in enumerate(losses, 1):
        if stopping(SimpleNamespace(w=np.array([loss]))):
            return stopping, n_seen
    return stopping, None


def test_the_best_parameters_are_kept():
    stopping, n_seen = watch([5.0, 3.0, 4.0, 3.5], n_iter_no_change=2, tol=0.0)
    assert n_seen == 4
    assert stopping.best_w == [3.0]
    assert stopping.losses == [5.0, 3.0, 4.0, 3.5]


@pytest.mark.parametrize(("tol", "stops"), [(0.0, None), (0.2, 3)])
def test_small_improvements_do_not_count_but_are_kept(tol, stops):
    stopping, n_seen = watch([1.0, 0.9, 0.8, 0.7], n_iter_no_change=2, tol=tol)
    assert n_seen == stops
    assert stopping.best_w == (0.7 if stops is None else 0.8)


def test_an_improvement_starts_the_count_again():
    _, n_seen = watch([3.0, 4.0, 2.0, 4.0, 4.0, 1.0], n_iter_no_change=2, tol=0.0)
    assert n_seen == 5


def test_parameters_are_copied():
    w = np.array([1.0])
    validation = SimpleNamespace(value=lambda w: float(w[0]))
    stopping = EarlyStopping(validation, n_iter_no_change=1, tol=0.0)
    stopping(SimpleNamespace(w=w))
    w[0] = 9.0
    assert stopping.best_w == [1.0]
