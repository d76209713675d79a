"""Measure a model or artifact on the machine at hand: cold start, latency, memory, with the standard library alone.

Everything is measured in fresh processes beside a bare interpreter, so that neither this process' memory nor its
imports are counted. A figure that cannot be had is absent with its reason; it is never zero. Memory is Pss, private
dirty and VmHWM, never ``ru_maxrss``: a child inherits that from its parent across fork and exec.
"""

from __future__ import annotations

from .errors import SessionError
from .subject import Subject, subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FORMAT = "edge-lasso-probe/1"
TIMEOUT = 120.0
BUSY_LIMIT = 0.3
SLOW_START = 500_000_000
WORTH_SAYING = 0.1
READ_MEMORY = """
def _read(path, key):
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return -1
print(*_t, _read('/proc/self/smaps_rollup', 'Pss:'), _read('/proc/self/smaps_rollup', 'Private_Dirty:'),
      _read('/proc/self/status', 'VmHWM:'))
"""
CHILD = """
import sys
sys.path.insert(0, {home!r})
from edge_lasso_runtime.probe import child
child({path!r}, {library!r}, {seconds!r}, {cpu!r}, {strings!r})
"""


def probe(
    path: str, seconds: float = 4.0, interpreter: Sequence[str] | None = None, strings: bool = False
) -> dict[str, Any]:
    """Measure a model file or an artifact.

    Parameters
    ----------
    path : str
        A model file, or an artifact's folder.
    seconds : float
        Roughly how long to take; runtimes that start slowly take longer.
    interpreter : list of str, optional
        How to start Python; this one by default. (Under an emulator the emulator's command stands in front.)
    strings : bool
        See `subject`.

    Returns
    -------
    dict
        ``format``, ``subject``, ``machine``, ``before`` and ``after`` (load, clock, temperature, throttling),
        ``method``, ``figures`` (each with value, unit and kind, or with a reason) and ``warnings``.

    Raises
    ------
    SessionError, ModelFormatError
        There is nothing to measure at `path`, or its runtime is missing.
    """
    import os
    import sys
    import tempfile
    import time

    from .machine import busy, machine, state

    if not seconds > 0.0:
        raise SessionError(f"seconds is {seconds!r}; it must be positive")
    started = time.perf_counter()
    python = list(interpreter or [sys.executable])
    cpu = _quiet_cpu()
    with tempfile.TemporaryDirectory() as away:
        folder, library = _prepared(os.path.abspath(path), away)
        entry = subject(folder, library, strings)
        occupied = busy()
        before = state(cpu or 0)
        before["busy"] = occupied
        deadline = started + seconds
        marks, bare = _detail(entry, python)
        starts = _starts(entry, python, max(0.3 * seconds, 0.2))
        runs = _latencies(folder, library, entry, python, cpu, deadline, starts["cold"])
    after = state(cpu or 0)
    figures: dict[str, Any] = {}
    _start_figures(figures, starts, marks)
    _latency_figures(figures, runs)
    _memory_figures(figures, marks, bare, runs[-1], entry.kind)
    figures["size_bytes"] = _figure(entry.facts.pop("size_bytes"), "bytes", of=entry.facts.get("file"))
    return {
        "format": FORMAT,
        "subject": entry.facts,
        "machine": machine(),
        "before": before,
        "after": after,
        "method": {
            "interpreter": [*python, *entry.flags],
            "cpu": cpu,
            "batch": runs[0].get("batch"),
            "clock_pair_ns": runs[0].get("clock_ns"),
            "processes": len(runs),
            "seconds": round(time.perf_counter() - started, 2),
        },
        "figures": figures,
        "warnings": _warnings(before, after, runs, figures),
    }


def child(path: str, library: str | None, seconds: float, cpu: int | None, strings: bool) -> None:
    """What a measuring process does: latency, then allocations; it prints one line of JSON."""
    import json
    import os

    from .timing import allocated, latency

    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    function, arguments = subject(path, library, strings).open()
    result = latency(function, arguments, seconds)
    result.update(allocated(function, arguments))
    print(json.dumps(result))


def _prepared(path: str, away: str) -> tuple[str, str | None]:
    """A copy of a Python artifact (so that its byte code lands elsewhere); a library of a C artifact."""
    import os
    import shutil

    from .artifact import FILE, read

    if not os.path.exists(path) or (path.endswith((".json", ".pyz")) and os.path.basename(path) != FILE):
        return path, None
    artifact = read(path)
    if artifact.target == "python":
        copy = os.path.join(away, "artifact")
        shutil.copytree(artifact.folder, copy)
        return copy, None
    if artifact.target == "c":
        from .c_session import library_here

        return artifact.folder, library_here(artifact, away)
    return artifact.folder, None


def _quiet_cpu() -> int | None:
    import os

    try:
        return max(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return None


def _detail(one: Subject, python: list[str]) -> tuple[list[int], list[int]]:
    """Times of import, load and first prediction (ns), then Pss, private dirty and peak; memory of a bare one."""
    imports, loading, first = one.stages
    mark = "_t.append(time.perf_counter_ns())"
    lines = ["import time", "_t = []", mark, imports, mark, loading, mark, first, mark]
    lines += ["for _ in range(1000):", f"    {first}", READ_MEMORY]
    argv = [*python, *one.flags, "-c", "\n".join(lines)]
    parts = [int(word) for word in _run(argv).split()]
    if parts[3] - parts[0] < SLOW_START:
        parts = [int(word) for word in _run(argv).split()]  # the first start left byte code behind, as on a board
    bare = _run([*python, *one.flags, "-c", f"import time\n_t = []\nfor _ in range(1000):\n    pass\n{READ_MEMORY}"])
    return parts, [int(word) for word in bare.split()]


def _starts(one: Subject, python: list[str], seconds: float) -> dict[str, list[float]]:
    """Wall times of whole processes, a bare one and one that predicts, in turn."""
    import time

    flags = [*python, *one.flags]
    imports, loading, first = one.stages
    texts = {"bare": "pass", "cold": "\n".join((imports, loading, first))}
    times: dict[str, list[float]] = {"bare": [], "cold": []}
    deadline = time.perf_counter() + seconds
    for i in range(60):
        for name, text in texts.items():
            times[name].append(_wall([*flags, "-c", text]))
        late = time.perf_counter() - deadline
        if late >= (0.0 if i >= 2 else seconds):
            break
    return times


def _wall(argv: list[str]) -> float:
    import os
    import shutil
    import time

    program = shutil.which(argv[0])
    if hasattr(os, "posix_spawn") and program:
        quiet = [(os.POSIX_SPAWN_OPEN, i, os.devnull, os.O_WRONLY, 0) for i in (1, 2)]
        start = time.perf_counter()
        status = os.waitpid(os.posix_spawn(program, argv, os.environ, file_actions=quiet), 0)[1]
        took = time.perf_counter() - start
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    else:
        import subprocess

        start = time.perf_counter()
        code = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
        took = time.perf_counter() - start
    if code != 0:
        raise SessionError(f"{argv[0]} ended with {code} while its start was timed; the figures would be wrong")
    return took


def _latencies(
    path: str, library: str | None, one: Subject, python: list[str], cpu: int | None, deadline: float, cold: list[float]
) -> list[dict[str, Any]]:
    """Three processes, or fewer where starting one takes long."""
    import time

    start = sorted(cold)[len(cold) // 2] + 0.1
    left = deadline - time.perf_counter() - start
    count = 3 if left > 3.0 * start + 0.6 else 1
    each = max(left / count - start, 0.2)
    return [_child(path, library, one, python, each, cpu) for _ in range(count)]


def _child(
    path: str, library: str | None, one: Subject, python: list[str], seconds: float, cpu: int | None
) -> dict[str, Any]:
    import json
    import os

    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    text = CHILD.format(home=home, path=path, library=library, seconds=seconds, cpu=cpu, strings=one.kind == "stages")
    entry: dict[str, Any] = json.loads(_run([*python, *one.flags, "-c", text]))
    return entry


def _run(argv: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise SessionError(f"{argv[0]} cannot be started: {error}") from None
    except subprocess.TimeoutExpired:
        raise SessionError(f"{argv[0]} did not finish within {TIMEOUT:g} s") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        text = lines[-1] if lines else f"{argv[0]} ended with {done.returncode}"
        raise SessionError(text.split("Error: ", 1)[-1] if text.startswith("edge_lasso_runtime.") else text)
    return done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]


def _figure(value: float, unit: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "kind": "measured", **more}


def _absent(unit: str, reason: str) -> dict[str, Any]:
    return {"value": None, "unit": unit, "kind": "measured", "reason": reason}


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _start_figures(figures: dict[str, Any], starts: dict[str, list[float]], marks: list[int]) -> None:
    cold, bare = _median(starts["cold"]), _median(starts["bare"])
    spread = {"low": round(1e3 * min(starts["cold"]), 3), "high": round(1e3 * max(starts["cold"]), 3)}
    figures["cold_start_ms"] = _figure(round(1e3 * cold, 3), "ms", samples=len(starts["cold"]), **spread)
    figures["bare_start_ms"] = _figure(round(1e3 * bare, 3), "ms", samples=len(starts["bare"]))
    figures["cold_start_ratio"] = _figure(round(cold / bare, 3), "x")
    for name, i in (("import_ms", 0), ("load_ms", 1), ("first_prediction_ms", 2)):
        took = marks[i + 1] - marks[i]
        figures[name] = _figure(took / 1e6, "ms") if took >= 0 else _absent("ms", "the clock jumped back")


def _latency_figures(figures: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    good = [run for run in runs if run["samples"]]
    names = ("p50", "p95", "p99", "gc_off_p50")
    if not good:
        for name in (*names, "max"):
            figures[f"{name}_us"] = _absent("us", "the clock did not advance during any batch")
        return
    count = sum(run["samples"] for run in good)
    batch = good[0]["batch"]
    for name in names:
        values = [run[name] / 1e3 for run in good]
        more: dict[str, Any] = {"low": round(min(values), 4), "high": round(max(values), 4)}
        figures[f"{name}_us"] = _figure(round(_median(values), 4), "us", samples=count, batch=batch, **more)
    figures["max_us"] = _figure(round(max(run["max"] for run in good) / 1e3, 4), "us", samples=count, batch=batch)
    rates = [1e9 / run["mean"] for run in good]
    figures["throughput_per_s"] = _figure(round(_median(rates), 1), "1/s")
    figures["second_half_ratio"] = _figure(round(_median([run["halves"] for run in good]), 4), "x")


def _memory_figures(
    figures: dict[str, Any], marks: list[int], bare: list[int], allocation: dict[str, Any], kind: str
) -> None:
    names = ("ram_bytes", "private_dirty_bytes", "peak_bytes")
    fields = ("Pss in /proc/self/smaps_rollup",) * 2 + ("VmHWM in /proc/self/status",)
    for name, field, own, other in zip(names, fields, marks[4:], bare):
        if own < 0 or other < 0:
            figures[name] = _absent("bytes", f"this system has no {field}")
            figures[f"{name[:-6]}_total_bytes"] = _absent("bytes", f"this system has no {field}")
        else:
            figures[name] = _figure(own - other, "bytes", over="a bare interpreter")
            figures[f"{name[:-6]}_total_bytes"] = _figure(own, "bytes", bare=other)
    only = "Python's allocations only" if kind in ("c", "onnx", "tflite", "stages") else "all of Python's allocations"
    figures["allocated_bytes"] = _figure(allocation["allocated"], "bytes", per="prediction", counts=only)
    figures["kept_bytes"] = _figure(allocation["kept_after_1000"], "bytes", per="1000 predictions", counts=only)


def _tens(share: float) -> str:
    return f"{10 * round(10.0 * share)} %"


def _warnings(
    before: dict[str, Any], after: dict[str, Any], runs: list[dict[str, Any]], figures: dict[str, Any]
) -> list[str]:
    results = []
    if before["busy"] is not None and before["busy"] > BUSY_LIMIT:
        results.append(f"the machine was about {_tens(before['busy'])} busy before measuring; times are too high")
    for name, entry in (("before", before), ("after", after)):
        now = [text for text in entry["throttled"] or () if text.endswith("now")]
        if now:
            results.append(f"{', '.join(now)} ({name} measuring)")
    shares = [run["cpu_share"] for run in runs if run.get("cpu_share") is not None]
    if shares and min(shares) < 1.0 - WORTH_SAYING:
        results.append(f"the measuring process got about {_tens(min(shares))} of its core; others took the rest")
    halves = figures.get("second_half_ratio", {}).get("value")
    if halves is not None and abs(halves - 1.0) > WORTH_SAYING:
        results.append(f"the second half of the predictions took {halves:.2f} x the first half's time")
    p50 = figures["p50_us"]
    if p50["value"] is not None and p50["high"] > (1.0 + 2 * WORTH_SAYING) * p50["low"]:
        results.append(f"processes disagree: p50 from {p50['low']:g} to {p50['high']:g} us")
    discarded = sum(run["discarded"] for run in runs)
    if discarded:
        results.append(f"the clock did not advance during {discarded} batches; they are left out")
    return results
