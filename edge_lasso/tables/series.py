"""Which inputs are to be computed from earlier rows, and whether a table's rows are a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.tables.derived_columns import Stream
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso.tables.times import NOT_A_TIME, time_text
from edge_lasso_runtime.format import LONGEST_STREAM
from edge_lasso_runtime.model import STREAMS

LONGER = 1.5
"""Times farther apart than this many typical steps have a gap between them."""


@dataclass(frozen=True)
class Past:
    """A kind of derived input that is asked for.

    Parameters
    ----------
    kind : {"lag", "difference", "mean", "ewma"}
    length : int
    columns : tuple of str
        Of these columns (or patterns); empty: of every input of numbers.
    """

    kind: str
    length: int
    columns: tuple[str, ...] = ()


def lags(count: int, columns: Sequence[str] = ()) -> list[Past]:
    """Lags 1 to `count`."""
    return [Past("lag", length, tuple(columns)) for length in range(1, count + 1)]


def parse_past(options: dict[str, Sequence[str] | None]) -> list[Past]:
    """Derived inputs as typed, ``LENGTH`` or ``LENGTH:COLUMN,COLUMN``, by option: lags, difference, mean, ewma."""
    result: list[Past] = []
    for option, values in options.items():
        kind = "lag" if option == "lags" else option
        least = 1 if kind in ("lag", "difference") else 2
        for text in values or ():
            length, colon, rest = text.partition(":")
            names = tuple(part.strip() for part in rest.split(",") if part.strip())
            if not length.strip().isdecimal() or (colon and not names):
                raise DataError(f"--{option} {text!r} is not ROWS or ROWS:COLUMN,COLUMN; for example: --{option} 3")
            rows = int(length)
            if not least <= rows <= LONGEST_STREAM:
                raise DataError(f"--{option} is {rows}; it is a number of rows from {least} to {LONGEST_STREAM}")
            result += lags(rows, names) if option == "lags" else [Past(kind, rows, names)]
    return result


def own_past(targets: Sequence[str], inputs: Sequence[str], past: Sequence[Past]) -> list[str]:
    """The targets whose own past is an input, because they are named as inputs."""
    named = {*inputs, *(name for lag in past for name in lag.columns)}
    return [name for name in targets if past and name in named]


def check_past(past: Sequence[Past], degree: int, hinges: int, group: str | None, cluster: str | None) -> None:
    """Refuse what does not go with inputs computed from earlier rows."""
    if past and degree == 2:
        raise DataError("--degree 2 does not go with inputs from earlier rows (--lags and the like); use --degree 1")
    if past and hinges:
        raise DataError(
            "--hinges does not go with inputs from earlier rows (--lags and the like); leave one of them out"
        )
    if past and (group is not None or cluster is not None):
        raise DataError(
            f"--{'cluster' if cluster is not None else 'group'} does not go with inputs from earlier rows (--lags and "
            "the like), which need all rows of one series in order"
        )


def expand(past: Sequence[Past], table: Table, numeric: Sequence[str], own: Sequence[str] = ()) -> tuple[Stream, ...]:
    """The derived columns of a table.

    Parameters
    ----------
    past : sequence of Past
    table : Table
    numeric : sequence of str
        The inputs of numbers.
    own : sequence of str
        Targets whose own past may be used, too; others are refused.

    Raises
    ------
    DataError
        A column that is no input of numbers.
    """
    streams: list[Stream] = []
    for lag in past:
        if lag.kind not in STREAMS:
            raise DataError(f"kind is {lag.kind!r}; allowed are {', '.join(STREAMS)}")
        option = "lags" if lag.kind == "lag" else lag.kind
        for name in table.expand(lag.columns, f"--{option}") if lag.columns else (*numeric, *own):
            if name in numeric or name in own:
                streams.append((lag.kind, name, lag.length))
            elif name in lag.columns:
                raise DataError(f"--{option}: '{name}' is not among the inputs of numbers; name it with --inputs")
    return tuple(dict.fromkeys(streams))


def series(rows: Survey, time: str | None, who: str = "inputs from earlier rows need") -> tuple[Survey, list[str]]:
    """Rows whose history is known: where it breaks off, and notes.

    A gap in the times is a step longer than `LONGER` times the typical (median) one; a row without a time has a gap
    on both sides. Without times, rows are taken as they come.

    Parameters
    ----------
    rows : Survey
    time : str, optional
        The column of times.
    who : str
        For messages: who needs rows in order.

    Raises
    ------
    DataError
        Rows that are not in the order of time, or with the same time.
    """
    if time is None or rows.times is None:
        return rows, ["derived inputs take rows in the order of the file, without gaps; --time would find gaps"]
    times = rows.times.microseconds
    at = np.flatnonzero(times != NOT_A_TIME)
    steps = np.diff(times[at])
    wrong = np.flatnonzero(steps <= 0)
    if len(wrong):
        row, value = int(at[wrong[0] + 1]) + 1, time_text(times[at[wrong[0] + 1]])
        if steps[wrong[0]] == 0:
            raise DataError(
                f"row {row} repeats the time {value} of '{time}'; {who} one row a time: "
                "drop copies, or train each device in a file of its own"
            )
        raise DataError(
            f"row {row} ({value}) is earlier than the row before it; {who} rows in the order "
            f"of '{time}' (in UTC, where clocks are put back): sort the file"
        )
    rows = with_breaks(rows)
    gaps = int(np.count_nonzero(steps > LONGER * np.median(steps))) if len(steps) else 0
    if not gaps:
        return rows, []
    return rows, [
        f"{gaps} gap{'s' * (gaps > 1)} in '{time}' longer than the typical step of {np.median(steps) / 1e6:g} s; "
        "no derived input reaches across"
    ]


def with_breaks(rows: Survey) -> Survey:
    """Rows with the places where history breaks off; unchanged if they are no series."""
    if rows.times is None:
        return rows
    times = rows.times.microseconds
    known = times != NOT_A_TIME
    at = np.flatnonzero(known)
    steps = np.diff(times[at])
    if (steps <= 0).any():
        return rows
    broken = np.zeros(len(times), dtype=bool)
    if len(steps):
        broken[at[1:]] = steps > LONGER * np.median(steps)
    broken |= ~known
    broken[1:] |= ~known[:-1]
    broken[0] = False
    return replace(rows, breaks=np.flatnonzero(broken))
