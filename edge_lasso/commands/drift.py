"""`edge-lasso drift`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import Json, ModelFile
from edge_lasso.reporting import terminal


@table.reads_tables
def drift(
    model: ModelFile,
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIGEST|DATA", help="A digest (hexadecimal, base64, or a file), a snapshot of score, or a table."
        ),
    ],
    as_json: Json = False,
    *,
    read: table.Reader,
) -> None:
    """Say which inputs moved since training, and whether to retrain; exit status 1 when something moved.

    Example: edge-lasso drift model.json readings.csv
    """
    from edge_lasso.statistics.beside import histograms, load_statistics
    from edge_lasso.watching.drift import drift as compare
    from edge_lasso_runtime import load
    from edge_lasso_runtime.drift import MOVED

    content = load(model)
    seen = histograms(load_statistics(model, content, missing_ok=True), content)
    with terminal.progress("counting") as advance:
        result = compare(content, read(source)[0] if read.asked else source, advance, seen)
    if as_json:
        terminal.say_json({**asdict(result), "moved": result.moved, "retrain": result.worse, "advice": result.advice})
        raise typer.Exit(int(result.moved))
    rows = [
        (
            reading.name,
            f"{reading.index:.3f}",
            f"{reading.chance:.3f}",
            f"{reading.missing:.1%}",
            f"{reading.missing_training:.1%}",
            reading.verdict,
        )
        for reading in [*result.readings, *([result.score] if result.score else [])]
    ]
    columns = ("input", "index", "by chance below", "missing", "in training", "verdict")
    terminal.table(f"{result.rows:,} rows; an index above {MOVED} is a move", columns, rows)
    if result.page_hinkley is not None:
        what = "score" if result.onsets is not None else "error"
        terminal.say(
            f"level of the {what}: risen by {result.page_hinkley:.1f}, a rise from {result.page_hinkley_limit:g} on"
        )
    for note in result.notes:
        terminal.say(f"note: {note}")
    terminal.say(result.advice)
    raise typer.Exit(int(result.moved))
