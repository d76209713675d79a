"""`edge-lasso train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_lasso import terminal
from edge_lasso.commands.shared import DataFile, Json, check_folder, parse_names, save_both, statistics_file
from edge_lasso.errors import DataError


def train(
    data: DataFile,
    target: Annotated[list[str], typer.Option(help="Column to predict; several, with commas: several outputs.")],
    task: Annotated[str, typer.Option(help="regression")] = "regression",
    time: Annotated[str | None, typer.Option(help="Column of times: rows in its order, forward-chained folds.")] = None,
    inputs: Annotated[list[str] | None, typer.Option(help="Columns to use (names or patterns like 'A.*').")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Columns to leave out (names or patterns).")] = None,
    categorical: Annotated[list[str] | None, typer.Option(help="Columns that hold categories.")] = None,
    degree: Annotated[int, typer.Option(help="2: squares and products of inputs compete, too.")] = 1,
    l1_ratio: Annotated[float, typer.Option(help="1 is the lasso; less is the elastic net.")] = 1.0,
    cv: Annotated[int, typer.Option(help="Folds of cross-validation; 0: none.")] = 5,
    select: Annotated[str, typer.Option(help="1se, min, knee, aic, bic or ebic.")] = "1se",
    max_inputs: Annotated[int | None, typer.Option(help="Budget of inputs.")] = None,
    holdout: Annotated[float, typer.Option(help="Part of the rows, the last ones, kept for an honest test.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Written into the model.")] = 0,
    out: Annotated[Path, typer.Option(help="Model file; statistics go beside it.")] = Path("model.json"),
    as_json: Json = False,
) -> None:
    """Train a sparse model from a table of sensor readings.

    Example: edge-lasso train air.csv --target pm25 --time time --max-inputs 6 --out air.json
    """
    from edge_lasso.fit import TrainOptions
    from edge_lasso.show import show_training
    from edge_lasso.train_table import train_table

    if task != "regression":
        raise DataError(f"--task is '{task}'; this version trains regression")
    check_folder(out)
    options = TrainOptions(l1_ratio=l1_ratio, select=select, max_inputs=max_inputs, workers=os.cpu_count() or 1)
    with terminal.progress("reading") as advance:
        result = train_table(
            data, parse_names(target), time=time, inputs=parse_names(inputs), drop=parse_names(drop), categorical=parse_names(categorical),
            degree=degree, cv=cv, holdout=holdout, seed=seed, options=options, progress=advance,
        )  # fmt: skip
    save_both(result.model, result.folds, out)
    show_training(result, out, statistics_file(out), as_json)
