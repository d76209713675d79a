"""The rows of a table of normal operation, in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.tables.series import series
from edge_lasso.tables.survey import Survey, count_kept, survey
from edge_lasso.tables.tables import Table
from edge_lasso.tables.times import NOT_A_TIME

PIECES, PACE = 10, 1.5
"""Parts of the table whose median times between rows are compared, and the ratio beyond which they differ."""


def in_order(table: Table, columns: Sequence[str], time: str | None, holdout: float) -> tuple[Survey, list[str]]:
    """The rows of a table in the order of time, or as they come; and what to say of that."""
    if time is not None:
        result = survey(table, [], time, [], holdout)
        rows, notes = series(result, time, "a detector needs")
        timeless = np.flatnonzero(rows.rank < 0)
        if len(timeless):
            raise DataError(
                f"{len(timeless)} row{'s have' if len(timeless) > 1 else ' has'} no time in '{time}', the first is row "
                f"{timeless[0] + 1}; a detector needs one for each row: leave them out"
            )
        return rows, [*notes, *result.notes]
    count = sum(len(texts[0]) for _, texts in table.batches([], columns[:1]))
    remaining = count_kept(table, count, holdout, "")
    return Survey(np.arange(count), count, remaining, 0, None, {}), [
        "rows are taken in the order of the file, without gaps; --time would find gaps and allow rates per day"
    ]


def step_of(rows: Survey) -> tuple[float | None, str]:
    """Typical time between rows, in seconds, and what to say where it changes for good."""
    if rows.times is None:
        return None, ""
    times = rows.times.microseconds
    steps = np.diff(np.sort(times[times != NOT_A_TIME])) / 1e6
    if not len(steps):
        return None, ""
    typical = float(np.median(steps))
    paces = [float(np.median(piece)) for piece in np.array_split(steps, PIECES) if len(piece)]
    low, high = min(paces), max(paces)
    if not low or high <= PACE * low:
        return typical, ""
    return typical, (
        f"rows come every {low:g} seconds in part of the table and every {high:g} in another, so that smoothing, lags "
        f"and rates mean different times there; give rows of one pace, or --every {math.ceil(high)}s"
    )
