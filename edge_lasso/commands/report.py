"""`edge-lasso report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import ModelFile, check_folder
from edge_lasso.reporting import terminal


@table.reads_tables
def report(
    model: ModelFile,
    data: Annotated[
        Path | None, typer.Option(help="Table to show predictions on; for a detector: readings to score.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="HTML file; MODEL.html by default.")] = None,
    *,
    read: table.Reader,
) -> None:
    """Write one self-contained HTML page about a model.

    Example: edge-lasso report model.json --out report.html

    A detector: edge-lasso report detector.json --data yesterday.csv --out alarms.html
    """
    from edge_lasso.reporting.page import collect, write

    target = out or model.with_suffix(".html")
    check_folder(target, model, data)
    write(collect(model, None if data is None else read(data)[0]), target)
    terminal.say(f"wrote {target}")
