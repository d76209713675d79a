"""`edge-lasso train`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_lasso.commands.shared import DataFile, Json, check_folder, parse_names
from edge_lasso.errors import DataError, VerificationError
from edge_lasso.reporting import terminal

if TYPE_CHECKING:
    from edge_lasso.detecting.train_detector import DetectorResult
    from edge_lasso.training.train_classes import ClassesResult
    from edge_lasso.training.train_table import TrainResult
    from edge_lasso.training.update_table import Comparison

CLASSIFICATION = {
    "data", "target", "task", "time", "inputs", "drop", "categorical", "degree", "lags", "difference", "mean", "ewma",
    "sections", "method", "cost", "class_weight", "l1_ratio",
    "cv", "gap", "group", "select", "max_inputs", "holdout", "seed", "cluster", "out", "as_json",
}  # fmt: skip
"""What `--task classification` takes."""
ANOMALY = {
    "data", "watch", "task", "time", "inputs", "drop", "lags", "difference", "mean", "ewma", "own_past", "max_coefs",
    "alarm_rate", "chart", "alpha", "smoothing", "allowance", "median", "aggregate", "adjust", "cv", "gap", "holdout", "seed",
    "sections", "out", "as_json",
}  # fmt: skip
"""What `--task anomaly` takes; the first of them after `ewma` go with it alone."""
ANOMALY_ALONE = (
    "watch", "own_past", "max_coefs", "alarm_rate", "chart", "alpha", "smoothing", "allowance", "median", "aggregate", "adjust",
)  # fmt: skip


def train(
    context: typer.Context,
    data: DataFile,
    target: Annotated[
        list[str] | None, typer.Option(help="Column to predict; several, with commas: several outputs.")
    ] = None,
    watch: Annotated[
        list[str] | None,
        typer.Option(metavar="COL,..|all", help="Sensors to watch for anomalies; implies --task anomaly."),
    ] = None,
    task: Annotated[str, typer.Option(help="regression, classification or anomaly.")] = "regression",
    time: Annotated[str | None, typer.Option(help="Column of times: rows in its order, forward-chained folds.")] = None,
    inputs: Annotated[list[str] | None, typer.Option(help="Columns to use (names or patterns like 'A.*').")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Columns to leave out (names or patterns).")] = None,
    categorical: Annotated[list[str] | None, typer.Option(help="Columns that hold categories.")] = None,
    degree: Annotated[int, typer.Option(help="2: squares and products of inputs compete, too.")] = 1,
    lags: Annotated[
        list[str] | None,
        typer.Option(metavar="N[:COL,COL]", help="Readings of 1 to N rows ago compete, too (of all inputs or these)."),
    ] = None,
    difference: Annotated[
        list[str] | None, typer.Option(metavar="N[:COL,COL]", help="Changes since N rows ago compete, too.")
    ] = None,
    mean: Annotated[
        list[str] | None, typer.Option(metavar="N[:COL,COL]", help="Means of the last N rows compete, too.")
    ] = None,
    ewma: Annotated[
        list[str] | None, typer.Option(metavar="SPAN[:COL,COL]", help="Exponentially weighted means compete, too.")
    ] = None,
    sections: Annotated[
        list[str] | None,
        typer.Option(
            help="For boards: estimate, health, drift, or none. Default: estimate; all with --time or --lags; of a "
            "detector health and drift, and estimate up to 24 inputs."
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="lasso, relaxed, adaptive, omp (matching pursuit), group (sensors as a whole) or subset (the best there is)."
        ),
    ] = "lasso",
    cost: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="What a column or sensor costs; 1 if not given.")
    ] = None,
    sensor: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:COL,COL", help="Columns of one physical sensor; with --method group or omp."),
    ] = None,
    sign: Annotated[
        list[str] | None, typer.Option(metavar="NAME=+|-", help="The target may only rise (+) or fall (-) with NAME.")
    ] = None,
    positive: Annotated[bool, typer.Option("--positive", help="No negative coefficients.")] = False,
    class_weight: Annotated[
        str | None, typer.Option(help="balanced: every class counts the same, however rare it is.")
    ] = None,
    l1_ratio: Annotated[float, typer.Option(help="1 is the lasso; less is the elastic net.")] = 1.0,
    cv: Annotated[int, typer.Option(help="Folds of cross-validation; 0: none.")] = 5,
    gap: Annotated[int, typer.Option(help="Rows left out before each held-out block of time.")] = 0,
    group: Annotated[str | None, typer.Option(help="Column of groups: no fold divides one.")] = None,
    segment: Annotated[
        str | None, typer.Option(help="Column whose values tell apart the error on the rows of --holdout.")
    ] = None,
    max_coefs: Annotated[int | None, typer.Option(help="Anomaly: budget of coefficients over all sensors.")] = None,
    own_past: Annotated[bool, typer.Option("--own-past", help="Anomaly: a sensor's own past may predict it.")] = False,
    alarm_rate: Annotated[
        str | None,
        typer.Option(metavar="PART|N/day", help="Anomaly: false alarms allowed; by default what the data can promise."),
    ] = None,
    chart: Annotated[str, typer.Option(help="Anomaly: both, residual, ewma or cusum.")] = "both",
    alpha: Annotated[float, typer.Option(help="Anomaly: weight of the newest residual in its moving average.")] = 0.05,
    smoothing: Annotated[float, typer.Option(help="Anomaly: weight of the newest evidence; 1: not smoothed.")] = 0.05,
    allowance: Annotated[float, typer.Option(help="Anomaly: CUSUM's allowance, in scales of the residual.")] = 0.5,
    median: Annotated[int, typer.Option(help="Anomaly: take off the median residual of so many rows.")] = 0,
    aggregate: Annotated[str, typer.Option(help="Anomaly: mean or max over the sensors.")] = "mean",
    adjust: Annotated[
        float | None,
        typer.Option(metavar="STEP", help="Anomaly: adjust the threshold on the board, within a factor 2."),
    ] = None,
    select: Annotated[str, typer.Option(help="auto, 1se, min, knee, aic, bic or ebic.")] = "auto",
    max_inputs: Annotated[int | None, typer.Option(help="Budget of inputs (each lag, mean, ... is one).")] = None,
    holdout: Annotated[float, typer.Option(help="Part of the rows, the last ones, kept for an honest test.")] = 0.0,
    interval: Annotated[
        float | None, typer.Option(metavar="PART", help="Intervals that hold this part of truths, from --holdout rows.")
    ] = None,
    repeat: Annotated[int, typer.Option(help="Deal the rows out to folds so many times.")] = 1,
    stability: Annotated[int, typer.Option(metavar="PAIRS", help="How often half of the rows choose each input.")] = 0,
    bootstrap: Annotated[int, typer.Option(metavar="DRAWS", help="Intervals of the coefficients.")] = 0,
    seed: Annotated[int, typer.Option(help="Written into the model.")] = 0,
    cluster: Annotated[
        str | None, typer.Option(metavar="local|ADDRESS", help="Read and reduce the files on a Dask cluster.")
    ] = None,
    update: Annotated[
        Path | None, typer.Option(metavar="STATS", help="Statistics of an earlier training; DATA holds new rows only.")
    ] = None,
    forget: Annotated[float, typer.Option(help="With --update: weight of the old rows; 1 forgets nothing.")] = 1.0,
    again: Annotated[
        bool, typer.Option("--again", help="With --update: count DATA even if the statistics hold that file already.")
    ] = False,
    max_worse: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="With --update: exit 1, and write nothing, when squared error on the new rows grows by more.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Model file; statistics go beside it.")] = Path("model.json"),
    as_json: Json = False,
) -> None:
    """Train a sparse model from a table of sensor readings.

    Example: edge-lasso train air.csv --target pm25 --time time --max-inputs 6 --out air.json

    Classes: edge-lasso train room.csv --target occupied --task classification --max-inputs 3

    Dear sensors: edge-lasso train air.csv --target pm25 --method adaptive --cost NOx=10

    Series: edge-lasso train plant.csv --target flow --time time --lags 3 --mean 24:pressure

    Anomalies: edge-lasso train normal.csv --watch all --time time --lags 1 --max-coefs 60 --alarm-rate 1/day

    New rows later: edge-lasso train new.csv --update air.stats.npz --max-worse 5 --out air.json
    """
    from edge_lasso.paths.options import TrainOptions
    from edge_lasso.paths.sensors import parse_sensors
    from edge_lasso.tables.series import parse_past
    from edge_lasso.training.options import Training
    from edge_lasso.training.train_classes import train_classes
    from edge_lasso.training.train_table import train_table

    if update is not None:
        _refuse(
            context,
            {"data", "update", "forget", "again", "max_worse", "out", "as_json"},
            "--update",
            "it takes them from the first training",
        )
        return _update(data, update, forget, again, max_worse, out, as_json)
    if forget != 1.0 or max_worse is not None or again:
        raise DataError("--forget, --again and --max-worse go with --update STATS; without it there is nothing older")
    past, chosen = (
        parse_past({"lags": lags, "difference": difference, "mean": mean, "ewma": ewma}),
        parse_sections(sections),
    )
    if watch and task == "regression":
        task = "anomaly"
    if task == "anomaly":
        _refuse(context, ANOMALY, "--task anomaly", "a detector predicts each sensor from the others")
        from edge_lasso.detecting.calibrated import ChartOptions
        from edge_lasso.detecting.fit_detector import DetectorOptions

        detector = DetectorOptions(
            max_coefs, own_past, None, ChartOptions(chart, alpha, smoothing, allowance, 10.0, median, aggregate, adjust),
            cv, gap or None, workers=os.cpu_count() or 1,
        )  # fmt: skip
        if own_past and not any(one.kind == "lag" for one in past):
            raise DataError("--own-past needs --lags N: without it there is no past to predict from")
        return _anomaly(
            data, detector, alarm_rate, out, as_json,
            watch=parse_names(watch),
            training=Training.of(time=time, inputs=parse_names(inputs), drop=parse_names(drop), past=past, holdout=holdout, seed=seed, sections=chosen),
        )  # fmt: skip
    if alone := _given(context, ANOMALY_ALONE):
        raise DataError(f"{', '.join(alone)}: only with --task anomaly, which watches sensors for faults")
    if not target:
        raise DataError("no target is given; name the column to predict with --target")
    if task not in ("regression", "classification"):
        raise DataError(f"--task is '{task}'; allowed are regression, classification and anomaly")
    if class_weight is not None and task != "classification":
        raise DataError("--class-weight is for --task classification")
    if task == "classification":
        _refuse(context, CLASSIFICATION, "--task classification", "it is for regression")
        if len(parse_names(target)) != 1:
            raise DataError("--task classification has one target; give one column with --target")
    check_folder(out, data)
    options = TrainOptions(
        l1_ratio=l1_ratio, select=select, max_inputs=max_inputs, positive=positive, method=method,
        workers=os.cpu_count() or 1,
    )  # fmt: skip
    training = Training.of(
        time=time, inputs=parse_names(inputs), drop=parse_names(drop), categorical=parse_names(categorical), degree=degree, holdout=holdout,
        cv=cv, gap=gap, group=group, repeat=repeat, past=past, sections=chosen, method=options, sensors=parse_sensors(sensor, cost, sign),
        segment=segment, interval=interval, stability=stability, bootstrap=bootstrap, seed=seed, cluster=cluster,
    )  # fmt: skip
    if task == "classification":
        with terminal.progress("reading") as advance:
            classes = train_classes(data, parse_names(target)[0], training, class_weight=class_weight, progress=advance)
        return _finish_classes(classes, out, as_json)
    with terminal.progress("reading") as advance:
        result = train_table(data, parse_names(target), training, progress=advance)
    _finish(result, out, as_json)


def _refuse(context: typer.Context, allowed: set[str], with_: str, why: str) -> None:
    """Refuse options that would say nothing."""
    given = _given(context, [name for name in context.params if name not in allowed])
    if given:
        raise DataError(f"{', '.join(given)}: not with {with_} ({why})")


def parse_sections(values: list[str] | None) -> list[str] | None:
    """Sections as typed; "none" is an empty list."""
    return None if values is None else [name for name in parse_names(values) if name != "none"]


def _given(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those options that were typed."""
    return [
        f"--{name.replace('_', '-')}"
        for name in names
        if str(context.get_parameter_source(name)).endswith("COMMANDLINE")
    ]


def _anomaly(data: Path, options: Any, alarm_rate: str | None, out: Path, as_json: bool, **what: Any) -> None:
    from dataclasses import replace

    from edge_lasso.detecting.thresholds import parse_rate
    from edge_lasso.detecting.train_detector import train_detector
    from edge_lasso.reporting.show_detector import show_trained
    from edge_lasso.statistics.beside import statistics_file

    if options.max_coefs is not None and options.max_coefs < 1:
        raise DataError(f"--max-coefs is {options.max_coefs}; it must be 1 or more")
    check_folder(out, data)
    options = replace(options, rate=None if alarm_rate is None else parse_rate(alarm_rate))
    with terminal.progress("fitting") as advance:
        result = train_detector(data, options=options, progress=advance, **what)
    _keep(result, out)
    show_trained(result, out, statistics_file(out), as_json)


def _update(
    data: Path, statistics: Path, forget: float, again: bool, max_worse: float | None, out: Path, as_json: bool
) -> None:
    from edge_lasso.reporting.show import show_comparison
    from edge_lasso.statistics.beside import load_statistics, statistics_file
    from edge_lasso.statistics.folds import FoldStatistics
    from edge_lasso.training.update_table import compare, update_table
    from edge_lasso_runtime import load
    from edge_lasso_runtime.atomic import digest_of
    from edge_lasso_runtime.unfinished import settle

    check_folder(out, data)
    settle(statistics)
    replaced = statistics_file(out)
    digest = digest_of(statistics) if replaced.exists() and replaced.samefile(statistics) else None
    old = statistics.with_name(statistics.name.removesuffix(".stats.npz") + ".json")
    if max_worse is not None and not old.exists():
        raise DataError(f"--max-worse needs the old model, and {old} is not there; keep model and statistics together")
    before = load(old) if old.exists() else None
    kept = (load_statistics(old, before) if before else None) or FoldStatistics.load(statistics)
    with terminal.progress("reading") as advance:
        result = update_table(kept, data, forget=forget, again=again, progress=advance)
    comparison = None if before is None else compare(before, result.model, data)
    if comparison is not None and max_worse is not None and comparison.percent_worse > max_worse:
        show_comparison(comparison, as_json)
        raise VerificationError(
            f"squared error on the new rows is {comparison.percent_worse:+.1f} %, more than --max-worse {max_worse:g}; "
            f"{out} was not written"
        )
    _finish(result, out, as_json, comparison, digest)


def _finish_classes(result: ClassesResult, out: Path, as_json: bool) -> None:
    from edge_lasso.reporting.show import show_classes

    _keep(result, out)
    show_classes(result, out, as_json)


def _finish(
    result: TrainResult, out: Path, as_json: bool, comparison: Comparison | None = None, read: str | None = None
) -> None:
    from edge_lasso.reporting.show import show_training
    from edge_lasso.statistics.beside import statistics_file

    _keep(result, out, read)
    show_training(result, out, statistics_file(out), as_json, comparison)


def _keep(result: TrainResult | ClassesResult | DetectorResult, out: Path, read: str | None = None) -> None:
    """Write the model and what statistics there are, and put it on record; `read`: digest of those it was made from."""
    from edge_lasso.statistics.beside import save_both, statistics_file
    from edge_lasso.training import audit
    from edge_lasso_runtime.atomic import together

    with together(out.parent) as files:
        if read is not None:
            files.read(statistics_file(out).name, read)
        save_both(result.model, result.folds, out, files)
        files.append(audit.FILE, audit.line(result.model, out))
