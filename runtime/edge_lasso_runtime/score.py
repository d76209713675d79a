"""``python -m edge_lasso_runtime score``: one result per reading, for as long as readings come.

State is saved in a snapshot: every so many readings or seconds, at the end of the input, and on SIGTERM or an interrupt
after the lines that have been read. Results are written before the state that includes them is saved, so after a power
cut the rows since the last snapshot are scored again, none is left out, and what follows is what an uninterrupted run
would have given.
"""

from __future__ import annotations

import os
import sys

from .keeper import Keeper, Stop, report, state_digest
from .lines import LONGEST, Lines
from .readings import REPORTS, Readings
from .results import Results
from .rows import RowError
from .step import start, step
from .times import missed, seconds, step_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model


class Scorer:
    """Lines in, lines out.

    Parameters
    ----------
    keeper : Keeper
    model : Model
    time : str or None
        The field of times; gaps are noticed where `apart`, the seconds between readings, is known.
    """

    def __init__(self, model: Model, keeper: Keeper, results: Results, time: str | None, apart: float | None) -> None:
        self._model = model
        self._keeper = keeper
        self._results = results
        self._apart = apart
        self._last: float | None = keeper.more.get("time")
        self._odd = 0
        self.readings = Readings(model, time, report)
        self.gaps = 0

    def take(self, line: bytes) -> str:
        """The result of one line with its end; empty where there is none."""
        found = self.readings.read(line)
        if found is None:
            return ""
        values, time = found
        state = self._keeper.state
        if time is not None and self._apart is not None:
            self._gap(time, self._apart)
        result, _ = step(self._model, state, values)
        return self._results.line(result, state, time) + "\n"

    def _gap(self, time: Any, apart: float) -> None:
        now = seconds(time)
        last = self._last
        if now is None or (last is not None and now <= last):
            self._odd += 1
            if self._odd <= REPORTS:
                what = "is no time" if now is None else "is not after the one before"
                report(
                    f"line {self.readings.lines}: the time {str(time)[:60]!r} {what}; it is taken as the next reading"
                )
            if now is None:
                return
        elif last is not None:
            lost = missed(last, now, apart)
            if lost:
                self._keeper.state.gap(lost)
                self.gaps += 1
                if self.gaps <= REPORTS:
                    report(f"line {self.readings.lines}: a gap of {lost} readings before {str(time)[:60]!r}")
        self._last = self._keeper.more["time"] = now

    def finish(self, rest: bytes, lost: int) -> str:
        """What is left at the end: a last line without an end is a reading if it can be read."""
        out = ""
        if rest.strip():
            before = self.readings.unreadable
            out = self.take(rest)
            if self.readings.unreadable > before:
                report(f"the input ends in half a line ({len(rest)} bytes)")
        if lost:
            report(f"{lost} lines of more than {LONGEST} bytes were left out")
        if self.readings.unreadable or self.gaps:
            report(f"{self.readings.lines} lines, {self.readings.unreadable} of them unreadable; {self.gaps} gaps")
        return out


def score(
    model: Model,
    source: str,
    path: str | None = None,
    every: str = "10s",
    fresh: bool = False,
    time: str | None = None,
    apart: float | None = None,
    explain: int | None = None,
    values: bool = False,
    digest: bool = False,
) -> int:
    """Score a file or standard input (``-``); returns the exit code.

    Parameters
    ----------
    model : Model
    source : str
    path, every, fresh
        See `Keeper`.
    time, apart
        See `Scorer`; without `apart` the model says how far apart readings are.
    explain, values
        See `Results`.
    digest : bool
        Print the digest of the drift counters to standard error at the end.

    Raises
    ------
    RowError, SnapshotError, OSError
    """
    if digest:
        state_digest(model, start(model))
    if time is not None and apart is None:
        apart = step_seconds(model)
        if apart is None and any(one.stream is not None for one in model.inputs):
            raise RowError("the model looks back, but does not say how far apart readings are; give --step SECONDS")
    keeper = Keeper(model, path, every, fresh)
    scorer = Scorer(model, keeper, Results(model, explain, values), time, apart)
    descriptor = 0 if source == "-" else os.open(source, os.O_RDONLY)
    stop = Stop()
    lines = Lines(descriptor, stop.wake)
    write = sys.stdout.buffer.write if sys.stdout is not None else len
    while not stop.asked:
        batch = lines.read(keeper.wait())
        if batch is None:
            write(scorer.finish(lines.rest, lines.lost).encode())
            break
        while batch:
            size = keeper.rows_left()
            part = batch[:size]
            scorer.readings.look_ahead(part)
            write("".join(map(scorer.take, part)).encode())
            del batch[:size]
            if keeper.rows_left() <= 0:
                sys.stdout.flush()
                keeper.save_if_due()
        sys.stdout.flush()
        keeper.save_if_due()
    sys.stdout.flush()
    keeper.save()
    if digest:
        print(f"digest: {state_digest(model, keeper.state).hex()}", file=sys.stderr)
    return stop.code
