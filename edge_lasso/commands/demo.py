"""`edge-lasso demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the model, the artifacts and the report.")] = Path(
        "edge-lasso-demo"
    ),
) -> None:
    """Rebuild a failed air-quality sensor from other stations: train, prune, quantize, export, verify, measure.

    Example: edge-lasso demo
    """
    from edge_lasso.commands.demo_run import demo as run

    raise typer.Exit(run(out))
