"""`edge-lasso predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import DataFile, ModelFile, check_folder, parse_names
from edge_lasso.reporting import terminal


def predict(
    model: ModelFile,
    data: DataFile,
    time: table.Time = None,
    out: Annotated[
        Path | None, typer.Option(help=".csv, .parquet or .arrow; CSV on standard output by default.")
    ] = None,
    interval: Annotated[bool, typer.Option("--interval", help="Also the ends of the prediction interval.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate missing inputs from the others, as a board does.")
    ] = False,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="COL,..", help="Columns to write beside them: times, truth.")
    ] = None,
    time_format: table.TimeFormat = None,
    zone: table.Zone = None,
    missing: table.Missing = None,
    encoding: table.Encoding = None,
    long: table.Long = None,
    every: table.Every = None,
    hold: table.Hold = None,
) -> None:
    """Predict every row of a table; only the model's columns are read.

    Missing inputs are at their defaults; inputs from earlier rows are computed in the order of the table.

    Example: edge-lasso predict model.json readings.csv --out predictions.parquet
    """
    from edge_lasso.predicting.predict_table import predict_table
    from edge_lasso_runtime import load

    if out is not None:
        check_folder(out, data, model)
    rows, _ = table.open_data(
        data, time, time_format=time_format, zone=zone, missing=missing, encoding=encoding, long=long, every=every,
        hold=hold,
    )  # fmt: skip
    with terminal.progress("predicting") as advance:
        done = predict_table(load(model), rows, out, advance, interval, estimate, keep=parse_names(keep))
    for line in rows.notes:
        terminal.note(f"note: {line}")
    terminal.note(
        f"{done.rows:,} rows, {done.degraded:,} degraded (a reading missing or out of range); computed by {done.by}"
    )
