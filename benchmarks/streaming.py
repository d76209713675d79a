"""A detector at work on a stream: readings per second, processor time per reading, memory early and at the end.

    python benchmarks/streaming.py [--readings 100000] [--sensors 50] [--format jsonl,csv] [--json FILE]

`python -m edge_lasso_runtime score` in a process of its own reads from a pipe and writes to a pipe, with everything
on: detector, failing sensors, drift counters, a snapshot every ten seconds. Seven coefficients per five sensors.
Readings have three decimals. "in Python": as without a C compiler; else the stream is compiled after its first 2,000
readings, by a library that a first run has built. "CPU" is user and system time of that process: what a busy machine
does not change much.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_lasso.reporting import terminal
from edge_lasso_runtime import Factor, Input, Model, Output, Term, save

BLOCK = 2000


def model(sensors: int) -> Model:
    """Each sensor is predicted from one or two others."""
    names = [f"sensor_{i}" for i in range(sensors)]
    inputs = tuple(Input(name, i, 0.0, -4.0, 4.0) for i, name in enumerate(names))
    outputs = tuple(
        Output(name, 0.1, tuple(Term(0.3, (Factor((i + 1 + k) % sensors),)) for k in range(2 if i % 5 < 2 else 1)))
        for i, name in enumerate(names)
    )
    edges = [-1.15, -0.67, -0.32, 0.0, 0.32, 0.67, 1.15]
    sections = {
        "detector/1": {
            "watched": [{"reading": name, "centre": 0.0, "scale": 1.1, "slow": 0.3, "weight": 1.0} for name in names],
            "smoothing": 0.1, "clip": 8.0, "track": 5, "fast": 0.7, "warm_up": 50,
            "threshold": {"score": 2.0, "row_rate": 0.01, "hold": 10},
        },
        "health/1": {"readings": [{"input": name, "stuck": 5, "jump": 8.0} for name in names]},
        "drift/1": {
            "readings": [{"input": name, "edges": edges, "parts": [0.125] * 8, "missing": 0.0} for name in names],
            "score": {"edges": [0.8, 1.0, 1.2], "parts": [0.25] * 4},
            "page_hinkley": {"mean": 1.0, "deviation": 0.2, "allowance": 0.5, "limit": 50.0},
        },
    }  # fmt: skip
    return Model(tuple(names), inputs, outputs, sections=sections)


def block(result: Model, kind: str) -> tuple[bytes, bytes]:
    """A header and some rows, to be sent again and again."""
    source = random.Random(0)
    names = [feature.name for feature in result.inputs]
    rows = [[round(max(-4.0, min(4.0, source.gauss(0.0, 1.0))), 3) for _ in names] for _ in range(BLOCK)]
    if kind == "csv":
        return (",".join(names) + "\n").encode(), "".join(",".join(map(repr, row)) + "\n" for row in rows).encode()
    return b"", "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def run(result: Model, kind: str, compiled: bool, readings: int, folder: Path) -> dict[str, float]:
    """One stream."""
    away = folder / "cache" if compiled else folder / "model.json"  # a file, where nothing can be built
    save(result, folder / "model.json")
    command = [sys.executable, "-m", "edge_lasso_runtime", "score", str(folder / "model.json"),
               "--state", str(folder / "state.json"), "--fresh"]  # fmt: skip
    header, rows = block(result, kind)
    before = os.times()
    started = time.perf_counter()
    first = last = 0
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if compiled else subprocess.DEVNULL,
        env={**os.environ, "EDGE_LASSO_CACHE": str(away)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None

        def feed() -> None:
            process.stdin.write(header)
            for _ in range(readings // BLOCK):
                process.stdin.write(rows)
            process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        count = 0
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            count += piece.count(b"\n")
            if not first and count >= readings // 10:
                first = resident(process.pid)
            if count >= readings * 0.99:
                last = resident(process.pid) or last
        feeder.join()
        assert process.wait() == 0
    assert count == readings, f"{count} results of {readings} readings"
    seconds = time.perf_counter() - started
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "readings": readings, "readings_per_s": readings / seconds, "cpu_us": cpu / readings * 1e6,
        "rss_tenth_bytes": first, "rss_end_bytes": last, "rss_growth_bytes": last - first,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readings", type=int, default=100_000)
    parser.add_argument("--sensors", type=int, default=50)
    parser.add_argument("--format", default="jsonl,csv")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    readings = max(options.readings // BLOCK, 1) * BLOCK
    result = model(options.sensors)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.format.split(","):
            run(result, kind, True, 3 * BLOCK, Path(folder))  # builds
            for way, compiled in (("in Python", False), ("compiled", True)):
                results[f"{kind}, {way}"] = run(result, kind, compiled, readings, Path(folder))
    coefs = sum(len(output.terms) for output in result.outputs)
    terminal.table(
        f"{options.sensors} sensors, {coefs} coefficients, {readings:,} readings; one process",
        ["format", "readings/s", "CPU us/reading", "1e6/CPU us", "MB after a tenth", "MB at the end", "growth, kB"],
        [
            [kind, f"{result['readings_per_s']:,.0f}", f"{result['cpu_us']:.1f}", f"{1e6 / result['cpu_us']:,.0f}",
             f"{result['rss_tenth_bytes'] / 1e6:.2f}", f"{result['rss_end_bytes'] / 1e6:.2f}",
             f"{result['rss_growth_bytes'] / 1e3:,.0f}"]
            for kind, result in results.items()
        ],
    )  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
