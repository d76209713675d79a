"""Predicting a Parquet table beside merely reading the columns that the model needs.

    python benchmarks/predict_table.py [--rows 2000000] [--columns 20] [--inputs 10] [--rounds 7] [--json FILE]

The table holds sensor readings with two decimals, one in a thousand missing with --gaps. The pure read is what
pyarrow's `ParquetFile.iter_batches` does with the model's columns, unless said. All ways run in turn in each round; a
ratio is the median over the rounds of the time over that of the pure read in the same round, once by the clock and once
in processor time (of all threads), which a busy machine changes less. Files are on disk (synchronized) when a time
ends. A round before the first compiles. The last lines start programs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_lasso.errors import BoardError
from edge_lasso.predicting.column_kernel import ColumnKernel
from edge_lasso.predicting.linear_columns import linear_columns
from edge_lasso.predicting.predict_table import predict_table
from edge_lasso.reporting import terminal
from edge_lasso.tables.tables import column_batches
from edge_lasso_runtime import Factor, Input, Model, Output, Term, save

TARGET = 1.3
BASE = "pure read"
PROGRAM = "program: pure read"


def model(columns: int, inputs: int) -> Model:
    """Inputs spread over the row."""
    used = [j * columns // inputs for j in range(inputs)]
    result = tuple(Input(f"sensor_{j}", j, 20.0, -20.0, 60.0, "C") for j in used)
    terms = tuple(Term(0.1 * (i + 1), (Factor(i),)) for i in range(inputs))
    return Model(tuple(f"sensor_{j}" for j in range(columns)), result, (Output("y", 1.25, terms),))


def write_readings(path: Path, rows: int, columns: int, gaps: bool) -> None:
    """A table of sensor readings."""
    rng = np.random.default_rng(0)
    table = {}
    for j in range(columns):
        readings = np.round(rng.normal(20.0, 5.0, rows), 2)
        missing = rng.random(rows) < 0.001 if gaps else None
        table[f"sensor_{j}"] = pa.array(readings, mask=missing)
    pq.write_table(pa.table(table), path)


def ways(result: Model, path: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    names = [feature.name for feature in result.inputs]
    rows = pq.read_metadata(path).num_rows
    columns = [np.random.default_rng(j).normal(20.0, 5.0, rows) for j in range(len(names))]
    arrow, copies = [pa.array(x) for x in columns], [np.empty_like(x) for x in columns]

    def pure() -> None:
        with pq.ParquetFile(path) as file:
            for _ in file.iter_batches(columns=names):
                pass

    def as_read() -> None:
        for _ in column_batches(path, result):
            pass

    def copy() -> None:
        for x, y in zip(columns, copies, strict=True):
            np.copyto(y, x)

    found_ways: dict[str, Callable[[], object]] = {
        "memcpy of the columns, in memory": copy,
        "numpy, in memory": lambda: linear_columns(result, columns, rows),
    }
    try:
        kernel = ColumnKernel(result)
        found_ways["C, in memory"] = lambda: kernel(arrow, rows)
    except BoardError as error:
        terminal.note(f"note: {error}")
    found_ways |= {
        BASE: pure,
        "pure read, read_table": lambda: pq.read_table(path, columns=names),
        "pure read, as predict reads": as_read,
    }
    for suffix in ("arrow", "parquet", "csv"):
        out = folder / f"out.{suffix}"
        found_ways[f"predict to .{suffix}, C"] = lambda out=out: predict_table(result, path, out)
        found_ways[f"predict to .{suffix}, numpy"] = lambda out=out: predict_table(result, path, out, compiled=False)
    return found_ways


def programs(result: Model, path: Path, folder: Path) -> dict[str, list[str]]:
    """The same as programs of their own."""
    save(result, folder / "model.json")
    names = [feature.name for feature in result.inputs]
    read = f"import pyarrow.parquet as p\nfor _ in p.ParquetFile({str(path)!r}).iter_batches(columns={names}): pass"
    predict = [sys.executable, "-m", "edge_lasso", "predict", str(folder / "model.json"), str(path), "--out"]
    return {
        PROGRAM: [sys.executable, "-c", read],
        "program: edge-lasso predict, .arrow": [*predict, str(folder / "program.arrow")],
        "program: edge-lasso predict, .parquet": [*predict, str(folder / "program.parquet")],
    }


def processor() -> float:
    """Processor seconds of this process and of the programs it ran."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(entry.ru_utime + entry.ru_stime for entry in both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--inputs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gaps", action="store_true", help="one reading in a thousand is missing")
    parser.add_argument("--no-programs", action="store_true", help="leave out the command itself, which starts slowly")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the seconds of every round here")
    options = parser.parse_args()

    result = model(options.columns, options.inputs)
    with tempfile.TemporaryDirectory() as away:
        folder = Path(away)
        path = folder / "readings.parquet"
        write_readings(path, options.rows, options.columns, options.gaps)
        size = path.stat().st_size
        timed: dict[str, Callable[[], object]] = ways(result, path, folder)
        for name, argv in () if options.no_programs else programs(result, path, folder).items():
            timed[name] = lambda argv=argv: subprocess.run(argv, check=True, capture_output=True)
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
        for i in range(options.rounds + 1):
            terminal.note(f"round {i} of {options.rounds}" if i else "compiling and warming up")
            for name, way in timed.items():
                start, spent = time.perf_counter(), processor()
                way()
                if i:
                    seconds[name].append((time.perf_counter() - start, processor() - spent))
    if options.json:
        options.json.write_text(json.dumps(seconds, indent=1) + "\n")
    show(seconds, options.rows)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Arrow {pa.__version__}, load {os.getloadavg()[0]:.1f}"
    terminal.say(
        f"{options.rows:,} rows, {options.inputs} of {options.columns} columns are read "
        f"({options.rows * options.inputs * 8 / 1e6:,.0f} MB out of {size / 1e6:,.0f} MB of Parquet)"
        f"{', one reading in a thousand missing' if options.gaps else ''}; measured on {machine}"
    )


def show(seconds: dict[str, list[tuple[float, float]]], rows: int) -> None:
    """The table, and the measure."""
    lines, checks = [], []
    for name, times in seconds.items():
        base = seconds[PROGRAM if name.startswith("program") else BASE]
        clock, cpu = (
            statistics.median(a[i] / b[i] if b[i] else 0.0 for a, b in zip(times, base, strict=True)) for i in (0, 1)
        )
        wall, spent = (statistics.median(entry[i] for entry in times) for i in (0, 1))
        least = min(entry[0] for entry in times)
        cells = (1e3 * wall, 1e3 * least, 1e3 * spent, rows / wall / 1e6)
        lines.append((name, *(f"{cell:,.1f}" for cell in cells), f"{clock:.2f}", f"{cpu:.2f}"))
        if name in ("predict to .arrow, C", "predict to .parquet, C"):
            mark = "ok" if clock <= TARGET else "MISSED"
            checks.append((f"{name}: at most {TARGET} x the pure read", f"{clock:.2f} x", f"{cpu:.2f} x", mark))
    columns = ("", "ms, median", "ms, least", "ms of processor", "Mrows/s", "x pure read", "x, processor")
    terminal.table("one model over one table; programs against a program that reads", columns, lines)
    terminal.table("the measure", ("", "clock", "processor", ""), checks)


if __name__ == "__main__":
    main()
