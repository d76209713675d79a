"""The column of times: parsing, and the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Array = npt.NDArray[Any]
NOT_A_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Times:
    """Times of all rows.

    Parameters
    ----------
    microseconds : array of int64
        Since 1970 in UTC (a time without zone is taken as UTC); `NOT_A_TIME` where it cannot be parsed.
    notes : list of str
        Unparseable and repeated times, rows out of order.
    """

    microseconds: Array
    notes: list[str]

    @property
    def known(self) -> Array:
        """Where a time could be parsed."""
        return np.not_equal(self.microseconds, NOT_A_TIME)

    def text(self, index: int) -> str:
        """One time in ISO 8601."""
        return str(np.datetime64(int(self.microseconds[index]), "us").astype("datetime64[s]"))


def parse_times(column: pa.Array | pa.ChunkedArray, name: str) -> Times:
    """Parse a column: timestamps, dates, ISO 8601 text, or numbers (seconds since 1970, or their thousandths).

    Parameters
    ----------
    column : pyarrow array
    name : str
        For the notes.
    """
    values = _parse(column)
    notes = []
    known = values != NOT_A_TIME
    if not known.all():
        first = int(np.argmin(known))
        example = str(column[first])
        notes.append(f"{(~known).sum()} rows without a time in '{name}' left out (first: row {first + 1}, {example!r})")
    order = values[known]
    if len(order) and (np.diff(order) < 0).any():
        notes.append(f"rows put in the order of '{name}'")
    ordered = np.sort(order)
    repeated = np.flatnonzero(np.diff(ordered) == 0)
    if len(repeated):
        example = np.datetime64(int(ordered[repeated[0]]), "us").astype("datetime64[s]")
        notes.append(f"{len(repeated)} rows repeat a time in '{name}' (first: {example}); all are used")
    return Times(values, notes)


def _parse(column: Any) -> Array:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _microseconds(column.cast(pa.timestamp("us"), safe=False))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _epoch(
            np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
        )
    try:
        return _microseconds(pa.compute.cast(column, pa.timestamp("us")))
    except pa.ArrowInvalid:
        return np.array([_one(value) for value in column.to_pylist()], dtype=np.int64)


def _microseconds(column: Any) -> Array:
    return np.asarray(column.cast(pa.int64()).fill_null(int(NOT_A_TIME)).to_numpy(zero_copy_only=False), dtype=np.int64)


def _epoch(values: Array) -> Array:
    finite = np.isfinite(values)
    thousandths = np.nanmax(np.abs(values), initial=0.0, where=finite) > 1e11
    scaled = np.where(finite, values, 0.0) * (1e3 if thousandths else 1e6)
    return np.where(finite, scaled, NOT_A_TIME).astype(np.int64)


def _one(value: object) -> int:
    text = str(value).strip() if value is not None else ""
    try:
        if text.replace(".", "", 1).removeprefix("-").isdigit():
            return int(_epoch(np.array([float(text)]))[0])
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return int(NOT_A_TIME)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
