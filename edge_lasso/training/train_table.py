"""Training from a table, in two passes and in bounded memory: what `edge-lasso train` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.paths.methods import METHODS
from edge_lasso.paths.options import Fit, TrainOptions
from edge_lasso.paths.sensors import Sensors
from edge_lasso.predicting.predict_table import rows_from
from edge_lasso.statistics.cluster import Pieces, collect_on, connect, survey_on
from edge_lasso.statistics.collect import Design, Progress, collect_table
from edge_lasso.statistics.folds import FoldPlan, FoldStatistics, forward_chain, plan_folds, repeated_kfold
from edge_lasso.statistics.group_folds import group_folds, segment_errors
from edge_lasso.tables.derived_columns import stream_name
from edge_lasso.tables.series import Past, check_past, expand, own_past, series, with_breaks
from edge_lasso.tables.survey import Survey, survey
from edge_lasso.tables.tables import Table, open_table
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.intervals import check_level, conformal
from edge_lasso.training.leakage import copies, from_the_future
from edge_lasso.training.missing import errors_of
from edge_lasso.training.model_sections import check_sections, with_sections
from edge_lasso.training.models import provenance, to_model
from edge_lasso.training.resampling import Blocks, blocks_of, refined, trust
from edge_lasso.training.wide_table import CollectedWide, collect_wide, is_wide
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Held:
    """What the model does on rows whose truth is known.

    Parameters
    ----------
    times : array of datetime64, or None
    truth, prediction : array, shape (rows, outputs)
    unseen : bool
        False: the rows may have been trained on.
    """

    times: Array | None
    truth: Array
    prediction: Array
    unseen: bool = True

    def quality(self) -> dict[str, float]:
        """R2, RMSE and mean absolute error of the first output, and the number of rows."""
        error = self.prediction[:, 0] - self.truth[:, 0]
        spread = self.truth[:, 0] - self.truth[:, 0].mean()
        return {
            "rows": float(len(error)),
            "r2": float(1.0 - (error @ error) / (spread @ spread)) if spread.any() else 0.0,
            "rmse": float(np.sqrt(np.mean(error**2))),
            "mae": float(np.mean(np.abs(error))),
        }


@dataclass(frozen=True)
class TrainResult:
    """A trained model and what was seen on the way.

    Parameters
    ----------
    model : Model
    folds : FoldStatistics
        Save them beside the model: pruning, searching and updating read them.
    fits : list of Fit
        One per target.
    notes : list of str
    held : Held or None
        With a `holdout`.
    """

    model: Model
    folds: FoldStatistics
    fits: list[Fit]
    notes: list[str]
    held: Held | None


def train_table(
    data: Any,
    targets: str | Sequence[str],
    *,
    time: str | None = None,
    inputs: Sequence[str] = (),
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    degree: int = 1,
    cv: int = 5,
    gap: int = 0,
    group: str | None = None,
    segment: str | None = None,
    holdout: float = 0.0,
    interval: float | None = None,
    repeat: int = 1,
    stability: int = 0,
    bootstrap: int = 0,
    seed: int = 0,
    past: Sequence[Past] = (),
    sections: Sequence[str] | None = None,
    options: TrainOptions | None = None,
    sensors: Sensors | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train a model from a table.

    Parameters
    ----------
    data : path or table
        See `tables.open_table`.
    targets : str or sequence of str
        Columns to predict, one output each.
    time : str, optional
        Column of times: folds are forward-chained blocks of the rows in its order, and it is no input.
    inputs, drop : sequence of str, optional
        Columns (or patterns such as ``Dongsi.*``) to use, and to leave out. Default: all but targets and time.
    categorical : sequence of str
        Inputs whose values are categories.
    degree : {1, 2}
        2: squares and products of the numeric inputs compete, too.
    cv : int
        Number of folds; 0: none.
    gap : int
        Rows left out between training and held-out rows of forward-chained folds.
    group : str, optional
        Column of groups: folds are whole groups, and it is no input.
    segment : str, optional
        Column whose values tell apart the error on the rows held out.
    holdout : float
        Part of the rows (the last ones) that training does not see, to report honest accuracy.
    interval : float, optional
        Part of the truths that prediction intervals shall hold; calibrated on the rows held out.
    repeat : int
        Divide the rows into folds so many times (not with `time` or `group`).
    stability, bootstrap : int
        Pairs of halves of the blocks of rows, and draws of blocks; see `resampling`. 0: none.
    seed : int
        Of what is drawn: repeated folds, halves, blocks.
    past : sequence of Past, optional
        Inputs computed from earlier rows, such as ``streams.lags(3)``, which compete with the others. The rows are a
        series then, in the order of `time` or of the file, and folds are forward-chained. A target that `inputs` or a
        `Past` names has a past of its own, too.
    sections : sequence of {"estimate", "health", "drift"}, optional
        What travels with the model for a board that reads row after row: how to estimate missing inputs, what failing
        sensors look like, what the rows trained on look like. Default: "estimate" where possible, and with `time` or
        `past` the others, too, if the rows are in order.
    options : TrainOptions, optional
    sensors : Sensors, optional
        What inputs cost, and which belong together.
    cluster : str, optional
        Address of a Dask scheduler, or "local": its workers read the files and reduce them to the same statistics.
    progress : callable, optional
        ``progress(done rows, all rows, text)``.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError
        See `tables`; too few rows; a constant target; more columns than memory holds.
    """
    table = open_table(data)
    options = options or TrainOptions()
    targets = [targets] if isinstance(targets, str) else list(targets)
    check_numbers(degree, holdout)
    if interval is not None:
        check_level(interval, holdout)
    ordered = time is not None or bool(past)
    _check_draws(repeat, stability, bootstrap, dealt=not ordered and group is None and cv > 0, cluster=cluster)
    check_folds(gap, group, segment, ordered, holdout, cv, cluster)
    check_sections(sections, cluster)
    own = own_past(targets, inputs, past)
    columns = [name for name in input_columns(table, targets, time, inputs, drop, bool(own)) if name != group]
    sensors = sensors or Sensors()
    chosen = set(table.expand(categorical, "--categorical"))
    for name in targets:
        if name in chosen:
            raise DataError(f"--categorical: '{name}' is a target; a target of a regression must hold numbers")
    texts = [name for name in columns if name in chosen]
    streams = expand(past, table, [name for name in columns if name not in chosen], own)
    check_past(past, degree, group, cluster)
    sensors.check([*columns, *map(stream_name, streams)], options.method)

    def plan(rows: Survey | Pieces) -> FoldPlan:
        if group is not None and isinstance(rows, Survey):
            return group_folds(table, rows, group, cv)
        if ordered and cv:
            return forward_chain(rows.kept, cv, gap)
        return repeated_kfold(rows.kept, cv, repeat, seed) if repeat != 1 else plan_folds(cv, rows.kept)

    rows: Survey | Pieces
    blocks: Blocks | None = None
    broken: list[str] = []
    if cluster is not None:
        path = cluster_path(data, holdout)
        with connect(cluster) as client:
            rows = survey_on(client, path, targets, time, texts, progress)
            design = Design(tuple(columns), tuple(targets), rows.categories, {})
            found = collect_on(client, rows, design, plan(rows), degree, progress)
        options = sensors.on(options, found.design.columns, found.terms)
        fits = fit_statistics(found.folds, options, found.terms)
    else:
        rows = survey(table, targets, time, texts, holdout)
        design = Design(tuple(columns), tuple(targets), rows.categories, {})
        if streams:
            rows, broken = series(rows, time)
        elif time is not None:
            rows = with_breaks(rows)
        if streams:
            design = design.deriving(streams)
        if is_wide(design, rows, degree):
            if streams:
                raise DataError(
                    f"{design.width(degree):,} columns with those from earlier rows are more than the {rows.kept:,} "
                    "rows; give fewer lags, means and the like, or name their columns: --lags 3:COL,COL"
                )
            if stability or bootstrap or repeat != 1:
                raise DataError("--stability, --bootstrap and --repeat need more rows than columns; drop columns")
            if sensors.costs or sensors.signs or not METHODS[options.method].on_rows:
                raise DataError(
                    f"{design.width(degree):,} columns are more than the {rows.kept:,} rows; "
                    "--cost, --sign, and methods other than lasso and relaxed, need more rows than columns"
                )
            wide = collect_wide(table, design, rows, plan(rows), degree, options, progress)
            fits = fit_statistics(wide.folds, wide.options, wide.terms, wide.paths)
            found = wide
        else:
            folded = plan(rows)
            fine, owner = refined(folded, rows.kept) if stability or bootstrap else (folded, [])
            found = collect_table(table, design, rows, fine, degree, progress)
            if owner:
                blocks = blocks_of(found.folds)
                found = replace(found, folds=found.folds.joined(folded, owner))
            options = sensors.on(options, found.design.columns, found.terms, found.design.origins)
            fits = fit_statistics(found.folds, options, found.terms)
    folds, design = found.folds, found.design
    about = provenance(fits, folds, options)
    about["data"] = data_facts(table, rows)
    about["seed"] = seed
    if blocks is not None:
        about["trust"] = trust(blocks, fits, found.folds.columns, options, stability, bootstrap, seed)
    about["options"] = {
        "time": time, "inputs": list(inputs), "drop": list(drop), "categorical": list(categorical), "degree": degree,
        "costs": dict(sensors.costs), "signs": dict(sensors.signs),
        "sensors": {name: list(of) for name, of in sensors.members.items()},
        "cv": cv, "gap": gap, "group": group, "holdout": holdout, "interval": interval, "repeat": repeat,
        "sections": None if sections is None else list(sections),
        "past": [[one.kind, one.length, list(one.columns)] for one in past],
        "alphas": _plain(options.alphas), "eps": options.eps, "refit": options.refit,
    }  # fmt: skip
    folds.about = {} if isinstance(found, CollectedWide) else training(design, degree, time, options, about, seed)
    model = to_model(fits, found.inputs, design.columns, found.terms, about)
    folds.about["sections"] = None if sections is None else list(sections)
    model, told = with_sections(table, model, folds, errors_of(fits, model, folds), rows, sections, ordered)
    held = _held(table, model, targets, rows) if isinstance(rows, Survey) and rows.kept < rows.used else None
    if held is not None:
        about["held_out"] = held.quality()
        if segment is not None and isinstance(rows, Survey):
            about["segments"] = segment_errors(table, rows, segment, held.truth[:, 0], held.prediction[:, 0])
        model = model.replace(provenance=about)
        if interval is not None:
            found_interval = conformal(held.truth - held.prediction, interval)
            model = model.replace(sections={"interval/1": found_interval, **model.sections})
    counted = [
        f"column '{name}' has no name in the file; it seems to count the rows and is no input unless --inputs names it"
        for name in table.row_numbers
        if name not in (*inputs, *targets, *drop, time)
    ]
    notes = [*counted, *rows.notes, *broken, *told, *_column_notes(found.empty, fits), *copies(folds, design)]
    if time is not None and isinstance(rows, Survey) and not past:  # with lags, sensors upstream are the point
        notes += from_the_future(table, design, rows)
    return TrainResult(model, folds, fits, list(dict.fromkeys(notes)), held)


def data_facts(table: Table, rows: Survey | Pieces) -> dict[str, Any]:
    """Which file, and which of its rows; JSON-ready."""
    return {
        "file": table.title,
        "sha256": table.hash,
        "rows": rows.kept,
        "rows_without_target": rows.without_target,
        "rows_held_out": rows.used - rows.kept,
        **rows.span,
    }


def training(
    design: Design, degree: int, time: str | None, options: TrainOptions, about: dict[str, Any], seed: int
) -> dict[str, Any]:
    """What a later update has to know, JSON-ready; it is kept with the statistics."""
    kept = {**vars(options), "alphas": _plain(options.alphas), "penalty": _plain(options.penalty)}
    del kept["workers"]
    return {
        "columns": list(design.columns),
        "categories": {name: list(values) for name, values in design.categories.items()},
        "fill": design.fill,
        "streams": [list(one) for one in design.streams],
        "degree": degree,
        "time": time,
        "options": kept,
        "seed": seed,
        "data": about["data"],
    }


def design_of(statistics: FoldStatistics) -> Design:
    """What the columns of statistics are, from what `training` noted."""
    about = statistics.about
    categories = {name: tuple(values) for name, values in about["categories"].items()}
    streams = tuple((kind, source, length) for kind, source, length in about.get("streams", ()))
    derived = {stream_name(one) for one in streams}
    names = set(statistics.columns)
    sources = {source for _, source, _ in streams if source not in names}
    columns = tuple(name for name in about["columns"] if name not in derived | sources)
    return Design(columns, statistics.targets, categories, about["fill"]).deriving(streams)


def cluster_path(data: Any, holdout: float) -> Path:
    """Where the workers of a cluster find the data."""
    if not isinstance(data, str | Path):
        raise DataError("--cluster reads files, which every worker can see; give a path")
    if holdout:
        raise DataError("--cluster and --holdout do not go together; keep the last rows in a file of their own")
    return Path(data).resolve()


def check_folds(
    gap: int, group: str | None, segment: str | None, ordered: bool, holdout: float, cv: int, cluster: str | None
) -> None:
    """Refuse folds that do not go together."""
    if gap < 0 or (gap and not ordered):
        raise DataError(f"gap is {gap}; it is a number of rows, 0 or more, between blocks of time, and needs --time")
    if group is not None and (ordered or not cv or cluster is not None):
        raise DataError("--group makes the folds; it goes neither with --time nor with --cv 0 nor with --cluster")
    if segment is not None and not holdout:
        raise DataError("--segment tells apart the error on rows held out; give --holdout, for example 0.2")


def _check_draws(repeat: int, stability: int, bootstrap: int, dealt: bool, cluster: str | None) -> None:
    if repeat != 1 and not dealt:
        raise DataError("--repeat deals rows out to folds anew; it goes neither with --time nor --group nor --cv 0")
    if cluster is not None and (stability or bootstrap or repeat != 1):
        raise DataError("--stability, --bootstrap and --repeat do not go with --cluster; train on one machine")
    if stability < 0 or bootstrap < 0:
        raise DataError("--stability and --bootstrap are numbers of draws, 0 or more")


def check_numbers(degree: int, holdout: float) -> None:
    """Refuse a degree or a part held out that there is not."""
    if degree not in (1, 2):
        raise DataError(f"degree is {degree}; allowed are 1 and 2")
    if not 0.0 <= holdout < 1.0:
        raise DataError(f"holdout is {holdout}; it must be 0 or more and less than 1")


def input_columns(
    table: Table,
    targets: Sequence[str],
    time: str | None,
    inputs: Sequence[str],
    drop: Sequence[str],
    none: bool = False,
) -> list[str]:
    """The inputs to choose from; `none`: there may be none."""
    if not targets:
        raise DataError("no target is given; name the column to predict with --target")
    for name in targets:
        table.check(name)
    if time is not None and table.check(time, "--time") in targets:
        raise DataError(f"--time: '{time}' is a target; the column of times must be another one")
    return readable_columns(table, time, inputs, drop, none, targets)


def readable_columns(
    table: Table,
    time: str | None,
    inputs: Sequence[str],
    drop: Sequence[str],
    none: bool = False,
    targets: Sequence[str] = (),
) -> list[str]:
    """All columns that may be read, but those of time, of `targets` and those that count rows; `none`: maybe none."""
    if time is not None:
        table.check(time, "--time")
    chosen = table.expand(inputs, "--inputs") if inputs else list(table.columns)
    away = {*table.expand(drop, "--drop"), *targets, *([time] if time else [])}
    away |= {name for name in table.row_numbers if name not in inputs}
    columns = [name for name in chosen if name not in away]
    if not columns and not none:
        raise DataError(f"no inputs are left; {table.title} has the columns {', '.join(table.columns)[:200]}")
    return columns


def _plain(values: Any) -> Any:
    """Numbers, or a number, as JSON has them."""
    return values if values is None or isinstance(values, int) else [float(value) for value in values]


def _column_notes(empty: Sequence[str], fits: Sequence[Fit]) -> list[str]:
    found = [(empty, "without a reading")]
    for fit in fits:
        found += [(fit.constant, "that do not vary"), (fit.dependent, "that repeat others")]
    return [
        f"{len(names)} column{'s' * (len(names) > 1)} {what} left out (first: '{names[0]}')"
        for names, what in found
        if names
    ]


def _held(table: Table, model: Model, targets: Sequence[str], rows: Survey) -> Held:
    ranks, predicted, truth = rows_from(table, model, rows.rank, rows.kept, targets, rows.breaks)
    order = np.argsort(ranks)
    times = None
    if rows.times is not None:
        times = rows.times.microseconds[rows.rows(rows.kept, rows.used)].astype("datetime64[us]")
    return Held(times, truth[order], predicted[order])
