"""What the commands share: kinds of arguments, lists and budgets, where files go."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.errors import DataError

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file (JSON) that edge-lasso wrote.")]
_DATA = typer.Argument(metavar="DATA", help="CSV, JSON lines, Parquet, Arrow, .xlsx; file, folder, or database.")
DataFile = Annotated[str, _DATA]
OptionalDataFile = Annotated[str | None, _DATA]
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


def check_folder(path: Path, *read: str | Path | None) -> None:
    """Refuse a file that cannot be written there, or replaces what is `read`, before the work begins."""
    if not path.parent.is_dir():
        raise DataError(f"folder {path.parent} does not exist; make it, or choose another place with --out")
    if path.is_dir():
        raise DataError(f"{path} is a folder; --out wants a file")
    sources = [Path(source) for source in read if source is not None]
    if path.exists() and any(path.samefile(source) for source in sources if source.exists()):
        raise DataError(f"--out {path} is what is read; the result would replace it: choose another file")


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files that one command makes: all are written aside first, then those of each folder are switched at once."""
    from edge_lasso_runtime.atomic import together

    with ExitStack() as stack:
        sets = {folder: stack.enter_context(together(folder)) for folder in sorted({path.parent for path in files})}
        for path, data in files.items():
            sets[path.parent].write(path.name, data)
