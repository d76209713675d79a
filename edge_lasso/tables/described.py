"""What a column of a table holds: its kind, its range, and numbers in it that may mean missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edge_lasso.tables.cells import is_text, text_numbers
from edge_lasso.tables.unreadable import MOST

Array = npt.NDArray[Any]
FEW = 50
"""A column of text with more values than this is no column of categories."""
SENTINELS = (-99, -999, -9999, -99999, 999, 9999, 99999, -1e30, 1e30, 32767, -32768, 65535)
SENTINEL_SHARE = 0.001


@dataclass
class Column:
    """A column and what it holds.

    Parameters
    ----------
    name : str
    kind : {"numbers", "yes or no", "categories", "times", "text", "constant", "empty"}
    unit : str
    missing : float
        Part of the rows.
    holds : str
        In words: the range, or some values.
    values : array, optional
        As numbers, NaN where missing.
    sentinels : tuple of (float, float)
        Numbers far from the rest that may mean missing, and their part of the rows.
    """

    name: str
    kind: str
    unit: str
    missing: float
    holds: str
    values: Array | None = None
    sentinels: tuple[tuple[float, float], ...] = ()


def counted(count: int, what: str) -> str:
    """So many of something: ``1 row``, ``1,200 rows``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def describe(name: str, column: Any, unit: str, decimal: str, is_time: bool) -> Column:
    """A column, from its readings as they stand in the table: text where it is a text file."""
    missing = column.null_count / max(len(column), 1)
    if is_time:
        return Column(name, "times", unit, missing, "")
    if column.null_count == len(column):
        return Column(name, "empty", unit, 1.0, "")
    if is_text(column.type):
        numbers, filled, unreadable = text_numbers(column, decimal)
        if filled == 0:
            return Column(name, "empty", unit, 1.0, "")
        if len(unreadable) > MOST * filled:
            words = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            different = words.unique().drop_null().to_pylist()
            kind = "categories" if len(different) <= FEW else "text"
            shown = ", ".join(str(word)[:20] for word in different[:4])
            return Column(name, kind, unit, missing, f"{counted(len(different), 'value')}: {shown}")
        values = np.asarray(numbers)
    elif pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return Column(name, "times", unit, missing, "")
    else:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    known = values[np.isfinite(values)]
    if not len(known):
        return Column(name, "empty", unit, 1.0, "")
    low, high = float(known.min()), float(known.max())
    kind = "constant" if low == high else "yes or no" if set(np.unique(known).tolist()) == {0.0, 1.0} else "numbers"
    holds = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return Column(name, kind, unit, 1.0 - len(known) / len(values), holds, values, tuple(_sentinels(known)))


def _sentinels(known: Array) -> list[tuple[float, float]]:
    told = []
    for value in SENTINELS:
        at = known == value
        share = float(at.mean())
        if SENTINEL_SHARE <= share < 0.5:
            rest = known[~at]
            spread = np.ptp(np.quantile(rest, [0.01, 0.99]))
            if abs(value - np.median(rest)) > 3 * max(spread, 1e-12) or not rest.min() <= value <= rest.max():
                told.append((float(value), share))
    return told
