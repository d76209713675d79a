"""`edge-lasso watch`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands import training_options as options
from edge_lasso.commands.shared import DataFile, check_folder, parse_names
from edge_lasso.errors import DataError
from edge_lasso.reporting import terminal


def watch(
    data: DataFile,
    sensors: Annotated[
        list[str] | None, typer.Option(metavar="COL,..|all", help="Sensors to watch; all by default.")
    ] = None,
    time: table.Time = None,
    inputs: Annotated[
        list[str] | None, typer.Option(metavar="COL,..", help="Columns to predict from; all by default.")
    ] = None,
    drop: options.Drop = None,
    alarm_rate: Annotated[
        str | None,
        typer.Option(metavar="PART|N/day", help="False alarms allowed; by default what the data can promise."),
    ] = None,
    max_coefs: Annotated[int | None, typer.Option(metavar="N", help="Budget of coefficients over all sensors.")] = None,
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
    own_past: Annotated[
        bool, typer.Option("--own-past", rich_help_panel="Time", help="A sensor's own past may predict it.")
    ] = False,
    gap: options.Gap = 0,
    smoothing: Annotated[
        float, typer.Option(metavar="W", rich_help_panel="Model", help="Of the newest row; 1: rows by themselves.")
    ] = 0.05,
    track: Annotated[
        str,
        typer.Option(
            metavar="ROWS|auto|off", rich_help_panel="Model", help="Follow levels that wander, within so many rows."
        ),
    ] = "auto",
    adjust: Annotated[
        str,
        typer.Option(
            metavar="STEP|auto|off", rich_help_panel="Model", help="The threshold follows the scores on the board."
        ),
    ] = "auto",
    sections: options.Sections = None,
    cv: Annotated[int, typer.Option(metavar="N", rich_help_panel="Trust", help="Blocks of rows held out.")] = 5,
    seed: options.Seed = 0,
    out: options.Out = Path("model.json"),
    as_json: options.AsJson = False,
) -> None:
    """Learn normal operation: a detector that says when readings are not as usual, and which sensors caused it.

    Example: edge-lasso watch normal.csv --time time --alarm-rate 1/day

    Or: edge-lasso watch normal.csv --sensors 'pump*' --lags 1 --max-coefs 60
    """
    from edge_lasso.detecting.calibrated import ChartOptions, parse_adjust, parse_track
    from edge_lasso.detecting.fit_detector import DetectorOptions
    from edge_lasso.detecting.thresholds import parse_rate
    from edge_lasso.detecting.train_detector import train_detector
    from edge_lasso.reporting.show_detector import show_trained
    from edge_lasso.statistics.beside import statistics_file
    from edge_lasso.tables.series import parse_past
    from edge_lasso.training.options import Training

    past = parse_past({"lags": lags, "difference": difference, "mean": mean, "ewma": ewma})
    if own_past and not any(derived.kind == "lag" for derived in past):
        raise DataError("--own-past needs --lags N: without it there is no past to predict from")
    if max_coefs is not None and max_coefs < 1:
        raise DataError(f"--max-coefs is {max_coefs}; it must be 1 or more")
    check_folder(out, data)
    rows, when = options.data_of(
        data, None, time, time_format=time_format, zone=zone, missing=missing, encoding=encoding, long=long,
        every=every, hold=hold,
    )  # fmt: skip
    detector = DetectorOptions(
        max_coefs=max_coefs, own_past=own_past, rate=None if alarm_rate is None else parse_rate(alarm_rate),
        chart=ChartOptions(smoothing, track=parse_track(track), adjust=parse_adjust(adjust)), cv=cv, gap=gap or None,
        workers=os.cpu_count() or 1,
    )  # fmt: skip
    training = Training.of(
        time=when, inputs=parse_names(inputs), drop=parse_names(drop), past=past, holdout=holdout, seed=seed,
        sections=options.parse_sections(sections),
    )  # fmt: skip
    with terminal.progress("fitting") as advance:
        result = train_detector(rows, parse_names(sensors), training, options=detector, progress=advance)
    options.keep(result, out)
    show_trained(result, out, statistics_file(out), as_json)
