"""Threads over folds and paths, each with one BLAS thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

P = ParamSpec("P")
R = TypeVar("R")


def run(work: Any, jobs: Iterable[Any], workers: int = 1) -> list[Any]:
    """Map over jobs in threads, each with one BLAS thread (NumPy, BLAS and scikit-learn release the lock)."""
    with _threads().limit(limits=1):
        if workers <= 1:
            return [work(job) for job in jobs]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(work, jobs))


def threads(n_jobs: int | None) -> int:
    """Workers that scikit-learn's `n_jobs` stands for: None is one, -1 every core, -2 all but one."""
    jobs = 1 if n_jobs is None else n_jobs
    return jobs if jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)


def one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """The same function with one BLAS thread: the same bytes on any number of cores."""

    @wraps(function)
    def alone(*arguments: P.args, **options: P.kwargs) -> R:
        with _threads().limit(limits=1):
            return function(*arguments, **options)

    return alone


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
