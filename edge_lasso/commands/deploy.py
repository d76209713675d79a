"""`edge-lasso deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import Json, ModelFile, check_folder
from edge_lasso.reporting import terminal


def deploy(
    model: ModelFile,
    board: Annotated[str, typer.Argument(metavar="ssh://user@host[/path]", help="Where to; ~/edge-lasso by default.")],
    rollback: Annotated[bool, typer.Option("--rollback", help="Switch back to the version before.")] = False,
    unit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a systemd unit that works on its standard input: score for detectors, else predict.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put a model and the runtime on a board: checked and tried there, then switched at once; nothing is installed.

    Example: edge-lasso deploy model.json ssh://pi@raspberrypi.local
    """
    from edge_lasso.watching.deploy import deploy as run
    from edge_lasso.watching.deploy import service
    from edge_lasso_devices.deploy import rollback as back
    from edge_lasso_runtime import load
    from edge_lasso_runtime.atomic import write_text

    if unit is not None:
        check_folder(unit)
    loaded = load(model)
    found = back(board) if rollback else run(loaded, board)
    if unit is not None:
        write_text(unit, service(loaded, found, board))
    if as_json:
        terminal.say_json(vars(found))
        return
    terminal.say(f"{board}: version {found.version} is in use")
    terminal.say(
        f"the version before is {found.previous}; --rollback switches to it"
        if found.previous
        else "it is the first version there"
    )
    if unit is not None:
        terminal.say(
            f"wrote {unit}; on the board: sudo cp {unit.name} /etc/systemd/system/ && sudo systemctl enable --now {unit.name}"
        )
