"""What the rows to train on look like: the sections ``health/1`` and ``drift/1``, in one pass over the model's columns.

A board compares with it: see `edge_lasso_runtime.health` and `edge_lasso_runtime.drift`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.tables.derived_columns import NO_BREAKS, ModelHistory
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table, model_block, model_columns
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import readings

Array = npt.NDArray[Any]
BINS = 8
MOST_SAMPLES = 20_000
MOST_ERRORS = 200_000
SHORTEST_RUN = 5
"""Equal readings in a row that are never called stuck, however short the runs in training."""
CLIP = 8.0
ALLOWANCE = 0.5
LEAST_LIMIT, LARGEST_LIMIT = 50.0, 4000.0


@dataclass(frozen=True)
class Seen:
    """What the rows trained on look like.

    Parameters
    ----------
    names : list of str
        The readings of numbers.
    run : array of int
        The longest run of equal readings of each.
    jump : array
        The largest change from one reading to the next.
    sample : array, shape (rows, readings)
        Evenly spaced rows; NaN where a reading is missing.
    missing : array
        Part of the rows in which each is missing.
    linear : array
        The first output on the sampled rows.
    error : array
        Truth minus prediction of the first output, of the last `MOST_ERRORS` rows in the order of time; empty where
        the outputs' names are no columns.
    """

    names: list[str]
    run: Array
    jump: Array
    sample: Array
    missing: Array
    linear: Array
    error: Array


class _Runs:
    """Longest run of equal readings and largest step of one reading, batch by batch; gaps are skipped."""

    def __init__(self) -> None:
        self.last, self.segment, self.length = np.nan, -1, 0
        self.longest, self.jump = 0, 0.0

    def add(self, values: Array, segments: Array) -> None:
        known = np.flatnonzero(values == values)
        if not len(known):
            return
        values, segments = np.r_[self.last, values[known]], np.r_[self.segment, segments[known]]
        step, together = np.diff(values), segments[1:] == segments[:-1]
        self.jump = max(self.jump, float(np.abs(step[together]).max(initial=0.0)))
        starts = np.flatnonzero((step != 0.0) | ~together)
        ends = np.r_[starts, len(step)]
        lengths = np.diff(np.r_[0, ends])
        lengths[0] += self.length
        self.longest = max(self.longest, int(lengths.max()))
        self.length = int(lengths[-1])
        self.last, self.segment = values[-1], int(segments[-1])


def look(table: Table, model: Model, rows: Survey, truth: bool = True) -> Seen:
    """Read the model's columns of the rows trained on, and those between them.

    Parameters
    ----------
    table : Table
    model : Model
    rows : Survey
    truth : bool
        The first output's name is a column: the error of its prediction is wanted.
    """
    numeric, text = model_columns(model)
    at = [i for i in readings(model) if model.inputs[i].categories is None]
    breaks = NO_BREAKS if rows.breaks is None else rows.breaks
    history = ModelHistory(model, rows.breaks)
    runs = [_Runs() for _ in at]
    stride = -(-rows.kept // MOST_SAMPLES)
    first = max(rows.kept - MOST_ERRORS, 0)
    error = np.full(rows.kept - first if truth else 0, np.nan)
    sample, linear = [], []
    missing, done = np.zeros(len(at)), 0
    last = int(np.flatnonzero((rows.rank >= 0) & (rows.rank < rows.kept))[-1]) + 1
    targets = [model.outputs[0].name] if truth else []
    count = [] if numeric or text or targets else [table.columns[0]]
    for numbers, texts in table.batches([*numeric, *targets], [*text, *count]):
        stop = min(len(numbers), last - done)
        block = model_block(model, numbers[:stop, : len(numeric)], [text[:stop] for text in texts], history)
        rank = rows.rank[done : done + stop]
        with np.errstate(invalid="ignore"):
            block[~(np.abs(block) <= model.limit)] = np.nan
        segments = np.searchsorted(breaks, np.arange(done, done + stop), side="right")
        for run, i in zip(runs, at, strict=True):
            run.add(block[:, i], segments)
        remaining = (rank >= 0) & (rank < rows.kept)
        missing += np.isnan(block[remaining][:, at]).sum(axis=0)
        chosen = remaining & (rank % stride == 0)
        sample.append(block[chosen][:, at])
        linear.append(linear_rows(model, block[chosen])[0][:, 0])
        if truth:
            near = remaining & (rank >= first)
            error[rank[near] - first] = numbers[:stop][near, len(numeric)] - linear_rows(model, block[near])[0][:, 0]
        done += len(numbers)
        if done >= last:
            break
    return Seen(
        [model.inputs[i].name for i in at],
        np.array([run.longest for run in runs], dtype=int),
        np.array([run.jump for run in runs]),
        np.concatenate(sample),
        missing / max(rows.kept, 1),
        np.concatenate(linear),
        error,
    )


def health_section(seen: Seen) -> dict[str, Any]:
    """Section ``health/1``: equal for longer than ever (and than `SHORTEST_RUN`) is stuck, a larger change a jump."""
    return {
        "readings": [
            {"input": name, "stuck": max(int(run), SHORTEST_RUN), "jump": float(jump)}
            for name, run, jump in zip(seen.names, seen.run, seen.jump, strict=True)
        ]
    }


def drift_section(seen: Seen, mean_squared_error: float | None = None) -> dict[str, Any]:
    """Section ``drift/1`` of a model that is no detector: readings, first output, and the size of its error.

    Parameters
    ----------
    seen : Seen
    mean_squared_error : float, optional
        On rows not trained on: the errors seen, which are of rows trained on, are scaled to it.
    """
    section: dict[str, Any] = {
        "readings": [
            {"input": name, **bins(column), "missing": round(float(part), 6)}
            for name, column, part in zip(seen.names, seen.sample.T, seen.missing, strict=True)
            if not np.isnan(column).all()
        ],
        "score": bins(np.array([float(f"{value:.9g}") for value in seen.linear])),
    }
    size = np.abs(seen.error[~np.isnan(seen.error)])
    own = float(np.mean(size**2)) if len(size) else 0.0
    if own > 0.0:
        wider = (mean_squared_error / own) ** 0.5 if mean_squared_error else 1.0
        section["page_hinkley"] = page_hinkley(size * max(wider, 1.0))
    return section


def bins(values: Array) -> dict[str, list[float]]:
    """Quantile bins of a sample, and the part of it in each; a value on an edge belongs below it."""
    known = np.sort(values[values == values])
    places = np.arange(1, BINS) * len(known) // BINS
    edges = np.unique(known[places])
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "parts": [round(part, 6) for part in (counts / len(known)).tolist()]}


def page_hinkley(values: Array) -> dict[str, float]:
    """Mean and deviation of what is watched, in order, and the rise that is an alarm: twice the largest one seen."""
    mean, deviation = float(values.mean()), float(values.std())
    if not deviation > 0.0:
        deviation = abs(mean) or 1.0
    level = np.cumsum(np.minimum((values - mean) / deviation, CLIP) - ALLOWANCE)
    rise = float((level - np.minimum(np.minimum.accumulate(level), 0.0)).max(initial=0.0))
    limit = min(max(2.0 * rise, LEAST_LIMIT), LARGEST_LIMIT)
    table = {"mean": mean, "deviation": deviation, "allowance": ALLOWANCE, "limit": limit}
    return {key: float(f"{value:.6g}") for key, value in table.items()}


def without_inputs(sections: dict[str, Any], gone: Sequence[str], rise: float) -> dict[str, Any]:
    """The sections of a model without some readings, whose mean squared error is `rise` times as large."""
    away, remaining = set(gone), dict(sections)
    for key in ("health/1", "drift/1"):
        if key in remaining:
            left = [entry for entry in remaining[key]["readings"] if entry["input"] not in away]
            remaining[key] = {**remaining[key], "readings": left}
    hinkley = remaining.get("drift/1", {}).get("page_hinkley")
    if hinkley is not None:
        wider = {name: float(f"{hinkley[name] * max(rise, 1.0) ** 0.5:.6g}") for name in ("mean", "deviation")}
        remaining["drift/1"] = {**remaining["drift/1"], "page_hinkley": {**hinkley, **wider}}
    return remaining
