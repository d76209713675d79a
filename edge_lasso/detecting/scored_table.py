"""A table scored by a detector as a board would: the score of every row, the alarms, and who caused them, when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.detecting.ordered_rows import in_order
from edge_lasso.errors import DataError
from edge_lasso.predicting.board_rows import BoardRows
from edge_lasso.predicting.scores import Scorer, by_sensor
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table, model_columns, open_table
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso_runtime.detector import KEY, Detector, sensors
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import warm_up

Array = npt.NDArray[Any]
BINS = 120
"""Steps of time into which shares are added up."""


@dataclass(frozen=True)
class Alarm:
    """Rows above the threshold that belong together.

    Parameters
    ----------
    first, last : int
        Rows.
    rows : int
        How many of them are above the threshold.
    peak : float
    shares : list of (str, float)
        The sensors with their part of the score over these rows, largest first; at most three.
    """

    first: int
    last: int
    rows: int
    peak: float
    shares: list[tuple[str, float]]


@dataclass(frozen=True)
class Scored:
    """What a report shows of a scored table.

    Parameters
    ----------
    title : str
        Of the table.
    x : array, shape (rows,)
        Seconds since 1970; without times the rows' numbers.
    timed : bool
    breaks : array of int
        Rows before which there is a gap.
    scores : array, shape (rows,)
    thresholds : array, shape (rows,)
        They differ only where the board adjusts the threshold.
    hits : array of bool, shape (rows,)
        In alarm.
    alarms : list of Alarm
    parts : array, shape (bins, sensors)
        What each watched sensor contributed to the scores, added up over equal steps of `x`.
    warm_up : int
        Rows at the start, before which there is no alarm.
    missing : int
        Rows that lack a reading.
    notes : list of str
    """

    title: str
    x: Array
    timed: bool
    breaks: Array
    scores: Array
    thresholds: Array
    hits: Array
    alarms: list[Alarm]
    parts: Array
    warm_up: int
    missing: int
    notes: list[str]


def score_table(model: Model, data: Any) -> Scored:
    """Score the rows of a table in their order.

    Times are read from the column that training named, if the table has it; rows must be in their order then.

    Parameters
    ----------
    model : Model
        A detector.
    data : path or table

    Raises
    ------
    DataError
        A column is missing, or holds what is no number; rows out of order.
    """
    table = open_table(data)
    numeric, text = model_columns(model)
    for name in (*numeric, *text):
        table.check(name)
    rows, notes = _rows(table, model, numeric)
    times = rows.times
    x = np.arange(rows.used, dtype=np.float64) if times is None else times.microseconds / 1e6
    breaks = np.zeros(0, dtype=np.int64) if rows.breaks is None else rows.breaks
    board, scorer = BoardRows(model, rows.breaks), Scorer(model.sections[KEY], warm_up(model))
    watched = [numeric.index(sensor["reading"]) for sensor in model.sections[KEY]["watched"]]
    names = sensors(model)
    decisions = _Decisions(model, rows.used, x, breaks)
    bins = _bins(x)
    parts = np.zeros((int(bins[-1]) + 1 if len(bins) else 0, len(names)))
    scores = np.empty(rows.used)
    episodes = _Episodes(names)
    missing, done = 0, 0
    try:
        for numbers, texts in table.batches(numeric, text):
            readings, linear, widths = board.step(numbers, texts)
            here = slice(done, done + len(readings))
            missing += int(np.isnan(readings).any(axis=1).sum())
            scores[here], part = scorer.step(readings[:, watched] - linear, widths)
            part = by_sensor(part, model)
            first = np.flatnonzero(np.diff(bins[here], prepend=-1))
            if len(first):
                parts[bins[here][first]] += np.add.reduceat(part, first, axis=0)
            hits, onsets = decisions.step(scores[here])
            episodes.step(done, hits, onsets, scores[here], part)
            done += len(readings)
    except NotANumber as error:
        raise DataError(error.saying("the model needs numbers there")) from None
    return Scored(
        table.title, x, times is not None, breaks, scores, decisions.thresholds, decisions.hits, episodes.alarms(),
        parts, decisions.warm_up, missing, notes,
    )  # fmt: skip


def _rows(table: Table, model: Model, numeric: Sequence[str]) -> tuple[Survey, list[str]]:
    """The rows in the order of time, or as they come."""
    count = sum(len(texts[0]) for _, texts in table.batches([], numeric[:1]))
    if count < 2:
        raise DataError(f"{table.title} has {count} row{'s' * (count != 1)}; a timeline takes at least 2")
    time = (model.provenance.get("options") or {}).get("time")
    result, notes = in_order(table, numeric, time if time in table.columns else None, 0.0)
    if "fixed_point/1" in model.sections:
        notes = [*notes, "scored in floating point; a board with integers comes as close as verify says"]
    return result, notes


def _bins(x: Array) -> Array:
    """In which of at most `BINS` equal steps of time each row is."""
    if not len(x):
        return np.zeros(0, dtype=np.intp)
    count = min(BINS, len(x))
    span = float(x[-1] - x[0]) or 1.0
    return np.asarray(np.minimum((x - x[0]) / span * count, count - 1), dtype=np.intp)


class _Decisions:
    """Which rows are in alarm, which begin one; what `Detector.decide` says, after the warm-up."""

    def __init__(self, model: Model, rows: int, x: Array, breaks: Array) -> None:
        section = model.sections[KEY]
        memory = warm_up(model)
        self.warm_up = max(section["warm_up"], memory)
        self.thresholds = np.full(rows, section["threshold"]["score"])
        self.hits = np.zeros(rows, dtype=bool)
        self._hold = section["threshold"]["hold"]
        self._adjusting = Detector(model) if section.get("adjust") is not None else None
        self._last = -(1 << 40)
        self._row = 0
        # after a gap longer than the histories the board waits as after a start
        starts = [0]
        step = section.get("step_seconds")
        if memory and step and len(breaks):
            away = (x[breaks] - x[breaks - 1]) / step + 0.5 - 1.0
            starts += breaks[away >= memory].tolist()
        place = np.zeros(rows, dtype=np.int64)
        if rows:
            place[starts] = starts
        self._warm = np.arange(rows) - np.maximum.accumulate(place) >= self.warm_up

    def step(self, scores: Array) -> tuple[Array, Array]:
        """Rows in alarm, and those that begin one."""
        here = slice(self._row, self._row + len(scores))
        warm = self._warm[here]
        if self._adjusting is None:
            hits = warm & (scores > self.thresholds[here])
            at = np.flatnonzero(hits) + self._row
            onsets = np.zeros(len(scores), dtype=bool)
            onsets[at[np.diff(at, prepend=self._last) > self._hold + 1] - self._row] = True
            self._last = int(at[-1]) if len(at) else self._last
        else:
            hits, onsets = np.zeros(len(scores), dtype=bool), np.zeros(len(scores), dtype=bool)
            for t, (score, ready) in enumerate(zip(scores.tolist(), warm.tolist(), strict=True)):
                self.thresholds[self._row + t] = self._adjusting.threshold
                if ready:
                    hits[t], onsets[t] = self._adjusting.decide(score)
        self.hits[here] = hits
        self._row += len(scores)
        return hits, onsets


class _Episodes:
    """Alarms, put together over batches."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._found: list[list[Any]] = []  # first, last, rows, peak, parts

    def step(self, done: int, hits: Array, onsets: Array, scores: Array, parts: Array) -> None:
        """The next rows, from row `done` on."""
        at = np.flatnonzero(hits)
        if not len(at):
            return
        first = np.flatnonzero(onsets[at])
        cuts = np.unique(np.r_[0, first])
        ends = np.r_[cuts[1:], len(at)] - 1
        sums, peaks = np.add.reduceat(parts[at], cuts, axis=0), np.maximum.reduceat(scores[at], cuts)
        for k, (a, b) in enumerate(zip(cuts.tolist(), ends.tolist(), strict=True)):
            count, last = b - a + 1, done + int(at[b])
            if onsets[at[a]]:
                self._found.append([done + int(at[a]), last, count, float(peaks[k]), sums[k]])
            else:
                entry = self._found[-1]
                entry[1:] = [last, entry[2] + count, max(entry[3], float(peaks[k])), entry[4] + sums[k]]

    def alarms(self) -> list[Alarm]:
        """All of them, in the order of time."""
        results = []
        for first, last, rows, peak, sums in self._found:
            order = np.argsort(-sums, kind="stable")[:3]
            total = float(sums.sum()) or 1.0
            shares = [(self._names[k], float(sums[k]) / total) for k in order if sums[k] > 0.0]
            results.append(Alarm(first, last, rows, peak, shares))
        return results
