"""Readings at times of their own put on a grid of rows: long tables pivoted, irregular ones resampled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edge_lasso.errors import DataError
from edge_lasso.tables.cells import is_text, text_numbers, without
from edge_lasso.tables.reading import Reading
from edge_lasso.tables.table import Table
from edge_lasso.tables.timed import STAMP, stamps
from edge_lasso.tables.times import NOT_A_TIME, parse_times
from edge_lasso.tables.unreadable import MOST, Ledger

Array = npt.NDArray[Any]
HOLD = 10
"""A reading holds for so many steps of the grid, unless told otherwise."""
MOST_POINTS = 50_000_000
MOST_NAMES = 5000


def pivoted(table: Table, reading: Reading) -> Table:
    """A table with one reading a row as one with a column a sensor.

    Parameters
    ----------
    table : Table
    reading : Reading
        Its `long` names the columns of name, value and time; with `every`, rows lie on a grid, else there is one for
        every time at which some sensor reported.

    Raises
    ------
    DataError
        A column that is not there; no times; too many sensors.
    """
    name, value, time = [table.check(column, "--long") for column in reading.long]
    names, values, times = [], [], []
    for _, (who, what, when) in table.batches([], [name, value, time]):
        names.append(who.cast(pa.string()))
        values.append(what.cast(pa.string()))
        times.append(parse_times(stamps(when, reading.time_format, reading.zone)))
    who, what, when = pa.chunked_array(names), pa.chunked_array(values), np.concatenate(times)
    header = pc.equal(who, name)  # repeated further down, as InfluxDB does
    use = np.not_equal(when, NOT_A_TIME) & ~np.asarray(header.fill_null(True))
    if not use.any():
        raise DataError(f"--long: no row of {table.title} has a name in '{name}' and a time in '{time}'")
    encoded = who.combine_chunks().dictionary_encode()
    sensors = encoded.dictionary.to_pylist()
    if len(sensors) > MOST_NAMES:
        raise DataError(f"--long: '{name}' holds more than {MOST_NAMES} names; the order is ID,VALUE,TIME")
    what = what.combine_chunks()
    codes = np.asarray(encoded.indices.fill_null(-1))
    order = np.flatnonzero(use)
    order = order[np.argsort(when[order], kind="stable")]
    points = _points(when[order], reading) if reading.every else np.unique(when[order])
    columns: dict[str, Any] = {time: pa.array(points).cast(pa.timestamp("us")).cast(STAMP)}
    for i, sensor in enumerate(sensors):
        rows = order[codes[order] == i]
        if not len(rows):
            continue
        cells = _cells(what.take(pa.array(rows)), reading, table.decimal)
        columns[sensor] = _placed(cells, when[rows], points, reading)
    about = [f"{len(order):,} readings of {len(columns) - 1} sensors in '{name}' make {len(points):,} rows"]
    return _table(table, pa.table(columns), about)


def on_grid(table: Table, reading: Reading) -> Table:
    """A table with its rows on a grid of times; one that is long lies on it already."""
    time = reading.column
    if reading.long or time is None:
        return table
    others = [name for name in table.columns if name != time]
    batches = table.source(list(table.columns), set(table.columns), 2**16, Ledger())
    whole = pa.Table.from_batches(list(batches)).combine_chunks()
    when = parse_times(stamps(whole.column(time).combine_chunks(), None, None))
    order = np.flatnonzero(when != NOT_A_TIME)
    if not len(order):
        raise DataError(f"--every: no value of '{time}' is a time")
    order = order[np.argsort(when[order], kind="stable")]
    points = _points(when[order], reading)
    columns: dict[str, Any] = {time: pa.array(points).cast(pa.timestamp("us")).cast(STAMP)}
    for name in others:
        cells = _cells(whole.column(name).combine_chunks().take(pa.array(order)), reading, table.decimal)
        columns[name] = _placed(cells, when[order], points, reading)
    about = [f"{len(order):,} rows put on a grid of {len(points):,}"]
    return _table(table, pa.table(columns), about)


def _table(table: Table, whole: pa.Table, about: list[str]) -> Table:
    def source(columns: list[str], *_: Any) -> Iterator[pa.RecordBatch]:
        return iter(whole.select(columns).to_batches())

    names = tuple(whole.column_names)
    return Table(table.title, names, table.files, source, units=table.units, about=[*table.about, *about])


def _cells(column: Any, reading: Reading, decimal: str) -> Any:
    """Readings as numbers where nearly all are, else as they are."""
    if reading.missing:
        column = without(column, reading.missing)
    if not is_text(column.type):
        return column
    numbers, filled, unreadable = text_numbers(column, decimal)
    if filled and len(unreadable) <= MOST * filled:
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return column


def _points(when: Array, reading: Reading) -> Array:
    """The grid, in microseconds: whole multiples of its step from the first reading to the last."""
    step = round((reading.every or 0.0) * 1e6)
    first, last = -(-int(when[0]) // step) * step, -(-int(when[-1]) // step) * step
    if (last - first) // step > MOST_POINTS:
        raise DataError(f"--every {reading.every:g}s makes {(last - first) // step:,} rows; choose a longer one")
    return np.arange(first, last + 1, step)


def _placed(cells: Any, when: Array, points: Array, reading: Reading) -> Any:
    """A sensor's readings at the points of the grid; null where none holds."""
    step = round((reading.every or 0.0) * 1e6)
    if reading.method == "mean" and step and not is_text(cells.type):
        return _means(cells, np.minimum(np.searchsorted(points, when), len(points) - 1), len(points))
    at = np.searchsorted(when, points, side="right") - 1
    age = points - when[np.maximum(at, 0)]
    longest = round((reading.hold or HOLD * (reading.every or 0.0)) * 1e6) if step else 0
    if reading.method == "nearest" and step:
        after = np.minimum(at + 1, len(when) - 1)
        ahead = when[after] - points
        closer = (at < 0) | ((ahead >= 0) & (ahead < age))
        at, age = np.where(closer, after, at), np.where(closer, np.abs(ahead), age)
        longest = round(reading.hold * 1e6) if reading.hold else step // 2
    return cells.take(pa.array(at, mask=(at < 0) | (age > longest)))


def _means(cells: Any, bins: Array, count: int) -> Any:
    """The mean of the readings since the point before."""
    values = np.asarray(cells.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    known = np.isfinite(values)
    sums = np.bincount(bins[known], values[known], count)
    number = np.bincount(bins[known], minlength=count)
    return pa.array(sums / np.maximum(number, 1), mask=number == 0)
