"""`edge-lasso train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands import training_options as options
from edge_lasso.commands.shared import OptionalDataFile, check_folder, parse_names
from edge_lasso.errors import DataError, VerificationError
from edge_lasso.reporting import terminal

if TYPE_CHECKING:
    from edge_lasso.paths.options import TrainOptions
    from edge_lasso.paths.sensors import Sensors
    from edge_lasso.training.train_table import TrainResult
    from edge_lasso.training.update_table import Comparison

UPDATING = {"data", "update", "forget", "again", "max_worse", "out", "as_json"}
MERGING = {
    "boards", "method", "select", "l1_ratio", "eps", "positive", "max_inputs", "sign", "cost", "sensor", "sections",
    "seed", "out", "as_json",
}  # fmt: skip


def train(
    context: typer.Context,
    data: OptionalDataFile = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="COL,..", help="Column to predict; several: several outputs.")
    ] = None,
    time: table.Time = None,
    inputs: options.Inputs = None,
    drop: options.Drop = None,
    categorical: options.Categorical = None,
    max_inputs: options.MaxInputs = None,
    holdout: options.Holdout = 0.0,
    time_format: table.TimeFormat = None,
    zone: table.Zone = None,
    missing: table.Missing = None,
    encoding: table.Encoding = None,
    long: table.Long = None,
    every: table.Every = None,
    hold: table.Hold = None,
    lags: options.Lags = None,
    difference: options.Difference = None,
    mean: options.Mean = None,
    ewma: options.Ewma = None,
    gap: options.Gap = 0,
    degree: options.Degree = 1,
    hinges: options.Hinges = 0,
    method: options.Method = "lasso",
    select: options.Select = "auto",
    l1_ratio: options.L1Ratio = 1.0,
    eps: options.Eps = None,
    positive: Annotated[
        bool, typer.Option("--positive", rich_help_panel="Model", help="No negative coefficients.")
    ] = False,
    robust: Annotated[
        bool, typer.Option("--robust", rich_help_panel="Model", help="Wild values of the target count less (Huber).")
    ] = False,
    sign: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=+|-", rich_help_panel="Model", help="The target may only rise or fall with NAME."),
    ] = None,
    cost: options.Cost = None,
    sensor: options.Sensor = None,
    sections: options.Sections = None,
    cv: options.CV = 5,
    group: options.Group = None,
    repeat: Annotated[
        int, typer.Option(metavar="N", rich_help_panel="Trust", help="Deal the rows out to folds so many times.")
    ] = 1,
    interval: Annotated[
        float | None,
        typer.Option(metavar="PART", rich_help_panel="Trust", help="Intervals that hold this part of truths."),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(metavar="COL", rich_help_panel="Trust", help="Tell apart the error on held-out rows by it."),
    ] = None,
    stability: Annotated[
        int, typer.Option(metavar="PAIRS", rich_help_panel="Trust", help="How often half the rows choose an input.")
    ] = 0,
    bootstrap: Annotated[
        int,
        typer.Option(metavar="DRAWS", rich_help_panel="Trust", help="Intervals of least squares on the inputs chosen."),
    ] = 0,
    update: Annotated[
        Path | None,
        typer.Option(metavar="STATS", rich_help_panel="Output", help="Of an earlier training; DATA holds new rows."),
    ] = None,
    forget: Annotated[
        float, typer.Option(metavar="W", rich_help_panel="Output", help="With --update: weight of the old rows.")
    ] = 1.0,
    again: Annotated[
        bool,
        typer.Option("--again", rich_help_panel="Output", help="With --update: count DATA even if it is in already."),
    ] = False,
    max_worse: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            rich_help_panel="Output",
            help="With --update: exit 1, write nothing, when squared error on the new rows grows by more.",
        ),
    ] = None,
    boards: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILES",
            rich_help_panel="Output",
            help="Instead of DATA: what boards kept with --learn, such as 'boards/*.json'; each is a fold.",
        ),
    ] = None,
    seed: options.Seed = 0,
    cluster: options.Cluster = None,
    out: options.Out = Path("model.json"),
    as_json: options.AsJson = False,
) -> None:
    """Train a sparse model of numbers from a table of readings.

    For classes: classify. For alarms when readings are not as usual: watch.

    Example: edge-lasso train air.csv --target pm25 --time time --max-inputs 6

    Or: edge-lasso train plant.csv --target flow --time time --lags 3

    Or: edge-lasso train air.csv --target pm25 --method adaptive --cost NOx=10

    Or: edge-lasso train air.csv --target pm25 --max-inputs 6 --hinges 4

    Or: edge-lasso train new.csv --update model.stats.npz --max-worse 5

    Or: edge-lasso train --from 'boards/*.json' --out fleet.json
    """
    from edge_lasso.paths.options import TrainOptions
    from edge_lasso.paths.sensors import parse_sensors
    from edge_lasso.tables.series import parse_past
    from edge_lasso.training.options import Training
    from edge_lasso.training.train_table import train_table

    fitting = TrainOptions(
        l1_ratio=l1_ratio, eps=eps, select=select, max_inputs=max_inputs, positive=positive, method=method,
        workers=os.cpu_count() or 1,
    )  # fmt: skip
    wanted, about = options.parse_sections(sections), parse_sensors(sensor, cost, sign)
    if boards is not None:
        if typed := _typed(context, MERGING):
            raise DataError(f"{', '.join(typed)}: not with --from (boards keep statistics of their rows, not the rows)")
        return _merge(boards, fitting, about, wanted, seed, out, as_json)
    if data is None:
        raise DataError("no DATA is given; name a table, or what boards learned with --from FILES")
    if update is not None:
        if typed := _typed(context, UPDATING):
            raise DataError(f"{', '.join(typed)}: not with --update (it takes them from the first training)")
        return _update(Path(data), update, forget, again, max_worse, out, as_json)
    if forget != 1.0 or max_worse is not None or again:
        raise DataError("--forget, --again and --max-worse go with --update STATS; without it there is nothing older")
    if not target:
        raise DataError("no target is given; name the column to predict with --target")
    check_folder(out, data)
    rows, when = options.data_of(
        data, cluster, time, time_format=time_format, zone=zone, missing=missing, encoding=encoding, long=long,
        every=every, hold=hold,
    )  # fmt: skip
    training = Training.of(
        time=when, inputs=parse_names(inputs), drop=parse_names(drop), categorical=parse_names(categorical),
        degree=degree, hinges=hinges, holdout=holdout, cv=cv, gap=gap, group=group, repeat=repeat, segment=segment, interval=interval,
        stability=stability, bootstrap=bootstrap, seed=seed, cluster=cluster, robust=robust,
        past=parse_past({"lags": lags, "difference": difference, "mean": mean, "ewma": ewma}),
        sections=wanted, sensors=about, method=fitting,
    )  # fmt: skip
    with terminal.progress("reading") as advance:
        result = train_table(rows, parse_names(target), training, progress=advance)
    _finish(result, out, as_json)


def _typed(context: typer.Context, allowed: set[str]) -> list[str]:
    """Options that were typed and say nothing here."""
    return [
        "DATA" if name == "data" else f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in allowed and str(context.get_parameter_source(name)).endswith("COMMANDLINE")
    ]


def _merge(
    boards: list[str],
    fitting: TrainOptions,
    sensors: Sensors,
    sections: list[str] | None,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    from edge_lasso.statistics.boards import board_files
    from edge_lasso.training.train_fleet import train_fleet

    check_folder(out, *board_files(boards))
    _finish(train_fleet(boards, fitting, sensors, sections, seed), out, as_json)


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
    remaining = (load_statistics(old, before) if before else None) or FoldStatistics.load(statistics)
    with terminal.progress("reading") as advance:
        result = update_table(remaining, data, forget=forget, again=again, progress=advance)
    comparison = None if before is None else compare(before, result.model, data)
    if comparison is not None and max_worse is not None and comparison.percent_worse > max_worse:
        show_comparison(comparison, as_json)
        raise VerificationError(
            f"squared error on the new rows is {comparison.percent_worse:+.1f} %, more than --max-worse {max_worse:g}; "
            f"{out} was not written"
        )
    _finish(result, out, as_json, comparison, digest)


def _finish(
    result: TrainResult, out: Path, as_json: bool, comparison: Comparison | None = None, read: str | None = None
) -> None:
    from edge_lasso.reporting.show import show_training
    from edge_lasso.statistics.beside import statistics_file

    options.keep(result, out, read)
    show_training(result, out, statistics_file(out), as_json, comparison)
