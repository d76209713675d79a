"""Training a detector from a table: what `edge-lasso watch` does. Labels are never looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.detecting.fit_detector import DetectorFit, DetectorOptions, fit_detector
from edge_lasso.detecting.following import followed
from edge_lasso.detecting.ordered_rows import in_order, step_of
from edge_lasso.detecting.plots import plot_scores
from edge_lasso.detecting.thresholds import Rate, found_rate
from edge_lasso.errors import DataError
from edge_lasso.predicting.board_rows import BoardRows
from edge_lasso.predicting.scores import Scorer
from edge_lasso.statistics.collect import check_size
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.plans import blocked
from edge_lasso.tables.derived_columns import stream_name
from edge_lasso.tables.series import expand
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table, model_columns, open_table
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso.training.missing import with_estimate
from edge_lasso.training.normal_rows import bins, drift_section, health_section, look, page_hinkley
from edge_lasso.training.options import Training
from edge_lasso.training.outline import data_facts, readable_columns
from edge_lasso.training.results import Shown
from edge_lasso_runtime.detector import KEY, sensors
from edge_lasso_runtime.estimate import numeric as numeric_inputs
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import warm_up

Array = npt.NDArray[Any]
RARE = 0.05
"""Columns of 0 and 1 with fewer ones than this look like labels."""
FEW = 24
"""Inputs that are estimated by default when they are missing: k (k + 1) / 2 numbers more."""


@dataclass(frozen=True, repr=False)
class DetectorResult(Shown):
    """A trained detector and what was seen on the way.

    Parameters
    ----------
    fit : DetectorFit
    model : Model
        With its provenance.
    held : dict or None
        With a `holdout`: rows, alarms (onsets), and the rate of false alarms found there with its interval.
    notes : list of str
    """

    fit: DetectorFit
    model: Model
    held: dict[str, Any] | None
    notes: list[str]

    def plot(self, table: Any, axes: Any = None) -> Any:
        """Draw the score over a table's rows; see `plot_scores`."""
        return plot_scores(self, table, axes)

    def _facts(self) -> str:
        return f"{len(sensors(self.model))} sensors watched; alarms from a score of {self.fit.threshold.score:.4g} on"

    @property
    def folds(self) -> FoldStatistics:
        """The statistics of all columns."""
        return self.fit.folds


def _labels(blocks: Iterator[Array], columns: Sequence[str]) -> dict[str, float]:
    """Columns that look like labels of what is not normal, with their share of ones."""
    possible = np.ones(len(columns), dtype=bool)
    ones, rows = np.zeros(len(columns)), 0
    for block in blocks:
        X = block[:, : len(columns)]
        possible &= ((X == 0.0) | (X == 1.0)).all(axis=0)
        if not possible.any():
            return {}
        ones += (X == 1.0).sum(axis=0)
        rows += len(X)
    shares = ones / max(rows, 1)
    return {name: float(shares[j]) for j, name in enumerate(columns) if possible[j] and 0.0 < shares[j] < RARE}


def train_detector(
    data: Any,
    watch: Sequence[str] = (),
    training: Training | None = None,
    *,
    options: DetectorOptions | None = None,
    progress: Callable[[float, float | None, str], None] | None = None,
) -> DetectorResult:
    """Train a detector from a table of normal operation.

    Parameters
    ----------
    data : path or table
        See `tables.open_table`.
    watch : sequence of str
        Columns (or patterns) to watch; empty or "all": all that are read.
    training : Training, optional
        Rows, past, sections and seed count. With a column of times rows must be in its order: it gives rates per time,
        and gaps that no history crosses. Labels must be left out. On `holdout` false alarms are counted. Sections are
        by default health and drift, and up to `FEW` inputs the estimate.
    options : DetectorOptions, optional
    progress : callable, optional
        ``progress(done, all, text)``.

    Raises
    ------
    DataError
        Rows out of order, too few for the rate, nothing to watch or to predict from, text where numbers belong.
    """
    table = open_table(data)
    training = training or Training()
    options = options or DetectorOptions()
    time = training.rows.time
    everything = not watch or list(watch) == ["all"]
    chosen = [] if everything else table.expand(watch, "--sensors")
    if time in chosen:
        raise DataError(f"--sensors: '{time}' is the column of times; watch sensors")
    read = {*readable_columns(table, training), *chosen}
    columns = [name for name in table.columns if name in read]
    watched = columns if everything else chosen
    rows, notes = in_order(table, columns, time, training.rows.holdout)
    step, pace = step_of(rows)
    if pace and isinstance(options.rate, Rate) and options.rate.per != "row":
        raise DataError(f"an alarm rate of {options.rate} cannot be promised: {pace}")
    notes = [*notes, pace] if pace else notes
    if isinstance(options.rate, Rate) and options.rate.per != "row" and step is None:
        raise DataError(f"an alarm rate of {options.rate} needs the time between rows; name their column with --time")
    design = Design(tuple(columns), (), {}).deriving(expand(training.past, table, columns))
    check_size(design, blocked(rows.kept, 2))

    def blocks(first: int, last: int) -> Iterator[Array]:
        done = 0
        for X, _ in design.blocks(table, rows.breaks):
            here = X[max(first - done, 0) : max(last - done, 0)]
            done += len(X)
            if len(here):
                yield here
            if done >= last:
                return

    known = "" if time else ", or name it with --time if it holds times"
    advice = f"a detector takes numbers; leave it out with --drop{known}"
    try:
        labels = _labels(blocks(0, rows.kept), columns) if everything else {}
    except NotANumber as error:
        raise DataError(error.saying(advice)) from None
    if labels:
        notes = [*notes, *(
            f"'{name}' is 0 or 1, and 1 in {share:.1%} of the rows: it looks like a label and is left out; --sensors "
            "names what is to be watched" for name, share in labels.items()
        )]  # fmt: skip
        watched = columns = [name for name in columns if name not in labels]
        design = Design(tuple(columns), (), {}).deriving(expand(training.past, table, columns))
    derived = {stream_name(stream): stream for stream in design.streams}

    def advance(done: int) -> None:
        if progress is not None:
            progress(done, len(watched), f"{done} of {len(watched)} sensors")

    try:
        fit = fit_detector(
            lambda: blocks(0, rows.kept), rows.kept, design.columns, watched, derived,
            replace(options, step_seconds=step), advance,
        )  # fmt: skip
    except NotANumber as error:
        raise DataError(error.saying(advice)) from None
    about = {
        **fit.model.provenance,
        "data": data_facts(table, rows),
        "seed": training.seed,
        "score_quantiles": score_quantiles(fit.scores),
        "options": {
            **training.to_json(), "watch": list(watch), "cv": options.cv, "gap": options.gap,
            "rate": None if options.rate is None else str(options.rate),
        },
    }  # fmt: skip
    model = _with_sections(table, fit, rows, training.sections)
    held = None
    if rows.kept < rows.used:
        held = _held(model, table, rows, step)
        about["held_out"] = held
    return DetectorResult(fit, model.replace(provenance=about), held, [*notes, *fit.notes, *table.notes])


def _with_sections(table: Table, fit: DetectorFit, rows: Survey, sections: Sequence[str] | None) -> Model:
    """The detector with what a board needs beside it: health, drift, and where they are few numbers, estimates."""
    model = fit.model
    seen = look(table, model, rows, truth=False)
    result = {
        "health/1": health_section(seen),
        "drift/1": {**drift_section(seen), "score": bins(fit.scores), "page_hinkley": page_hinkley(fit.scores)},
    }
    wanted = ("health", "drift") if sections is None else sections
    model = model.replace(sections={**model.sections, **{k: v for k, v in result.items() if k[:-2] in wanted}})
    errors = [sensor.error for sensor in fit.sensors]
    if sections is None and len(numeric_inputs(model)) <= FEW:
        return with_estimate(model, fit.folds, errors)
    return with_estimate(model, fit.folds, errors, strict=True) if "estimate" in (sections or ()) else model


def score_quantiles(scores: Array, count: int = 40) -> dict[str, list[float]]:
    """Scores that these parts of the rows reach, down to one row: what is kept of the rows held out."""
    above = np.unique(np.round(np.geomspace(1.0 / len(scores), 1.0, count) * len(scores)))[::-1].astype(int)
    ordered = np.sort(scores)
    return {
        "above": [float(f"{part:.4g}") for part in above / len(scores)],
        "score": [float(f"{score:.5g}") for score in ordered[len(ordered) - above]],
    }


def _held(model: Model, table: Table, rows: Survey, step: float | None) -> dict[str, Any]:
    """False alarms on the rows held out, scored as on a board; the chart runs on from the rows before."""
    section = model.sections[KEY]
    numeric, text = model_columns(model)
    watched = [numeric.index(sensor["reading"]) for sensor in section["watched"]]
    board, scorer = BoardRows(model, rows.breaks), Scorer(section, warm_up(model))
    parts = []
    for numbers, texts in table.batches(numeric, text):
        readings, linear, widths = board.step(numbers, texts)
        parts.append(scorer.step(readings[:, watched] - linear, widths)[0])
    every = np.concatenate(parts)[: rows.used]
    result, warm = every[rows.kept :], min(max(section["warm_up"], warm_up(model)), rows.kept)
    limit = section["threshold"]
    rate = Rate(limit["rate"], limit["per"])
    value, low, high, events = found_rate(result, limit["score"], rate, limit["hold"], step)
    if "adjust" in section:
        hits, onsets = (part[rows.kept - warm :] for part in followed(model, every[warm:]))
        value, low, high, events = found_rate(hits.astype(float), 0.5, rate, limit["hold"], step)
        events = int(onsets.sum())
        in_alarm = float(hits.mean())
    else:
        in_alarm = float((result > limit["score"]).mean())
    return {
        "rows": len(result), "alarms": events, "rate": value, "low": low, "high": high, "per": rate.per,
        "in_alarm": in_alarm,
    }  # fmt: skip
