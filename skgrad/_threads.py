"""One BLAS thread where more would only wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

from skgrad._typing import Matrix

# OpenBLAS shares out a product of about this many multiplications; below, limiting it to one thread
# would cost more (20 microseconds) than it saves.
THREADED_PRODUCT = 1 << 18


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

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._controller = self._controller or ThreadpoolController()
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limit.restore_original_limits()


_single_thread = _SingleThread()


@contextmanager
def single_threaded_blas(X: Matrix) -> Iterator[None]:
    """Keep BLAS to one thread while a solver works, but for products too small to be shared out.

    Rows are walked in blocks that fit in cache, where a second thread gains little (measured:
    between nothing and 1.75x for a product); on a busy machine it loses up to tenfold, waiting for
    its turn in every product. One thread also makes results independent of their number.
    """
    n_samples, n_features = X.shape
    if n_samples * n_features * n_features > THREADED_PRODUCT:
        with _single_thread:
            yield
    else:
        yield
