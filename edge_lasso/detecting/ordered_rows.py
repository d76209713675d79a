"""The rows of a table of normal operation, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.tables.series import series
from edge_lasso.tables.survey import Survey, count_kept, survey
from edge_lasso.tables.tables import Table


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
