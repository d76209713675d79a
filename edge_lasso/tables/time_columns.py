"""Which column holds times, or which two a date and a time of day, where nobody said so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from edge_lasso.tables.cells import is_text
from edge_lasso.tables.times import NOT_A_TIME, parse_times
from edge_lasso.tables.unreadable import MOST
from edge_lasso_runtime.times import AmbiguousDates, date_format

LOOKED_AT = 200
"""Values that are looked at."""
NAMES = ("time", "date", "timestamp", "datetime", "ts", "_time", "zeit", "datum", "last_changed", "last_updated")
DAY = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}")
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?")


def time_columns(columns: Mapping[str, Any]) -> tuple[str, ...]:
    """The column of times; a column of dates and one of times of day; or nothing.

    Parameters
    ----------
    columns : mapping of str to pyarrow array
    """
    days = [name for name, column in columns.items() if _holds(column, DAY)]
    clocks = [name for name, column in columns.items() if _holds(column, CLOCK)]
    whole = next((name for name, column in columns.items() if name not in days and is_time(name, column)), None)
    if whole is None and days and clocks:
        return days[0], clocks[0]
    whole = whole or next((name for name in columns if name in days), None)
    return () if whole is None else (whole,)


def is_time(name: str, column: Any) -> bool:
    """Whether a column holds times: by its type, by what it is called, or by how it is written."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    likely = name.lower() in NAMES
    if not likely and not is_text(column.type):
        return False
    some = column.drop_null().slice(0, LOOKED_AT)
    if not len(some) or (not likely and not any(sign in str(some[0]) for sign in ":/")):
        return False
    if np.mean(parse_times(some) != NOT_A_TIME) > 1 - MOST:
        return True
    return is_text(column.type) and all(DAY.match(word) and ":" in word for word in _words(some)) and _dated(some)


def _dated(column: Any) -> bool:
    try:
        return date_format(_words(column)) is not None
    except AmbiguousDates:
        return True


def _holds(column: Any, form: re.Pattern[str]) -> bool:
    if pa.types.is_date(column.type) or pa.types.is_time(column.type):
        return bool(pa.types.is_date(column.type)) == (form is DAY)
    if not is_text(column.type):
        return False
    words = _words(column.drop_null().slice(0, LOOKED_AT))
    return bool(words) and sum(form.fullmatch(word) is not None for word in words) > (1 - MOST) * len(words)


def _words(column: Any) -> list[str]:
    return [str(value).strip() for value in column.to_pylist() if value]
