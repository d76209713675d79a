"""The column of times: parsing, and the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edge_lasso.tables.described import counted

Array = npt.NDArray[Any]
NOT_A_TIME = np.iinfo(np.int64).min
START = datetime(1970, 1, 1, tzinfo=UTC)
THOUSANDTHS, MILLIONTHS, BILLIONTHS, BEYOND = 1e11, 1e14, 1e17, 1e20
"""Numbers from here on are no seconds since 1970, but smaller units of them: seconds would be beyond the year 5000."""


@dataclass(frozen=True)
class Times:
    """Times of all rows.

    Parameters
    ----------
    microseconds : array of int64
        Since 1970 in UTC (a time without zone is taken as UTC); `NOT_A_TIME` where it cannot be parsed.
    notes : list of str
        Unparseable and repeated times, rows out of order.
    ordered : bool
        Every row has a time, and none comes before the row above.
    """

    microseconds: Array
    notes: list[str]
    ordered: bool

    @property
    def known(self) -> Array:
        """Where a time could be parsed."""
        return np.not_equal(self.microseconds, NOT_A_TIME)

    def text(self, index: int) -> str:
        """One time in ISO 8601."""
        return time_text(self.microseconds[index])


def parse_times(column: Any) -> Array:
    """Microseconds since 1970 in UTC; `NOT_A_TIME` where a value is no time.

    Parameters
    ----------
    column : pyarrow array
        Timestamps, dates, ISO 8601 text, or numbers: seconds since 1970, or their thousandths, millionths, billionths.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return parse_times(column.dictionary_decode())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = getattr(kind, "tz", None)
        return _microseconds(column.cast(pa.timestamp("us", zone), safe=False))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _epoch(column)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return np.full(len(column), NOT_A_TIME)
    for wanted in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _microseconds(column.cast(wanted))
        except pa.ArrowInvalid:
            continue  # some value is written otherwise
    try:
        return _epoch(column.cast(pa.float64()))
    except pa.ArrowInvalid:
        return np.array([_one(value) for value in column.to_pylist()], dtype=np.int64)


def without_time(rows: int, name: str, row: int, text: str) -> str:
    """A note on rows that have none: the first is `row` (from 0), where `text` stands ("None": nothing)."""
    what = "empty" if text in ("None", "") else f"'{text}'"
    return f"{counted(rows, 'row')} without a time in '{name}' left out (first: row {row + 1}, {what})"


def repeats(rows: int, name: str) -> str:
    """The first words of a note on times that come more than once."""
    return f"{counted(rows, 'row')} repeat{'s' * (rows == 1)} a time in '{name}'"


def order_times(parts: list[Array], name: str, examples: Sequence[tuple[int, str]]) -> Times:
    """All times of a column, and what is to be said about them.

    Parameters
    ----------
    parts : list of array
        What `parse_times` gave, batch by batch; emptied, because it may be large.
    name : str
        For the notes.
    examples : sequence of (int, str)
        Row and text of values that are no time; empty if all are.
    """
    values = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    parts.clear()
    notes = []
    order = values
    if examples:
        row, text = examples[0]
        order = values[values != NOT_A_TIME]
        lost = len(values) - len(order)
        notes.append(without_time(lost, name, row, text))
    ordered = bool((order[1:] >= order[:-1]).all())
    if not ordered:
        notes.append(f"rows put in the order of '{name}'")
        order = np.sort(order)
    repeated = np.flatnonzero(order[1:] == order[:-1])
    if len(repeated):
        first = time_text(order[repeated[0]])
        notes.append(f"{repeats(len(repeated), name)} (first: {first}); all are used")
    return Times(values, notes, ordered and not examples)


def time_text(microseconds: Any) -> str:
    """A time in ISO 8601, to the second."""
    return str(np.datetime64(int(microseconds), "us").astype("datetime64[s]"))


def _microseconds(column: Any) -> Array:
    return np.asarray(column.cast(pa.int64()).fill_null(int(NOT_A_TIME)).to_numpy(zero_copy_only=False), dtype=np.int64)


def _epoch(column: Any) -> Array:
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    size = np.abs(values)
    known = size < BEYOND
    unit = np.select([size < THOUSANDTHS, size < MILLIONTHS, size < BILLIONTHS], [1e6, 1e3, 1.0], 1e-3)
    return np.where(known, np.rint(np.where(known, values, 0.0) * unit), NOT_A_TIME).astype(np.int64)


def _one(value: str | None) -> int:
    text = (value or "").strip()
    try:
        return int(_epoch(pa.array([float(text)]))[0])
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return int(NOT_A_TIME)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - START) // timedelta(microseconds=1)
