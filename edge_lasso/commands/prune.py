"""`edge-lasso prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import Json, ModelFile, check_folder
from edge_lasso.errors import DataError


def prune(
    model: ModelFile,
    max_inputs: Annotated[int | None, typer.Option(help="Keep at most so many inputs.")] = None,
    max_loss: Annotated[float | None, typer.Option(help="Percent of cross-validated squared error to give up.")] = None,
    out: Annotated[Path | None, typer.Option(help="Model file; by default the given one.")] = None,
    as_json: Json = False,
) -> None:
    """Drop the inputs a model can do without, on its training statistics.

    Example: edge-lasso prune model.json --max-loss 2 --out small.json
    """
    from edge_lasso.compressing.prune import prune as run
    from edge_lasso.reporting.show import show_change
    from edge_lasso.statistics.beside import load_statistics, save_both
    from edge_lasso_runtime import load

    if (max_inputs is None) == (max_loss is None):
        raise DataError("prune needs --max-inputs or --max-loss, one of the two; for example: --max-loss 2")
    before = load(model)
    statistics = load_statistics(model, before)
    assert statistics is not None
    after = run(before, statistics, max_inputs=max_inputs, max_loss=max_loss)
    target = out or model
    check_folder(target)
    save_both(after, statistics, target)
    show_change(before, after, target, as_json)
