"""Options that say how a table is read: the same, under the same names, wherever a table is read."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

PANEL = "Table"
Time = Annotated[
    str | None,
    typer.Option(metavar="COL[,COL]", help="Column of times, or those of date and time of day: rows in its order."),
]
TimeFormat = Annotated[
    str | None,
    typer.Option("--time-format", metavar="F", rich_help_panel=PANEL, help="As strptime has it, such as %d/%m/%Y."),
]
Zone = Annotated[
    str | None, typer.Option(metavar="NAME", rich_help_panel=PANEL, help="Of times that name none; UTC by default.")
]
Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="MARK,..", rich_help_panel=PANEL, help="What else means a missing reading, such as -999."),
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", rich_help_panel=PANEL, help="Of a text file; found out by default.")
]
Long = Annotated[
    str | None,
    typer.Option(metavar="ID,VALUE,TIME", rich_help_panel=PANEL, help="Columns of a table with one reading a row."),
]
Every = Annotated[
    str | None,
    typer.Option(metavar="1min[:HOW]", rich_help_panel=PANEL, help="A row that often: last, mean or nearest readings."),
]
Hold = Annotated[
    str | None,
    typer.Option(metavar="10min", rich_help_panel=PANEL, help="How long a reading holds; 10 rows by default."),
]


def open_data(data: str | Path, time: str | None = None, **options: Any) -> tuple[Any, str | None]:
    """A table as its options say, and what its column of times is called.

    Parameters
    ----------
    data : str or path
    time : str, optional
    options
        Of `edge_lasso.tables.reading.parse_reading`.
    """
    from edge_lasso.tables.reading import parse_reading
    from edge_lasso.tables.tables import open_table

    reading = parse_reading(time, **options)
    return open_table(data, reading), reading.column


OPTIONS = {
    "time": Time, "time_format": TimeFormat, "zone": Zone, "missing": Missing, "encoding": Encoding, "long": Long,
    "every": Every, "hold": Hold,
}  # fmt: skip


class Reader:
    """Opens tables as the options of a command say.

    Parameters
    ----------
    options : dict
        Those of `OPTIONS`, as they were typed.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    @property
    def asked(self) -> bool:
        """Whether any option was typed."""
        return any(self.options.values())

    def __call__(self, data: Any) -> tuple[Any, str | None]:
        """A table, and what its column of times is called."""
        return open_data(data, **self.options)


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a table is read; its parameter `read` is a `Reader` of them."""
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        read = Reader({name: values.pop(name) for name in OPTIONS})
        command(**values, read=read)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    added = [inspect.Parameter(name, kind, default=None, annotation=option) for name, option in OPTIONS.items()]
    parameters = [parameter for name, parameter in own.parameters.items() if name != "read"]
    with_options.__signature__ = own.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *added]}
    return with_options


def told(table: Any) -> list[str]:
    """What to say of how a table was read."""
    return list(getattr(table, "notes", []))
