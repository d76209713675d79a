"""Timing one prediction honestly: batches against the clock's own cost, percentiles, the collector, two halves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Clock = Callable[[], int]

CLOCK_SHARE = 0.01
LARGEST_BATCH = 1 << 18
LEAST_BATCHES = 5
MOST_SAMPLES = 200_000


def clock_cost(clock: Clock, pairs: int = 2000) -> int:
    """What a pair of clock readings costs, or the clock's step where that is larger, in ns."""
    costs = []
    for _ in range(pairs):
        start = clock()
        costs.append(clock() - start)
    positive = sorted(cost for cost in costs if cost > 0)
    return positive[len(positive) // 2] if positive else 1


def batch_size(function: Callable[[Any], Any], arguments: Sequence[Any], clock: Clock, cost: int) -> int:
    """How many predictions to time together so that the clock costs less than 1 %; 0 if the clock stands still."""
    wanted = cost / CLOCK_SHARE
    size = 1
    while True:
        batch = [arguments[i % len(arguments)] for i in range(size)]
        took = sorted(_once(function, batch, clock) for _ in range(3))[1]
        if took >= wanted:
            return size
        if size >= LARGEST_BATCH:
            return size if took > 0 else 0
        wish = int(size * wanted / took * 1.1) + 1 if took > 0 else size * 4
        size = min(max(size * 2, min(wish, size * 16)), LARGEST_BATCH)


def sample(
    function: Callable[[Any], Any], arguments: Sequence[Any], size: int, seconds: float, clock: Clock, expected: float
) -> tuple[list[float], int]:
    """Time batches for about `seconds`.

    Parameters
    ----------
    function, arguments : what `Session.one_row` gave
    size : int
        Predictions a batch.
    seconds : float
    clock : callable
        Nanoseconds.
    expected : float
        ns a batch: bounds the number of batches, so that a clock that stands still or jumps back ends too.

    Returns
    -------
    times : list of float
        ns per prediction, one per batch, in order.
    discarded : int
        Batches during which the clock did not advance.
    """
    batch = [arguments[i % len(arguments)] for i in range(size)]
    most = min(max(int(4e9 * seconds / max(expected, 1.0)), LEAST_BATCHES), MOST_SAMPLES)
    times: list[float] = []
    discarded = 0
    start = clock()
    for i in range(most):
        took = _once(function, batch, clock)
        if took > 0:
            times.append(took / size)
        else:
            discarded += 1
        if i + 1 >= LEAST_BATCHES and clock() - start >= seconds * 1e9:
            break
    return times, discarded


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest-rank percentile of sorted values."""
    return ordered[min(max(int(share * len(ordered) + 0.999999) - 1, 0), len(ordered) - 1)]


def latency(
    function: Callable[[Any], Any], arguments: Sequence[Any], seconds: float, clock: Clock | None = None
) -> dict[str, Any]:
    """Measure a prediction's latency in this process.

    Returns
    -------
    dict
        ``p50``, ``p95``, ``p99``, ``max``, ``mean`` (ns per prediction, over batch means), ``samples``, ``batch``,
        ``clock_ns``, ``discarded``; ``halves`` (median of the second half over that of the first);
        ``gc_off_p50``; ``cpu_share`` (CPU time over wall time; None where it cannot be told).
    """
    import gc
    import time

    clock = clock or time.perf_counter_ns
    for argument in arguments:
        function(argument)
    cost = clock_cost(clock)
    size = batch_size(function, arguments, clock, cost)
    if not size:
        return {"samples": 0, "batch": LARGEST_BATCH, "clock_ns": cost, "discarded": 1}
    expected = max(float(cost) / CLOCK_SHARE, 1.0)
    sample(function, arguments, size, seconds * 0.1, clock, expected)
    enabled = gc.isenabled()
    try:
        gc.enable()
        wall, used = time.perf_counter(), time.process_time()
        times, discarded = sample(function, arguments, size, seconds * 0.6, clock, expected)
        wall, used = time.perf_counter() - wall, time.process_time() - used
        gc.disable()
        quiet, more = sample(function, arguments, size, seconds * 0.3, clock, expected)
    finally:
        (gc.enable if enabled else gc.disable)()
    if not times or not quiet:
        return {"samples": 0, "batch": size, "clock_ns": cost, "discarded": discarded + more}
    ordered = sorted(times)
    middle = len(times) // 2
    first, second = sorted(times[:middle] or times), sorted(times[middle:])
    return {
        "p50": percentile(ordered, 0.5),
        "p95": percentile(ordered, 0.95),
        "p99": percentile(ordered, 0.99),
        "max": ordered[-1],
        "mean": _mean(times),
        "samples": len(times),
        "batch": size,
        "clock_ns": cost,
        "discarded": discarded + more,
        "halves": percentile(second, 0.5) / percentile(first, 0.5),
        "gc_off_p50": percentile(sorted(quiet), 0.5),
        "cpu_share": min(used / wall, 1.0) if wall > 0.05 and used > 0.0 else None,
    }


def allocated(function: Callable[[Any], Any], arguments: Sequence[Any]) -> dict[str, Any]:
    """Bytes that one prediction allocates through Python: at its peak, and what stays after a thousand of them."""
    import tracemalloc

    for argument in arguments:
        function(argument)
    tracemalloc.start()
    try:
        idle = _peak(lambda argument: None, arguments[0], tracemalloc)
        peak = _peak(function, arguments[0], tracemalloc)
        for _ in range(100):
            function(arguments[0])
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            function(arguments[0])
        remaining = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    return {"allocated": max(peak - idle, 0), "kept_after_1000": max(remaining, 0)}


def _peak(function: Callable[[Any], Any], argument: Any, tracemalloc: Any) -> int:
    peaks = []
    for _ in range(21):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        function(argument)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    return int(sorted(peaks)[10])


def _mean(values: Sequence[float]) -> float:
    from math import fsum

    return fsum(values) / len(values)


def _once(function: Callable[[Any], Any], batch: Sequence[Any], clock: Clock) -> int:
    start = clock()
    for argument in batch:
        function(argument)
    return clock() - start
