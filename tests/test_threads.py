"""Threads change neither results nor settings."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from skgrad import LinearSVC, LogisticRegression
from skgrad._threads import map_in_order, n_threads, single_threaded_blas


@pytest.fixture(scope="module")
def tall():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 25))
    return X, X @ rng.normal(size=25) + rng.logistic(size=60_000) > 0


def coefficients(estimator, X, y):
    return clone(estimator).fit(X, y).coef_


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC()], ids=repr)
def test_same_bits_with_any_number_of_threads(estimator, tall):
    expected = coefficients(estimator, *tall)
    with threadpool_limits(1):
        assert n_threads() == 1
        np.testing.assert_array_equal(coefficients(estimator, *tall), expected)
    for n_jobs in (1, 2):
        fitted = Parallel(n_jobs)(delayed(clone(estimator).fit)(*tall) for _ in range(2))
        for found in fitted:
            np.testing.assert_allclose(found.coef_, expected, rtol=1e-12)


def test_fits_in_several_threads_at_once(tall):
    before = [library["num_threads"] for library in threadpool_info()]
    expected = coefficients(LogisticRegression(), *tall)
    with ThreadPoolExecutor(4) as executor:
        fits = [executor.submit(coefficients, LogisticRegression(), *tall) for _ in range(4)]
    for fit in fits:
        np.testing.assert_allclose(fit.result(), expected, rtol=1e-12)
    assert [library["num_threads"] for library in threadpool_info()] == before


def test_outcomes_come_in_order_and_errors_get_through(monkeypatch):
    monkeypatch.setattr("skgrad._threads.n_threads", lambda: 2)
    started = threading.Barrier(2)

    def wait(item):
        if item < 2:
            started.wait(timeout=60)  # passes only if two items are under way at once
        return item

    assert list(map_in_order(wait, range(10))) == list(range(10))

    def fail(item):
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(map_in_order(fail, range(10)))


def test_tasks_that_share_out_work_do_it_in_their_own_thread():
    X = np.empty((1000, 100))
    with threadpool_limits(2), single_threaded_blas(X):
        outer = n_threads()
        # More would wait for workers that wait for them.
        assert set(map_in_order(lambda _: n_threads(), range(4))) == {1}
        assert n_threads() == outer


def test_error_state_of_the_caller_holds_in_threads(monkeypatch):
    monkeypatch.setattr("skgrad._threads.n_threads", lambda: 2)
    with np.errstate(divide="ignore"):
        assert list(map_in_order(lambda x: 1.0 / np.float64(x), [0, 0])) == [np.inf, np.inf]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(map_in_order(lambda x: 1.0 / np.float64(x), [0, 0]))


def test_limits_on_blas_are_limits_on_row_blocks():
    X = np.empty((1000, 100))
    with threadpool_limits(1, user_api="blas"), single_threaded_blas(X):
        assert n_threads() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(tall, monkeypatch):
    monkeypatch.setattr("skgrad._threads.n_threads", lambda: 2)
    expected = list(map_in_order(np.sqrt, [1.0, 4.0]))
    child = os.fork()
    if child == 0:
        same = list(map_in_order(np.sqrt, [1.0, 4.0])) == expected
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
