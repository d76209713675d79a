"""What is in a table, what is wrong with it, and which command to type next: what `edge-lasso check` says."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edge_lasso.errors import DataError
from edge_lasso.tables.described import Column, counted, describe
from edge_lasso.tables.next_commands import LONG, next_commands, typed_option
from edge_lasso.tables.opening import arranged
from edge_lasso.tables.reading import Reading
from edge_lasso.tables.table import Table
from edge_lasso.tables.time_columns import time_columns
from edge_lasso.tables.times import NOT_A_TIME, parse_times, time_text

Array = npt.NDArray[Any]
ROWS = 200_000
"""So many rows are looked at."""
ALIKE = 0.99999
LIKELY = 0.9
LEAK = 0.999
SAMPLED = 2000
MOST_COMPARED = 2000
LONGER = 1.5
SECONDS = {
    "1s": 1.0, "5s": 5.0, "10s": 10.0, "30s": 30.0, "1min": 60.0, "5min": 300.0, "10min": 600.0, "15min": 900.0,
    "30min": 1800.0, "1h": 3600.0, "6h": 21600.0, "1d": 86400.0,
}  # fmt: skip
"""Steps of time that people name."""


@dataclass
class Examined:
    """What a table holds.

    Parameters
    ----------
    title : str
    rows : int
    whole : bool
        False: only the first rows were looked at.
    columns : list of Column
    findings : list of str
        What is wrong, or worth a look.
    commands : list of str
        To type next.
    """

    title: str
    rows: int
    whole: bool
    columns: list[Column]
    findings: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


def examine(table: Table, source: str, target: str | None = None, time: str | None = None, how: str = "") -> Examined:
    """Look at a table.

    Parameters
    ----------
    table : Table
    source : str
        How the user calls it, for the commands to type.
    target : str, optional
        Column to predict: others are compared with it.
    time : str, optional
        Column of times; default: the one that looks like it.
    how : str
        Options that the table is read with, for the commands to type.

    Raises
    ------
    DataError
        A column that is not there.
    """
    target = None if target is None else table.check(target, "--target")
    time = None if time is None else table.check(time, "--time")
    typed, trouble, forms = time, "", ("",)
    names: tuple[str, ...] = ()
    if time is None:
        first = next(iter(table.read(list(table.columns), set(table.columns))), None)
        names = () if first is None else time_columns(dict(zip(table.columns, first.columns, strict=True)))
        time, typed = (names[0], ",".join(names)) if names else (None, None)
        try:
            table = arranged(table, Reading(names, missing=table.missing))
        except DataError as error:  # dates of which nobody can say what comes first
            trouble, time, forms = str(error), None, getattr(error.__cause__, "forms", ("",))
    whole, count = _first_rows(table)
    columns = [
        describe(
            name, whole.column(name).combine_chunks(), table.units.get(name, ""), table.decimal, name in (time, *names)
        )
        for name in table.columns
    ]
    result = Examined(table.title, count, count < ROWS, columns, [*table.about, *([trouble] if trouble else [])])
    result.findings += _empty(whole, [name for name in table.columns if name not in (time, *names)])
    result.findings += _oddities(columns, table)
    if time is not None:
        result.findings += _sampling(time, parse_times(whole.column(time).combine_chunks()))
    if target is not None:
        result.findings += [*_leaks(columns, target), *_no_target(columns, target)]
    known = typed is None or " --time" in how or " --long" in how
    for form in forms:
        about = "" if known else typed_option("time", typed or "")
        about += typed_option("time-format", form) if form else ""
        result.commands += next_commands(
            columns, f"{shlex.quote(source)}{how}", target, typed, about, _usual_step(whole, time)
        )
    return result


def _first_rows(table: Table) -> tuple[Any, int]:
    """The first rows, all columns as text, and how many they are."""
    batches, count = [], 0
    for batch in table.read(list(table.columns), set(table.columns)):
        batches.append(batch)
        count += batch.num_rows
        if count >= ROWS:
            break
    return pa.Table.from_batches(batches), count


def _empty(whole: Any, readings: list[str]) -> list[str]:
    """Rows in which nothing stands, but perhaps a time."""
    if not readings:
        return []
    nothing = whole.column(readings[0]).is_null()
    for name in readings[1:]:
        nothing = pc.and_(nothing, whole.column(name).is_null())
    count = pc.sum(nothing).as_py() or 0
    return [f"{counted(count, 'row')} {'is' if count == 1 else 'are'} empty: no column has a reading"] if count else []


def _oddities(columns: list[Column], table: Table) -> list[str]:
    """Constant, empty and copied columns, sentinels, columns of text, row numbers."""
    findings = []
    for column in columns:
        if column.kind in ("constant", "empty"):
            findings.append(f"'{column.name}' is {column.kind}: it says nothing")
        elif column.kind == "text":
            findings.append(f"'{column.name}' is text with {column.holds}; leave it out with --drop")
        elif column.kind == "categories":
            findings.append(
                f"'{column.name}' holds words: --categorical '{column.name}' makes it an input, --drop leaves it out"
            )
        findings += [
            f"'{column.name}' is {value:g} in {share:.1%} of the rows, far from the rest, as what means missing: "
            f"--missing={value:g}"
            for value, share in column.sentinels
        ]
    findings += [f"'{name}' only counts the rows" for name in table.row_numbers]
    numbers = [column for column in columns if column.values is not None and column.kind == "numbers"]
    for i, j in _alike([column.values for column in numbers[:MOST_COMPARED]]):
        if _correlation(numbers[i].values, numbers[j].values) > ALIKE:
            findings.append(f"'{numbers[i].name}' is a copy of '{numbers[j].name}', up to scale")
    return findings


def _means(rows: Array) -> Array:
    known = np.isfinite(rows)
    return np.asarray(np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _alike(columns: list[Any]) -> list[tuple[int, int]]:
    """Pairs of columns that go together in a part of the rows, the later one first; one pair for each later one."""
    if len(columns) < 2:
        return []
    some = np.column_stack(columns)[:: max(len(columns[0]) // SAMPLED, 1)]
    centred = some - _means(some)
    centred = np.where(np.isfinite(centred), centred, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0))
    together = np.abs(centred.T @ centred) / np.maximum(np.outer(scale, scale), 1e-300)
    nearest = [(i, int(together[i, :i].argmax())) for i in range(1, len(columns))]
    return [(i, j) for i, j in nearest if together[i, j] > LIKELY]


def _correlation(a: Any, b: Any) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3:
        return 0.0
    x, y = a[both] - a[both].mean(), b[both] - b[both].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return abs(float(x @ y)) / size if size > 0.0 else 0.0


def _leaks(columns: list[Column], target: str) -> list[str]:
    truth = next(column for column in columns if column.name == target)
    if truth.values is None:
        return []
    missing = f"the target is missing in {truth.missing:.1%} of the rows, which are left out"
    return [
        f"'{column.name}' all but says '{target}' (correlation {strength:.4f}); if it is known only with the target, "
        f"--drop '{column.name}'"
        for column in columns
        if column is not truth and column.values is not None
        and (strength := _correlation(column.values, truth.values)) > LEAK
    ] + ([missing] if truth.missing > 0.0 else [])  # fmt: skip


def _no_target(columns: list[Column], target: str) -> list[str]:
    kind = next(column.kind for column in columns if column.name == target)
    if kind in ("numbers", "yes or no", "categories"):
        return []
    return [f"'{target}' cannot be predicted: it is {kind}; --target takes a column of numbers or of few words"]


def _sampling(time: str, moments: Array) -> list[str]:
    known = moments[moments != NOT_A_TIME]
    if len(known) < 3:
        return [f"'{time}': hardly any value is a time"] if len(known) < len(moments) else []
    steps = np.diff(np.sort(known)) / 1e6
    moved = steps[steps > 0]
    if not len(moved):
        return [f"'{time}' never changes"]
    typical = float(np.median(moved))
    gaps = int((moved > LONGER * typical).sum())
    findings = [
        f"'{time}': a row every {_span(typical)}, from {time_text(known.min())} to {time_text(known.max())}"
        + (f"; {gaps} gap{'s' * (gaps > 1)}, the longest of {_span(float(moved.max()))}" if gaps else "")
    ]
    if gaps > 0.05 * len(moved):
        findings.append(f"readings come at times of their own; --every {_option(typical)} puts them on a grid")
    if repeated := int((steps == 0).sum()):
        rows = f"{counted(repeated, 'row')} repeat{'s' * (repeated == 1)} a time"
        findings.append(f"{rows}: several devices in one table, or copies")
    if (np.diff(known) < 0).any():
        findings.append("rows are not in the order of time; they are put in order")
    if len(known) < len(moments):
        lost = len(moments) - len(known)
        findings.append(f"{counted(lost, 'row')} without a time in '{time}'")
    return findings


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:g} {unit}" if seconds % size == 0 else f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"


def _usual_step(whole: Any, time: str | None) -> str:
    """How often a sensor of a long table reports, rounded to what people say: ``10min``."""
    triple = next((names for names in LONG if set(names) <= set(whole.column_names)), None)
    if triple is None or time is None:
        return "1min"
    moments = parse_times(whole.column(triple[2]).combine_chunks())
    dated = moments != NOT_A_TIME
    known = moments[dated]
    if len(known) < 2 or known.max() == known.min():
        return "1min"
    sensors = len(whole.column(triple[0]).filter(pa.array(dated)).unique())
    usual = (known.max() - known.min()) / 1e6 * sensors / len(known)
    return min(SECONDS, key=lambda step: abs(np.log(SECONDS[step] / usual)))


def _option(seconds: float) -> str:
    return f"{seconds / 60:.0f}min" if seconds >= 60 else f"{max(seconds, 0.001):.3g}s"
