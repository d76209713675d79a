"""Options that several of train, classify and watch have, and what they do with a model that is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_lasso.commands.shared import parse_names

if TYPE_CHECKING:
    from edge_lasso.detecting.train_detector import DetectorResult
    from edge_lasso.training.train_classes import ClassesResult
    from edge_lasso.training.train_table import TrainResult

Target = Annotated[str, typer.Option(metavar="COL", help="Column of the classes to tell apart.")]
Inputs = Annotated[
    list[str] | None, typer.Option(metavar="COL,..", help="Columns to use (names or patterns like 'A.*').")
]
Drop = Annotated[list[str] | None, typer.Option(metavar="COL,..", help="Columns to leave out (names or patterns).")]
Categorical = Annotated[list[str] | None, typer.Option(metavar="COL,..", help="Columns that hold categories.")]
MaxInputs = Annotated[int | None, typer.Option(metavar="N", help="Budget of inputs (each lag, mean, ... is one).")]
Holdout = Annotated[
    float, typer.Option(metavar="PART", help="Part of the rows, the last ones, kept for an honest test.")
]
Lags = Annotated[
    list[str] | None,
    typer.Option(metavar="N[:COL,..]", rich_help_panel="Time", help="Readings of 1 to N rows ago compete, too."),
]
Difference = Annotated[
    list[str] | None,
    typer.Option(metavar="N[:COL,..]", rich_help_panel="Time", help="Changes since N rows ago compete, too."),
]
Mean = Annotated[
    list[str] | None,
    typer.Option(metavar="N[:COL,..]", rich_help_panel="Time", help="Means of the last N rows compete, too."),
]
Ewma = Annotated[
    list[str] | None,
    typer.Option(metavar="SPAN[:COL,..]", rich_help_panel="Time", help="Moving averages compete, too."),
]
Gap = Annotated[
    int, typer.Option(metavar="N", rich_help_panel="Time", help="Rows left out before each held-out block of time.")
]
Degree = Annotated[
    int, typer.Option(metavar="1|2", rich_help_panel="Model", help="2: squares and products of inputs compete, too.")
]
Hinges = Annotated[
    int, typer.Option(metavar="N", rich_help_panel="Model", help="Knots per input; what it is above each competes.")
]
Method = Annotated[
    str, typer.Option(metavar="NAME", rich_help_panel="Model", help="lasso, relaxed, adaptive, omp, group, subset.")
]
L1Ratio = Annotated[
    float, typer.Option(metavar="PART", rich_help_panel="Model", help="1 is the lasso; less is the elastic net.")
]
Eps = Annotated[
    float | None,
    typer.Option(
        metavar="PART", rich_help_panel="Model",
        help="Smallest alpha as a part of the largest; by default 0.001, and on while that helps.",
    ),
]  # fmt: skip
Cost = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", rich_help_panel="Model", help="What a column or sensor costs; else 1."),
]
Sensor = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME:COL,..", rich_help_panel="Model", help="Columns of one physical sensor."),
]
Sections = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME,..",
        rich_help_panel="Model",
        help="What travels along for boards: estimate, health, drift, or none. By default what the data allow.",
    ),
]
CV = Annotated[int, typer.Option(metavar="N", rich_help_panel="Trust", help="Folds of cross-validation; 0: none.")]
Group = Annotated[
    str | None, typer.Option(metavar="COL", rich_help_panel="Trust", help="Column of groups: no fold divides one.")
]
Select = Annotated[
    str, typer.Option(metavar="RULE", rich_help_panel="Model", help="auto, min, 1se, paired, knee, aic, bic or ebic.")
]
Seed = Annotated[int, typer.Option(metavar="N", rich_help_panel="Output", help="Written into the model.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="local|ADDRESS", rich_help_panel="Output", help="Read the files on a Dask cluster."),
]
Out = Annotated[
    Path, typer.Option(metavar="FILE", rich_help_panel="Output", help="Model file; statistics go beside it.")
]
AsJson = Annotated[bool, typer.Option("--json", rich_help_panel="Output", help="Print JSON instead of tables.")]


def parse_sections(values: list[str] | None) -> list[str] | None:
    """Sections as typed; "none" is an empty list."""
    return None if values is None else [name for name in parse_names(values) if name != "none"]


def keep(result: TrainResult | ClassesResult | DetectorResult, out: Path, read: str | None = None) -> None:
    """Write the model and what statistics there are, and put it on record; `read`: digest of those it was made from."""
    from edge_lasso.statistics.beside import save_both, statistics_file
    from edge_lasso.training import audit
    from edge_lasso_runtime.atomic import together

    with together(out.parent) as files:
        if read is not None:
            files.read(statistics_file(out).name, read)
        save_both(result.model, result.folds, out, files)
        files.append(audit.FILE, audit.line(result.model, out))


def data_of(data: str, cluster: str | None, time: str | None, **options: Any) -> tuple[Any, str | None]:
    """The table to train on; a cluster's workers open the files themselves."""
    from edge_lasso.commands.table_options import open_data
    from edge_lasso.errors import DataError

    if cluster is None:
        return open_data(data, time, **options)
    if any(value for value in options.values()) or "," in (time or ""):
        raise DataError("--cluster reads plain files; convert the table first where it needs options to be read")
    return data, time
