"""How a table is to be read, where that cannot be found out: the options that every command takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_lasso.errors import DataError

SECONDS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
METHODS = ("last", "mean", "nearest")


@dataclass(frozen=True)
class Reading:
    """How a table is to be read.

    Parameters
    ----------
    time : tuple of str
        The column of times, or those of date and time of day.
    time_format : str, optional
        As `datetime.strptime` takes it; default: found out.
    zone : str, optional
        Where times without a zone were taken, such as ``Europe/Berlin``; default: UTC.
    missing : tuple of str
        What stands for a missing reading, beside the usual marks; numbers, too.
    encoding : str, optional
        Of a text file; default: found out.
    long : tuple of (str, str, str), optional
        Columns of name, value and time, of a table with one reading a row.
    every : float, optional
        Seconds between rows: readings are put on a grid.
    method : {"last", "mean", "nearest"}
        Which of the readings near a point of the grid it takes.
    hold : float, optional
        The most seconds a reading holds; default: `every`.
    """

    time: tuple[str, ...] = ()
    time_format: str | None = None
    zone: str | None = None
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    long: tuple[str, ...] = ()
    every: float | None = None
    method: str = "last"
    hold: float | None = None

    @property
    def column(self) -> str | None:
        """What the column of times is called in the table: the first of two."""
        return self.time[0] if self.time else (self.long[2] if self.long else None)


def parse_duration(text: str, option: str) -> float:
    """Seconds from ``90``, ``90s``, ``1min``, ``2h``."""
    pair = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", text)
    try:
        seconds = float(pair.group(1)) * SECONDS[pair.group(2) or "s"] if pair else 0.0
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0.0 < seconds < 1e9:
        raise DataError(f"{option} {text!r} is no duration; for example: {option} 1min (units: ms, s, min, h, d)")
    return seconds


def parse_reading(
    time: str | None = None,
    time_format: str | None = None,
    zone: str | None = None,
    missing: list[str] | None = None,
    encoding: str | None = None,
    long: str | None = None,
    every: str | None = None,
    hold: str | None = None,
) -> Reading:
    """The options as they are typed.

    Raises
    ------
    DataError
        A duration, a list or a method that is none.
    """
    names = tuple(name.strip() for name in long.split(",")) if long else ()
    if long and (len(names) != 3 or not all(names)):
        raise DataError(f"--long {long!r} is not ID,VALUE,TIME; for example: --long entity_id,state,last_changed")
    period, _, method = (every or "").partition(":")
    if every and (method or "last") not in METHODS:
        raise DataError(f"--every {every!r}: '{method}' is no way to choose; allowed are {', '.join(METHODS)}")
    if hold and not every:
        raise DataError("--hold goes with --every, which says at which times rows are wanted")
    times = tuple(name.strip() for name in time.split(",") if name.strip()) if time else ()
    if len(times) > 2:
        raise DataError(f"--time {time!r} names {len(times)} columns; it takes one, or those of date and time of day")
    if every and not (times or names):
        raise DataError("--every needs --time: without times there is nothing to put in order")
    return Reading(
        times, time_format, zone, tuple(mark.strip() for text in missing or () for mark in text.split(",")), encoding,
        names, parse_duration(period, "--every") if every else None, method or "last",
        parse_duration(hold, "--hold") if hold else None,
    )  # fmt: skip
