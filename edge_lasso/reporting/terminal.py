"""What a user sees on a terminal: results on standard output, progress and logs on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from edge_lasso_runtime.printable import printable

PIPE_WIDTH = 118


def _console(stderr: bool) -> Any:
    from rich.console import Console  # takes as long as all the rest of a command that prints a line

    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


def say(text: str = "") -> None:
    """Print a line of results."""
    print(printable(text))


def note(text: str) -> None:
    """Print a line of log."""
    print(printable(text), file=sys.stderr)


def say_json(data: Any) -> None:
    """Print JSON for machines: one document, nothing else."""
    print(json.dumps(data, indent=2, allow_nan=False))


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]], text_columns: int = 1) -> None:
    """Print a table; the first `text_columns` are left-aligned, the others right-aligned."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = _console(stderr=False)
    lines = SIMPLE_HEAD if console.is_terminal else None  # what is piped is read by programs, too
    view = Table(title=Text(printable(title)), box=lines, title_justify="left", title_style="bold", pad_edge=False)
    for i, column in enumerate(columns):
        view.add_column(
            Text(printable(column)), justify="left" if i < text_columns else "right", overflow="fold", no_wrap=i == 0
        )  # the names in the first one stay whole, to be copied
    for row in rows:
        view.add_row(*(Text(printable(cell)) for cell in row))
    console.width = max(console.width, console.measure(view).minimum)
    if lines is not None:
        console.print(view)
        return
    with console.capture() as text:
        console.print(view)
    say("\n".join(line.rstrip() for line in text.get().splitlines()) + "\n")


@contextmanager
def progress(title: str) -> Iterator[Any]:
    """Show a progress bar on a terminal, nothing elsewhere.

    Yields
    ------
    callable
        ``advance(done, total, text="")``; a `total` of None means unknown.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = _console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, text="")

        def advance(done: float, total: float | None = None, text: str = "") -> None:
            bar.update(task, completed=done, total=total, text=printable(text))

        yield advance
