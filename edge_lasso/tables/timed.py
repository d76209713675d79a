"""Tables with a column of times that is written in a way of its own, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_lasso.errors import DataError
from edge_lasso.tables.cells import is_text
from edge_lasso.tables.reading import Reading
from edge_lasso.tables.table import Table
from edge_lasso.tables.times import NOT_A_TIME, parse_times
from edge_lasso.tables.unreadable import Ledger
from edge_lasso_runtime.times import AmbiguousDates, date_format

STAMP = pa.timestamp("us", "UTC")


def timed(table: Table, reading: Reading, only_dates: bool = False) -> Table:
    """A table whose column of times holds times.

    Parameters
    ----------
    table : Table
    reading : Reading
        Its `time` is one column, or two, of which the first then holds both.
    only_dates : bool
        Leave the column as it is unless its dates are written day or month first.

    Raises
    ------
    DataError
        A column that is not there; dates of which nobody can say whether day or month comes first.
    """
    names = [table.check(name, "--time") for name in reading.time]
    form = reading.time_format
    if form is None:
        form = _date_format(table, names)
        if form is None and only_dates:
            return table
    first, *rest = names
    columns = tuple(name for name in table.columns if name not in rest)

    def source(wanted: list[str], text: set[str], rows: int, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        if first not in wanted:
            yield from table.source(wanted, text, rows, ledger)
            return
        for batch in table.source([*wanted, *rest], text | set(names), rows, ledger):
            cells = [batch.column(name) for name in names]
            whole = cells[0] if len(cells) == 1 else _joined(cells[0], cells[1])
            arrays = [stamps(whole, form, reading.zone) if name == first else batch.column(name) for name in wanted]
            yield pa.record_batch(arrays, wanted)

    return replace(table, columns=columns, source=source)


def _joined(days: Any, moments: Any) -> Any:
    """Dates and times of day as text, with a space between them."""
    return pc.binary_join_element_wise(_words(days), _words(moments), " ")


def _words(column: Any) -> Any:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.date32())
    return pc.utf8_trim_whitespace(column.cast(pa.string()))


def _date_format(table: Table, names: list[str]) -> str | None:
    """How dates that are not ISO 8601 are written, from the whole column where its beginning does not tell."""
    words: set[str] = set()
    for _, columns in table.batches([], names):
        if not is_text(columns[0].type):
            return None
        column = columns[0] if len(columns) == 1 else _joined(columns[0], columns[1])
        text = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        words |= {value.strip() for value in text.unique().to_pylist() if value}
        try:
            return date_format(sorted(words))
        except AmbiguousDates:
            continue
    try:
        return date_format(sorted(words))
    except AmbiguousDates as error:
        raise DataError(
            f"--time: '{error}' in '{names[0]}' may begin with the day or with the month; "
            f"say which: --time-format '{error.forms[0]}' or '{error.forms[1]}'"
        ) from error


def stamps(column: Any, form: str | None, zone: str | None) -> Any:
    """Times as timestamps in UTC; null where a value is none.

    Raises
    ------
    DataError
        A zone nobody knows.
    """
    if form is not None and is_text(column.type):
        text = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        text = pc.utf8_trim_whitespace(text)
        moments = pc.strptime(text, format=form, unit="us", error_is_null=True)
        if "%z" in form:
            return moments.cast(STAMP)
    else:
        values = parse_times(column)
        moments = pa.array(values, mask=np.equal(values, NOT_A_TIME)).cast(pa.timestamp("us"))
        if zone is None or _zoned(column):
            return pa.array(values, mask=np.equal(values, NOT_A_TIME)).cast(STAMP)
    if zone is None:
        return moments.cast(STAMP)
    try:
        local = pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="earliest")
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        raise DataError(f"--zone: '{zone}' is not known; an example is Europe/Berlin") from None
    return local.cast(STAMP)


def _zoned(column: Any) -> bool:
    """Whether times say themselves how far they are from UTC: with an offset, or as numbers."""
    if not is_text(column.type):
        return not (pa.types.is_timestamp(column.type) and column.type.tz is None)
    first = next((str(value) for value in column.drop_null().slice(0, 1).to_pylist()), "").strip()
    tail = first.rpartition("T")[2] if "T" in first else first.rpartition(" ")[2]
    return first[-1:] in ("Z", "z") or "+" in tail or "-" in tail.partition(":")[2] or first.replace(".", "").isdigit()


def in_order(table: Table, time: str) -> Table:
    """The table with its rows in the order of time, where it is small enough to be kept and they are not."""
    if not (table.keep or not table.files):
        return table
    column = [parse_times(texts[0]) for _, texts in table.batches([], [table.check(time, "--time")])]
    values = np.concatenate([np.empty(0, dtype=np.int64), *column])
    known = values[values != NOT_A_TIME]
    if (known[1:] >= known[:-1]).all():
        return table
    order = pa.array(np.argsort(np.where(values == NOT_A_TIME, np.iinfo(np.int64).max, values), kind="stable"))

    def source(wanted: list[str], text: set[str], rows: int, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        batches = list(table.read(wanted, text, rows))
        yield from pa.Table.from_batches(batches).take(order).combine_chunks().to_batches()

    return replace(table, source=source, about=[*table.about, f"rows put in the order of '{time}'"])
