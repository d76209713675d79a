"""`edge-lasso search`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import DataFile, Json, parse_budgets, parse_names
from edge_lasso.errors import DataError, VerificationError
from edge_lasso.reporting import terminal


@table.reads_tables
def search(
    data: DataFile,
    target: Annotated[str, typer.Option(help="Column to predict.")],
    board: Annotated[str, typer.Option(metavar="NAME|FILE.toml", help="Where it shall run; see 'edge-lasso boards'.")],
    budget: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, such as flash_bytes=1200; exit 1 when nothing keeps it.")
    ] = None,
    inputs: Annotated[list[str] | None, typer.Option(help="Columns to use (names or patterns like 'A.*').")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Columns to leave out (names or patterns).")] = None,
    categorical: Annotated[list[str] | None, typer.Option(help="Columns that hold categories.")] = None,
    cv: Annotated[int, typer.Option(help="Folds of cross-validation.")] = 5,
    max_inputs: Annotated[int | None, typer.Option(help="Largest number of inputs to try.")] = None,
    sections: Annotated[
        str, typer.Option(help="estimate (missing inputs from the others, where possible), or none.")
    ] = "estimate",
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="currency, and kwh or hour: adds what a million rows cost in money."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the chosen model, its artifact and the front.")] = Path(
        "search"
    ),
    as_json: Json = False,
    *,
    read: table.Reader,
) -> None:
    """Find the most accurate model that keeps a board's budgets, and the front of accuracy against cost.

    Walked are lambda, inputs, precision and target. Costs do not depend on lambda, so each number of inputs has the
    lambda (and refit) that cross-validates best with it. Costs are counted in emulation; those of onnx and tflite come
    from a kept count where their runtimes cannot be emulated here, and are then called modelled.

    Example: edge-lasso search air.csv --target pm25 --board pico --budget flash_bytes=1200 --out pico
    """
    from edge_lasso.measuring.prices import read_prices
    from edge_lasso.measuring.search import search as run
    from edge_lasso.reporting.show_search import front_json, front_picture, show_front
    from edge_lasso.statistics.beside import save_both
    from edge_lasso.training.options import Training
    from edge_lasso.training.train_table import train_table
    from edge_lasso.verifying.verify import export_to, others
    from edge_lasso_devices.boards import load_board
    from edge_lasso_runtime.atomic import json_bytes, together

    limits = parse_budgets(budget)
    if sections not in ("estimate", "none"):
        raise DataError(f"--sections is {sections!r}; search takes estimate or none, train has the others")
    if cv < 2:
        raise DataError(f"--cv is {cv}; search compares models by cross-validation, which needs 2 folds or more")
    if max_inputs is not None and max_inputs < 1:
        raise DataError(f"--max-inputs is {max_inputs}; it must be 1 or more")
    known, stated = load_board(board), None if prices is None else read_prices(prices)
    if not out.parent.is_dir() or out.is_file():
        raise DataError(f"{out} cannot be a folder for results; choose another place with --out")
    workers = os.cpu_count() or 1
    rows, when = read(data)
    with terminal.progress("reading") as advance:
        training = Training.of(
            time=when, inputs=parse_names(inputs), drop=parse_names(drop), categorical=parse_names(categorical), cv=cv
        )
        result = train_table(rows, target, training, progress=advance)
    with terminal.progress("counting") as advance:
        front = run(
            result.folds, known, limits, max_inputs, workers, lambda name: advance(0, None, name),
            sections != "none", stated,
        )  # fmt: skip
    if front.choice is None:
        show_front(front, known, as_json)
        raise VerificationError(front.missed)
    out.mkdir(exist_ok=True)
    with together(out) as files:
        certificate = export_to(files, "artifacts/", front.choice.model, front.choice.artifact)
        save_both(front.choice.model, result.folds, out / "model.json", files)
        files.write("front.json", json_bytes(front_json(front, known)))
        files.write("front.svg", front_picture(front, known).encode())
    show_front(front, known, as_json)
    for name in others(out / "artifacts", front.choice.model):
        terminal.note(f"note: {out}/artifacts/{name} is of an earlier model; it is no part of this choice")
    if certificate.status != "passed":
        raise VerificationError(f"the chosen artifact {certificate.status.replace('_', ' ')} when it was run here")
    if not as_json:
        terminal.say(f"wrote {out}/model.json, artifacts, front.json and front.svg")
