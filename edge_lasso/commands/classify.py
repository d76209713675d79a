"""`edge-lasso classify`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands import training_options as options
from edge_lasso.commands.shared import DataFile, check_folder, parse_names
from edge_lasso.reporting import terminal


def classify(
    data: DataFile,
    target: options.Target,
    time: table.Time = None,
    inputs: options.Inputs = None,
    drop: options.Drop = None,
    categorical: options.Categorical = None,
    max_inputs: options.MaxInputs = None,
    holdout: options.Holdout = 0.0,
    class_weight: Annotated[
        str | None,
        typer.Option(metavar="balanced", help="Learn as if every class were equally common; probabilities stay true."),
    ] = None,
    miss_cost: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=NUMBER", help="Missing this class costs so much, others 1: labels cost least."),
    ] = None,
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
    cost: options.Cost = None,
    sections: options.Sections = None,
    cv: options.CV = 5,
    group: options.Group = None,
    seed: options.Seed = 0,
    cluster: options.Cluster = None,
    out: options.Out = Path("model.json"),
    as_json: options.AsJson = False,
) -> None:
    """Train a sparse model that tells classes apart.

    Example: edge-lasso classify room.csv --target occupied --max-inputs 3

    Or: edge-lasso classify faults.csv --target state --class-weight balanced --miss-cost fault=20
    """
    from edge_lasso.paths.options import TrainOptions
    from edge_lasso.paths.sensors import parse_sensors
    from edge_lasso.reporting.show import show_classes
    from edge_lasso.tables.series import parse_past
    from edge_lasso.training.class_odds import miss_costs
    from edge_lasso.training.options import Training
    from edge_lasso.training.train_classes import train_classes

    check_folder(out, data)
    rows, when = options.data_of(
        data, cluster, time, time_format=time_format, zone=zone, missing=missing, encoding=encoding, long=long,
        every=every, hold=hold,
    )  # fmt: skip
    training = Training.of(
        time=when, inputs=parse_names(inputs), drop=parse_names(drop), categorical=parse_names(categorical),
        degree=degree, hinges=hinges, holdout=holdout, cv=cv, gap=gap, group=group, seed=seed, cluster=cluster,
        past=parse_past({"lags": lags, "difference": difference, "mean": mean, "ewma": ewma}),
        sections=options.parse_sections(sections), sensors=parse_sensors(None, cost),
        method=TrainOptions(
            l1_ratio=l1_ratio, eps=eps, select=select, max_inputs=max_inputs, method=method, workers=os.cpu_count() or 1
        ),
    )  # fmt: skip
    with terminal.progress("reading") as advance:
        result = train_classes(
            rows, target, training, class_weight=class_weight, miss_cost=miss_costs(miss_cost), progress=advance
        )
    options.keep(result, out)
    show_classes(result, out, as_json)
