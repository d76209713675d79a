"""`edge-lasso quantize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import Json, ModelFile, check_folder


@table.reads_tables
def quantize(
    model: ModelFile,
    to: Annotated[str | None, typer.Option(help="float16, int16 or int8; by default what --max-error allows.")] = None,
    max_error: Annotated[
        float | None,
        typer.Option(help="Largest allowed error, proven, in the target's unit (of a classifier: of its logit)."),
    ] = None,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="NAME=LOW:HIGH, what a sensor can deliver.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="How much wider than in training the other ranges get, 0.1 for 10 % on both sides."),
    ] = None,
    quantiles: Annotated[
        str | None, typer.Option(help="LOW:HIGH, as in 0.001:0.999: ranges that hold this share of --data instead.")
    ] = None,
    raw: Annotated[
        list[str] | None,
        typer.Option("--raw", help="NAME=SCALE:OFFSET, a sensor that delivers counts: value = SCALE * count + OFFSET."),
    ] = None,
    result_bits: Annotated[int, typer.Option(help="32, or 16 for an int16 result with a larger error.")] = 32,
    data: Annotated[Path | None, typer.Option(help="Rows to count what clamping to the ranges costs.")] = None,
    out: Annotated[Path | None, typer.Option(help="Model file; by default the given one.")] = None,
    as_json: Json = False,
    *,
    read: table.Reader,
) -> None:
    """Turn a model into integers, with a proven worst-case error.

    Example: edge-lasso quantize model.json --to int16 --max-error 0.05 --out int16.json
    """
    from edge_lasso.compressing.quantize import quantize as run
    from edge_lasso.compressing.ranges import parse_quantiles, parse_range, quantile_ranges, saturation
    from edge_lasso.compressing.raw_counts import parse_raw
    from edge_lasso.errors import DataError
    from edge_lasso.reporting.show_quantized import show_quantized
    from edge_lasso.statistics.beside import load_statistics, save_both
    from edge_lasso.tables.tables import model_rows
    from edge_lasso_runtime import load

    declared = _once("--range", [parse_range(entry) for entry in ranges or []])
    counts = _once("--raw", [parse_raw(entry) for entry in raw or []])
    if quantiles is not None and data is None:
        raise DataError("--quantiles are of the readings in --data DATA, which is missing")
    target = out or model
    check_folder(target)
    before = load(model)
    rows = None if data is None else model_rows(read(data)[0], before)
    if quantiles is not None and rows is not None:
        declared = {**quantile_ranges(before, rows, *parse_quantiles(quantiles)), **declared}
    after = run(before, to, declared, max_error, margin, result_bits, counts)
    save_both(after, load_statistics(model, before, missing_ok=True) if target == model else None, target)
    show_quantized(after, target, as_json, None if rows is None else saturation(after, rows))


def _once(option: str, pairs: list[tuple[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Declarations by name; two of the same name contradict each other."""
    from edge_lasso.errors import DataError

    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{option} is given twice for {name!r}; give it once")
    return dict(pairs)
