"""What the commands share: kinds of arguments, lists and budgets, where files go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_lasso.errors import DataError

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file (JSON) that edge-lasso wrote.")]
DataFile = Annotated[
    Path, typer.Argument(metavar="DATA", help="CSV, .csv.gz, Parquet or Arrow IPC; a file or a folder.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def parse_names(values: list[str] | None) -> list[str]:
    """Names from options given several times, with commas, or both."""
    return [name.strip() for value in values or [] for name in value.split(",") if name.strip()]


def parse_budgets(values: list[str] | None) -> dict[str, float]:
    """``KEY=NUMBER`` options as a dictionary."""
    budgets = {}
    for value in values or []:
        key, _, amount = value.partition("=")
        try:
            budgets[key] = float(amount)
        except ValueError:
            raise DataError(f"--budget {value!r} is not KEY=NUMBER; for example: --budget p95_us=200") from None
    return budgets


def statistics_file(model: Path) -> Path:
    """Where the statistics of a model file are: beside it."""
    return model.with_name(f"{model.name.removesuffix('.json')}.stats.npz")


def load_statistics(model: Path, missing_ok: bool = False) -> Any:
    """The training statistics beside a model file."""
    from edge_lasso.statistics.folds import FoldStatistics

    path = statistics_file(model)
    if not path.exists():
        if missing_ok:
            return None
        raise DataError(f"{path.name} is not beside {model.name}; train writes both, keep them together")
    return FoldStatistics.load(path)


def save_both(model: Any, statistics: Any, path: Path) -> None:
    """Write a model and its statistics (None: it has none), or neither."""
    from edge_lasso.tables.atomic import staged
    from edge_lasso_runtime import save

    if statistics is None:
        return save(model, path)
    with staged(statistics_file(path)) as kept:
        statistics.save(kept)
        save(model, path)


def check_folder(path: Path, *read: Path | None) -> None:
    """Refuse a file that cannot be written there, or replaces what is `read`, before the work begins."""
    if not path.parent.is_dir():
        raise DataError(f"folder {path.parent} does not exist; make it, or choose another place with --out")
    if path.is_dir():
        raise DataError(f"{path} is a folder; --out wants a file")
    if path.exists() and any(path.samefile(one) for one in read if one is not None and one.exists()):
        raise DataError(f"--out {path} is what is read; the result would replace it: choose another file")
