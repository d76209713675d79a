"""Work on batches beside their reading."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

MOST_WAITING = 4


class Ahead:
    """Batches are made into results beside one another, and the results are finished in the order of the batches.

    Parameters
    ----------
    make : callable
        Takes a batch; a few run at the same time.
    finish : callable
        Takes the future of what `make` gave; one runs at a time. An error of either is raised by `put` or at the end.
    """

    def __init__(self, make: Callable[..., Any], finish: Callable[[Future[Any]], None]) -> None:
        self._make, self._finish = make, finish
        self._makers = ThreadPoolExecutor(os.cpu_count() or 1)
        self._finisher = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Ahead:
        return self

    def put(self, *batch: Any) -> None:
        """Take a batch; waits while too many are under way."""
        self._waiting.append(self._finisher.submit(self._finish, self._makers.submit(self._make, *batch)))
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft().result()

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            while self._waiting and kind is None:
                self._waiting.popleft().result()
        finally:
            self._makers.shutdown(cancel_futures=True)
            self._finisher.shutdown(cancel_futures=True)
