"""`edge-lasso doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import Json, ModelFile
from edge_lasso.errors import VerificationError
from edge_lasso.reporting import terminal


def doctor(
    model: ModelFile,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SNAPSHOT] [LOG] [METRICS]..",
            help="What the board left: figures, snapshot, results, state.json; another model, to compare with.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a board, and what to do: version, freshness, faults, drift, alarms, updates, on one page.

    Example: edge-lasso doctor model.json edge-lasso.prom state.json journal.txt
    """
    from edge_lasso.watching.doctor import ACT, FINE, examine
    from edge_lasso_runtime import load

    result = examine(load(model), files or [])
    if as_json:
        terminal.say_json([vars(finding) for finding in result])
    else:
        for finding in result:
            terminal.say(f"{finding.level:4}  {finding.text}")
            if finding.level != FINE and finding.advice:
                terminal.say(f"      {finding.advice}")
    urgent = sum(finding.level == ACT for finding in result)
    if urgent:
        raise VerificationError(f"{urgent} of {len(result)} findings call for action")
