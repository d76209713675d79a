"""``python -m edge_lasso_runtime score``: one result per reading, for as long as readings come.

State is saved in a snapshot: every so many readings or seconds, at the end of the input, and on SIGTERM or an interrupt
after the lines that have been read. Results are written before the state that includes them is saved, so after a power
cut the rows since the last snapshot are scored again, none is left out, and what follows is what an uninterrupted run
would have given.
"""

from __future__ import annotations

import os
import sys

from .batch import steps
from .keeper import Keeper, Stop, begin_anew, state_digest
from .lines import LONGEST, lines_of
from .printable import report
from .pulse import Pulse
from .readings import REPORTS, Readings, some
from .results import Results
from .rows import RowError, open_lines
from .step import follow, start, step
from .times import missed, seconds, step_seconds
from .truth import truth_names, truths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .compiled import Compiled
    from .model import Model
    from .second_stage import SecondStage
    from .step_result import Step


TOGETHER = 256
"""So many readings at most are scored together: enough to be quick, few enough to take little memory."""

AT_ONCE = 64
"""So many lines are read by a compiled library before what it left is read here."""
CROWD, PATIENCE = 32, 2000
"""A stream is fast when so many lines wait, and worth compiling after so many of them."""


class Scorer:
    """Lines in, lines out.

    Parameters
    ----------
    keeper : Keeper
    model : Model
    second : SecondStage or None
    time : str or None
        The field of times; gaps are noticed where `apart`, the seconds between readings, is known.
    """

    def __init__(
        self,
        model: Model,
        keeper: Keeper,
        results: Results,
        time: str | None,
        apart: float | None,
        missing: Sequence[str] = (),
        pulse: Pulse | None = None,
        second: SecondStage | None = None,
    ) -> None:
        self._model = model
        self._pulse = pulse or Pulse(model)
        self._keeper = keeper
        self._results = results
        self._apart = apart
        last = keeper.more.get("time")
        self._last: float | None = last if isinstance(last, float) else None
        self._odd = 0
        self._together = 1 if results.explains else TOGETHER
        self._one_by_one = keeper.follows or keeper.state.reach is not None
        follows = self._pulse.metrics is not None or self._one_by_one
        truth = truth_names(model) if follows else ()
        self._truths, self._second = len(truth), second
        more = truth if second is None else (*truth, *second.names)
        self.readings = Readings(model, time, report, missing, more, () if second is None else second.texts)
        self.gaps = 0
        self._compiled: Compiled | None = None
        self._waited = PATIENCE if self._one_by_one or results.explains else 0

    def take(self, lines: list[bytes]) -> str:
        """The results of lines, a line each; lines without readings have none."""
        if self._waited < PATIENCE and len(lines) >= CROWD:
            self._waited += len(lines)
            if self._waited >= PATIENCE:
                self._compile()
        if self._compiled is None:
            return self._take(lines)
        out = []
        for at in range(0, len(lines), AT_ONCE):
            part = lines[at : at + AT_ONCE]
            form = self.readings.form()
            count = 0 if form is None else self._compiled.scan(part, form)
            if count:
                self.readings.lines += count
                out += self._compiled_lines(self._compiled, count)
            if count < len(part):
                out.append(self._take(part[count:]))
        return "".join(out)

    def _compile(self) -> None:
        try:
            from .compiled import NotCompiled, compiled
        except ImportError:  # a bundle has no C
            return
        try:
            self._compiled = compiled(self._model)
        except NotCompiled as error:
            report(f"the stream is computed in Python, which gives the same more slowly: {error}")

    def _take(self, lines: list[bytes]) -> str:
        self.readings.look_ahead(lines)
        out: list[str] = []
        rows: list[Any] = []
        times: list[Any] = []
        known: list[Any] = []
        for line in lines:
            content = self.readings.read(line)
            if content is None:
                continue
            lost = self._lost(content[1])
            if lost or len(rows) == self._together:
                out += self._score(rows, times, known)
                rows, times, known = [], [], []
            if lost:
                self._keeper.state.gap(lost)
                if self._keeper.learner is not None:
                    self._keeper.learner.gap()
            rows.append(content[0])
            times.append(content[1])
            known.append(self.readings.more)
        return "".join(out + self._score(rows, times, known))

    def may_begin_anew(self, source: str, rest: bytes) -> bool:
        """Whether another process can go on where this one is: between two lines of JSON from standard input."""
        if source != "-" or not self.readings.takes_objects:
            report("SIGHUP is for JSON lines from standard input: what else was read cannot be taken over; restart it")
            return False
        return not rest

    def _score(self, rows: list[Any], times: list[Any], known: list[Any]) -> list[str]:
        state, line = self._keeper.state, self._results.line
        corrections: list[list[float]] = []
        results = self._pulse.timed(lambda: self._steps(rows, known, corrections), state)
        if self._truths and known:
            self._pulse.errors(results, truths(self._model, [each[0] for each in known]))
        written = [line(result, state, time) for result, time in zip(results, times)]
        if self._keeper.adapter is not None:
            parts = [self._results.corrected(each) for each in corrections]
            written = [f"{text[:-1]}{part}}}" for text, part in zip(written, parts)]
        second = self._second
        if second is not None:
            rows = [each[self._truths :] for each in known]
            parts = [second.part(result, row) for result, row in zip(results, rows)]
            written = [f"{text[:-1]}{part}}}" for text, part in zip(written, parts)]
        return [f"{text}\n" for text in written]

    def _compiled_lines(self, library: Compiled, count: int) -> list[str]:
        """The results of lines that the library has read."""
        state, line, brief = self._keeper.state, self._results.line, self._results.brief
        results = self._pulse.timed(lambda: library.steps(state, count, brief), state)
        return [f"{line(result, state)}\n" for result in results]

    def _steps(self, rows: list[Any], known: list[Any], corrections: list[list[float]]) -> list[Step]:
        state = self._keeper.state
        if not self._one_by_one:
            if self._compiled is not None and self._compiled.fill(rows):
                return self._compiled.steps(state, len(rows), self._results.brief and self._second is None)
            return steps(self._model, state, rows)
        results = []
        for row, each in zip(rows, known):
            result, _ = step(self._model, state, row)
            answers, moved = self._keeper.follow(result, each[: self._truths])
            corrections.append(moved)
            if state.reach is not None:
                follow(state, result, answers)
            results.append(result)
        return results

    def _lost(self, time: Any) -> int:
        """How many readings are missing before this one."""
        if time is None or self._apart is None:
            return 0
        lost = 0
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
                return 0
        elif last is not None:
            lost = missed(last, now, self._apart)
            if lost:
                self.gaps += 1
                if self.gaps <= REPORTS:
                    report(f"line {self.readings.lines}: a gap of {some(lost, 'reading')} before {str(time)[:60]!r}")
        self._last = self._keeper.more["time"] = now
        return lost

    def finish(self, rest: bytes, lost: int) -> str:
        """What is left at the end: a last line without an end is a reading if it can be read."""
        out = ""
        if rest.strip():
            before = self.readings.unreadable
            out = self.take([rest])
            if self.readings.unreadable > before:
                report(f"the input ends in half a line ({some(len(rest), 'byte')})")
        if self.readings.unreadable and not self.readings.begun:
            raise RowError("no line of the input can be read; it takes CSV with a header, or a JSON object a line")
        if lost:
            report(f"left out {some(lost, 'line')} of more than {LONGEST} bytes")
        if self.readings.unreadable or self.gaps:
            lines, gaps = some(self.readings.lines, "line"), some(self.gaps, "gap")
            report(f"{lines}, {self.readings.unreadable} of them unreadable; {gaps}")
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
    missing: Sequence[str] = (),
    figures: str | None = None,
    file: str = "",
    learn: str | None = None,
    cascade: str | None = None,
    adapt: str | None = None,
    within: float = 0.0,
    encoding: str | None = None,
) -> int:
    """Score a file or standard input (``-``); returns the exit code.

    Parameters
    ----------
    model : Model
    source : str
    path, every, fresh, learn
        See `Keeper` and `Learner`.
    time, apart
        See `Scorer`; without `apart` the model says how far apart readings are.
    explain, values
        See `Results`.
    digest : bool
        Print the digest of the drift counters to standard error at the end.
    missing
        See `Readings`.
    figures, file
        See `Pulse`.
    cascade : str or None
        File of the model that takes the rows that go on; see `SecondStage`.
    adapt, within
        See `Adapter`; None: nothing is corrected.
    encoding : str or None
        Of a file; None: found out.

    Raises
    ------
    RowError, SnapshotError, OSError
    """
    if digest:
        state_digest(model, start(model))
    if time is not None and apart is None:
        apart = step_seconds(model)
        if apart is None and any(feature.stream is not None for feature in model.inputs):
            raise RowError("the model looks back, but does not say how far apart readings are; give --step SECONDS")
    if source == "-" and sys.stdin is None:
        raise RowError("standard input is closed; name a file, or give it lines")
    if os.path.isdir(source):
        raise RowError(f"{source} is a folder; give a file, or - for standard input")
    second = None
    if cascade is not None:
        from .second_stage import SecondStage

        second = SecondStage(model, cascade)
    keeper = Keeper(model, path, every, fresh, learn, adapt, within)
    pulse = Pulse(model, figures, file)
    scorer = Scorer(model, keeper, Results(model, explain, values), time, apart, missing, pulse, second)
    descriptor = 0 if source == "-" else open_lines(source, encoding)
    stop = Stop()
    lines = lines_of(descriptor, stop.wake)
    pulse.ready()
    while not stop.asked:
        batch = lines.read(pulse.wait(keeper.wait()))
        pulse.beat()
        if batch is None:
            _write(scorer.finish(lines.rest, lines.lost))
            break
        while batch:
            size = keeper.rows_left()
            part = batch[:size]
            _write(scorer.take(part))
            del batch[:size]
            if keeper.rows_left() <= 0:
                sys.stdout.flush()
                keeper.save_if_due()
        sys.stdout.flush()
        keeper.save_if_due()
        if stop.again and scorer.may_begin_anew(source, lines.rest):
            break
        stop.again = stop.again and bool(lines.rest)
    if stop.asked and lines.rest.strip():
        report(f"stopped in the middle of a line; left out its first {some(len(lines.rest), 'byte')}")
    sys.stdout.flush()
    keeper.save()
    pulse.stopping()
    if stop.again and not stop.asked:
        begin_anew()
    if digest:
        print(f"digest: {state_digest(model, keeper.state).hex()}", file=sys.stderr)
    return stop.code


def _write(text: str) -> None:
    """Write all of it to standard output: one that is not buffered takes a part of it when a signal comes."""
    data = memoryview(text.encode())
    while data:
        data = data[sys.stdout.buffer.write(data) or 0 :]
