"""`edge-lasso quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import Json, ModelFile, check_folder


def quantize(
    model: ModelFile,
    to: Annotated[str | None, typer.Option(help="float16, int16 or int8; by default what --max-error allows.")] = None,
    max_error: Annotated[
        float | None, typer.Option(help="Largest allowed error, proven, in the target's unit.")
    ] = None,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="NAME=LOW:HIGH, what a sensor can deliver.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Model file; by default the given one.")] = None,
    as_json: Json = False,
) -> None:
    """Turn a model into integers, with a proven worst-case error.

    Example: edge-lasso quantize model.json --to int16 --max-error 0.05 --out int16.json
    """
    from edge_lasso.quantize import quantize as run
    from edge_lasso.ranges import parse_range
    from edge_lasso.show import show_quantized
    from edge_lasso_runtime import load, save

    declared = dict(parse_range(one) for one in ranges or [])
    after = run(load(model), to, ranges=declared, max_error=max_error)
    target = out or model
    check_folder(target)
    save(after, target)
    show_quantized(after, target, as_json)
