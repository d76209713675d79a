"""Reading a CSV file as training does, and training from it, beside pyarrow's own read of it: processor seconds.

python benchmarks/reading.py [--rows 200000] [--columns 20] [--rounds 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from edge_lasso.reporting import terminal
from edge_lasso.tables.opening import open_table
from edge_lasso.training.train_table import train_table

MOST = 1.5


def readings(rows: int, columns: int, path: Path) -> list[str]:
    """Write readings with two decimals, and a target; returns the names."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(20.0, 5.0, (rows, columns)), 2)
    y = np.round(X[:, :5].sum(axis=1) + rng.normal(size=rows), 3)
    table = {**{f"s{j}": X[:, j] for j in range(columns)}, "y": y}
    pyarrow.csv.write_csv(pa.table(table), path)
    return list(table)


def least(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Processor seconds of each, the least of rounds taken in turn."""
    taken: dict[str, float] = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            taken[name] = min(taken[name], time.process_time() - start)
    return taken


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as away:
        path = Path(away, "readings.csv")
        names = readings(options.rows, options.columns, path)
        taken = least(
            {
                "pyarrow.csv.read_csv": lambda: pyarrow.csv.read_csv(path),
                "ours, rows of numbers": lambda: sum(len(numbers) for numbers, _ in open_table(path).batches(names)),
                "ours, the whole training": lambda: train_table(path, "y"),
            },
            options.rounds,
        )
        size = path.stat().st_size / 1e6
    base = taken["pyarrow.csv.read_csv"]
    lines = [(name, f"{1e3 * spent:.0f}", f"{spent / base:.2f}") for name, spent in taken.items()]
    title = f"{options.rows:,} rows, {len(names)} columns, {size:.0f} MB of CSV; Arrow {pa.__version__}"
    terminal.table(title, ("", "ms of processor", "x pyarrow"), lines)
    ratio = taken["ours, rows of numbers"] / base
    mark = "ok" if ratio <= MOST else "MISSED"
    terminal.table(
        "the measure", ("", "processor", ""), [(f"reading: at most {MOST} x pyarrow", f"{ratio:.2f} x", mark)]
    )


if __name__ == "__main__":
    main()
