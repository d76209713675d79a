"""The first pass over a table to train on: which rows count, their order in time, and the categories there are.

Rows are never sorted: all that matters of time is a row's rank, which says in which fold it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.readers import NotANumber
from edge_lasso.tables import Table
from edge_lasso.times import NOT_A_TIME, Times, order_times, parse_times
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class Survey:
    """What the first pass found.

    Parameters
    ----------
    rank : array of int, shape (rows,)
        Position of each row among those used, in the order of time; -1: not used.
    used, kept : int
        Rows used; how many of them, the first ones, are trained on and not held out.
    without_target : int
        Rows left out because a target is missing.
    times : Times or None
    categories : dict
        The values of the categorical columns, sorted.
    """

    rank: Array
    used: int
    kept: int
    without_target: int
    times: Times | None
    categories: dict[str, tuple[str, ...]]

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        notes = list(self.times.notes) if self.times else []
        if self.without_target:
            notes.append(f"{self.without_target} rows without a target left out")
        return notes

    def rows(self, start: int, stop: int) -> Array:
        """Row numbers by rank."""
        found = np.flatnonzero((self.rank >= start) & (self.rank < stop))
        return found[np.argsort(self.rank[found], kind="stable")]

    def span(self) -> dict[str, str]:
        """First and last time trained on."""
        if self.times is None:
            return {}
        first, last = self.rows(0, 1)[0], self.rows(self.kept - 1, self.kept)[0]
        return {"from": self.times.text(first), "to": self.times.text(last)}


def survey(
    table: Table, targets: Sequence[str], time: str | None, categorical: Sequence[str], holdout: float = 0.0
) -> Survey:
    """Read targets, times and categories.

    Parameters
    ----------
    table : Table
    targets : sequence of str
    time : str, optional
    categorical : sequence of str
    holdout : float
        Part of the rows, the last ones, not to train on.

    Raises
    ------
    DataError
        A target that is no number or has no readings; no value is a time; too many categories; too few rows.
    """
    known: list[Array] = []
    times: list[Array] = []
    examples: list[tuple[int, str]] = []
    values: dict[str, set[str]] = {name: set() for name in categorical}
    row = 0
    try:
        for numbers, texts in table.batches(targets, [*([time] if time else []), *categorical]):
            known.append(np.asarray((np.abs(numbers) <= READING_LIMIT).all(axis=1)))
            if time:
                column = texts.pop(0)
                times.append(parse_times(column))
                lost = np.flatnonzero(times[-1] == NOT_A_TIME)[:1].tolist()
                examples += [(row + i, str(column[i])[:40]) for i in lost if not examples]
            for name, column in zip(categorical, texts, strict=True):
                values[name] |= {str(value) for value in column.unique().to_pylist() if value is not None}
                if len(values[name]) > MOST_CATEGORIES:
                    raise _categories(name, f"more than {MOST_CATEGORIES}")
            row += len(numbers)
    except NotANumber as error:
        if error.column in targets:
            raise DataError(error.saying("a target of a regression must hold numbers")) from None
        raise
    has_target = np.concatenate([np.empty(0, dtype=bool), *known])
    if not len(has_target):
        raise DataError(f"{table.title} has no rows; there is nothing to learn from")
    if not has_target.any():
        raise DataError(f"target '{targets[0]}' has no readings in the {len(has_target)} rows of {table.title}")
    for name, found in values.items():
        if not found:
            raise _categories(name, "0")
    parsed, index = None, np.flatnonzero(has_target)
    if time:
        parsed = order_times(times, time, examples)
        if not parsed.known.any():
            raise DataError(
                f"--time: no value of column '{time}' is a time, the first is '{examples[0][1]}'; "
                "allowed are ISO 8601 (2024-05-31 13:00:00) and seconds since 1970"
            )
        if not parsed.ordered:
            index = np.flatnonzero(has_target & parsed.known)
            index = index[np.argsort(parsed.microseconds[index], kind="stable")]
    rank = np.full(len(has_target), -1, dtype=np.int32 if len(has_target) < 2**31 else np.int64)
    rank[index] = np.arange(len(index), dtype=rank.dtype)
    kept = int(len(index) * (1.0 - holdout) + 1e-9)
    if kept < 2:
        raise DataError(
            f"{table.title} has {kept} row{'s' * (kept != 1)} with a target to train on; at least 2 are needed"
        )
    categories = {name: tuple(sorted(found)) for name, found in values.items()}
    return Survey(rank, len(index), kept, int((~has_target).sum()), parsed, categories)


def _categories(name: str, count: str) -> DataError:
    return DataError(
        f"--categorical: column '{name}' has {count} values, allowed are 1 to {MOST_CATEGORIES}; "
        "leave it out with --drop"
    )
