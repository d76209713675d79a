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
from edge_lasso.tables.described import counted
from edge_lasso.tables.tables import Table
from edge_lasso.tables.times import NOT_A_TIME, Times, order_times, parse_times
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
MOST_CATEGORIES = 1000
MANY_CATEGORIES = 50
FEW_CODES = 10
"""Columns of up to so many different numbers may be codes; beyond, they are asked about."""
MOST_CLASSES = 100


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
    breaks : array of int, or None
        Numbers of the rows before which history ends; see `streams.series`.
    doubts : tuple of str
        What looks wrong about categories.
    """

    rank: Array
    used: int
    kept: int
    without_target: int
    times: Times | None
    categories: dict[str, tuple[str, ...]]
    breaks: Array | None = None
    doubts: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        notes = [*self.doubts, *(self.times.notes if self.times else [])]
        if self.without_target:
            notes.append(f"{counted(self.without_target, 'row')} without a target left out")
        return notes

    def rows(self, start: int, stop: int) -> Array:
        """Row numbers by rank."""
        result = np.flatnonzero((self.rank >= start) & (self.rank < stop))
        return result[np.argsort(self.rank[result], kind="stable")]

    @property
    def span(self) -> dict[str, str]:
        """First and last time trained on."""
        if self.times is None:
            return {}
        first, last = self.rows(0, 1)[0], self.rows(self.kept - 1, self.kept)[0]
        return {"from": self.times.text(first), "to": self.times.text(last)}


@dataclass(frozen=True)
class Scan:
    """What the rows of a table, or of a piece of one, say of themselves.

    Parameters
    ----------
    has_target : array of bool
    times : list of array
        What `parse_times` gave; empty without a column of times.
    examples : list of (int, str)
        The first row whose time cannot be parsed, and what it says.
    categories : dict
        The values of the categorical columns.
    """

    has_target: Array
    times: list[Array]
    examples: list[tuple[int, str]]
    categories: dict[str, set[str]]


def scan(
    table: Table, targets: Sequence[str], time: str | None, categorical: Sequence[str], label: str | None = None
) -> Scan:
    """Read targets, times and categories; a row without a `label` (one of the categorical columns) has no target.

    Raises
    ------
    DataError
        A target that is no number; too many categories.
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
                if name == label:
                    known[-1] = known[-1] & np.asarray(column.is_valid())
                values[name] |= {str(value) for value in column.unique().to_pylist() if value is not None}
                if name == label and len(values[name]) > MOST_CLASSES:
                    raise DataError(
                        f"target '{name}' has more than {MOST_CLASSES} different values; a classifier tells apart 2 to "
                        f"{MOST_CLASSES} classes; for numbers there is train"
                    )
                if len(values[name]) > MOST_CATEGORIES:
                    raise _categories(name, f"more than {MOST_CATEGORIES}")
            row += len(numbers)
    except NotANumber as error:
        if error.column in targets:
            raise DataError(error.saying("a target of a regression must hold numbers")) from None
        raise
    has_target = np.concatenate([np.empty(0, dtype=bool), *known])
    return Scan(has_target, times, examples, values)


def survey(
    table: Table,
    targets: Sequence[str],
    time: str | None,
    categorical: Sequence[str],
    holdout: float = 0.0,
    update: bool = False,
    label: str | None = None,
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
    update : bool
        The categories are known from an earlier training: there may be none of them here.
    label : str, optional
        One of `categorical`: the classes to predict.

    Raises
    ------
    DataError
        A target that is no number or has no readings; no value is a time; too many categories; too few rows.
    """
    result = scan(table, targets, time, categorical, label)
    has_target = result.has_target
    if not len(has_target):
        raise DataError(f"{table.title} has no rows; there is nothing to learn from")
    if not has_target.any():
        raise DataError(
            f"target '{label or targets[0]}' has no readings in the {len(has_target)} rows of {table.title}"
        )
    categories = sorted_categories({name: some for name, some in result.categories.items() if some or not update})
    parsed, index = None, np.flatnonzero(has_target)
    if time:
        parsed = order_times(result.times, time, result.examples)
        if not parsed.known.any():
            raise no_times(time, result.examples[0][1])
        if not parsed.ordered:
            index = np.flatnonzero(has_target & parsed.known)
            index = index[np.argsort(parsed.microseconds[index], kind="stable")]
    rank = np.full(len(has_target), -1, dtype=np.int32 if len(has_target) < 2**31 else np.int64)
    rank[index] = np.arange(len(index), dtype=rank.dtype)
    remaining = count_kept(table, len(index), holdout, " with a target" if targets or label else "")
    doubts = tuple(doubt for name, words in categories.items() if name != label for doubt in _doubts(name, words))
    return Survey(rank, len(index), remaining, int((~has_target).sum()), parsed, categories, doubts=doubts)


def _doubts(name: str, words: tuple[str, ...]) -> list[str]:
    """Whether a column is one of categories, after all."""
    if len(words) > FEW_CODES and all(map(_is_number, words)):
        return [f"'{name}' holds {len(words)} different numbers; without --categorical it counts as a number"]
    if len(words) > MANY_CATEGORIES:
        return [f"'{name}' has {len(words)} categories, each of which needs rows of its own; --drop leaves it out"]
    return []


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def count_kept(table: Table, used: int, holdout: float = 0.0, what: str = " with a target") -> int:
    """How many of the rows used are trained on."""
    remaining = int(used * (1.0 - holdout) + 1e-9)
    if remaining < 2:
        raise DataError(
            f"{table.title} has {remaining} row{'s' * (remaining != 1)}{what} to train on; at least 2 are needed"
        )
    return remaining


def sorted_categories(values: dict[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """The categories in the order of a model."""
    for name, value in values.items():
        if not value:
            raise _categories(name, "0")
        if len(value) > MOST_CATEGORIES:
            raise _categories(name, f"more than {MOST_CATEGORIES}")
    return {name: tuple(sorted(value)) for name, value in values.items()}


def no_times(name: str, example: str) -> DataError:
    """Not one value is a time."""
    return DataError(
        f"--time: no value of column '{name}' is a time, the first is '{example}'; "
        "allowed are ISO 8601 (2024-05-31 13:00:00) and seconds since 1970"
    )


def _categories(name: str, count: str) -> DataError:
    return DataError(
        f"--categorical: column '{name}' has {count} values, allowed are 1 to {MOST_CATEGORIES}; "
        "leave it out with --drop"
    )
