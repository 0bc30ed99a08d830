"""Threads: over blocks of rows, with BLAS kept to one thread inside each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import ThreadpoolController

from skgrad._typing import Matrix

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

# OpenBLAS shares out a product of about this many multiplications; below, limiting it to one thread
# would cost more (20 microseconds) than it saves.
THREADED_PRODUCT = 1 << 18

# Threads that the current fit may use; None where no fit has looked yet.
_allowed: ContextVar[int | None] = ContextVar("skgrad_threads", default=None)


class _SingleThread:
    """Limit BLAS to one thread while anybody asks for it.

    The limit is the process's: with one saved value per user, two fits in two Python threads could
    restore each other's limit and leave BLAS single-threaded for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._controller: ThreadpoolController | None = None
        self._limit: Any = None
        self._before = 1

    def __enter__(self) -> int:
        """Return how many threads BLAS was allowed before."""
        with self._lock:
            if self._users == 0:
                self._controller = self._controller or ThreadpoolController()
                self._before = min(
                    (
                        library.num_threads
                        for library in self._controller.lib_controllers
                        if library.user_api == "blas"
                    ),
                    default=1,
                )
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._users += 1
            return self._before

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limit.restore_original_limits()


_single_thread = _SingleThread()


@contextmanager
def single_threaded_blas(X: Matrix, largest_product: int | None = None) -> Iterator[None]:
    """Keep BLAS to one thread while a solver works, but for products too small to be shared out.

    Rows are walked in blocks that fit in cache; `map_in_order` shares the blocks out, to as many
    threads as BLAS and OpenMP were allowed. BLAS's own threads wait for each other in every product
    instead: on a busy machine that cost up to tenfold. One thread also makes results independent of
    their number.

    ``largest_product`` counts the multiplications of the largest product to come; by default it is
    the Gram matrix of X.
    """
    n_samples, n_features = X.shape
    if (largest_product or n_samples * n_features * n_features) > THREADED_PRODUCT:
        with _single_thread as before:
            token = _allowed.set(min(before, _openmp_effective_n_threads()))
            try:
                yield
            finally:
                _allowed.reset(token)
    else:
        yield


class _Pool:
    """The process's worker threads, started when first needed, and anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock, self._executor = threading.Lock(), None

    def executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(os.cpu_count(), "skgrad")
            return self._executor


_pool = _Pool()


def n_threads() -> int:
    """Tell how many threads the current fit may use, by the limits on BLAS and on OpenMP."""
    allowed = _allowed.get()
    return int(_openmp_effective_n_threads()) if allowed is None else allowed


def map_in_order(function: Callable[[Item], Outcome], items: Sequence[Item]) -> Iterable[Outcome]:
    """Apply a function to items, in threads, and yield the outcomes in the items' order.

    The function has to release the interpreter's lock to gain anything: products, ufuncs and
    compiled loops do. Its floating-point error state is the caller's. It may call this as well,
    which then makes do with the thread that it is in.
    """
    threads = min(n_threads(), len(items))
    if threads < 2:
        return map(function, items)
    return _in_threads(function, items, threads)


def side_by_side(first: Callable[[], Any], second: Callable[[], Any]) -> None:
    """Call two functions that don't depend on each other, at the same time if threads are allowed.

    Cheaper than `map_in_order` where there are two tasks of a tenth of a millisecond: this thread
    does one of them.
    """
    if n_threads() < 2:
        first()
        second()
        return
    future = _pool.executor().submit(copy_context().run, _alone, lambda _: first(), None)
    try:
        second()
    finally:
        future.result()


def _alone(function: Callable[[Item], Outcome], item: Item) -> Outcome:
    """Call a function that is not to use threads itself: the pool could wait for itself."""
    _allowed.set(1)
    return function(item)


def _in_threads(
    function: Callable[[Item], Outcome], items: Sequence[Item], threads: int
) -> Iterator[Outcome]:
    executor = _pool.executor()

    def submit(item: Item) -> Any:
        return executor.submit(copy_context().run, _alone, function, item)

    # As many tasks as threads are under way: no more memory for results, no more threads in use.
    waiting = [submit(item) for item in items[:threads]]
    try:
        for k in range(len(items)):
            outcome = waiting[k].result()
            waiting[k] = None
            if k + threads < len(items):
                waiting.append(submit(items[k + threads]))
            yield outcome
    finally:
        for future in waiting:
            if future is not None:
                future.cancel()
