"""`edge-lasso drift`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from edge_lasso.commands.shared import Json, ModelFile
from edge_lasso.reporting import terminal


def drift(
    model: ModelFile,
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIGEST|DATA", help="A digest (hexadecimal, base64, or a file), a snapshot of score, or a table."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Say which inputs moved since training, and whether to retrain; exit status 1 when something moved.

    Example: edge-lasso drift model.json readings.csv
    """
    from edge_lasso.watching.drift import drift as compare
    from edge_lasso_runtime import load
    from edge_lasso_runtime.drift import MOVED

    with terminal.progress("counting") as advance:
        found = compare(load(model), source, advance)
    if as_json:
        terminal.say_json({**asdict(found), "moved": found.moved, "retrain": found.worse, "advice": found.advice})
        raise typer.Exit(int(found.moved))
    rows = [
        (
            one.name,
            f"{one.index:.3f}",
            f"{one.chance:.3f}",
            f"{one.missing:.1%}",
            f"{one.missing_training:.1%}",
            one.verdict,
        )
        for one in [*found.readings, *([found.score] if found.score else [])]
    ]
    columns = ("input", "index", "by chance below", "missing", "in training", "verdict")
    terminal.table(f"{found.rows:,} rows; an index above {MOVED} is a move", columns, rows)
    if found.page_hinkley is not None:
        what = "score" if found.onsets is not None else "error"
        terminal.say(
            f"level of the {what}: risen by {found.page_hinkley:.1f}, a rise from {found.page_hinkley_limit:g} on"
        )
    for note in found.notes:
        terminal.say(f"note: {note}")
    terminal.say(found.advice)
    raise typer.Exit(int(found.moved))
